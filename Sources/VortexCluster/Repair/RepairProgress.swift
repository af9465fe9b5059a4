internal import Synchronization
internal import VortexCore

/// How far this node is with making copies whole; what its status says.
final class RepairProgress: Sendable {
    struct State: Sendable {
        /// Nothing is known to be missing on this node or by this node elsewhere, since a walk over
        /// everything that ended after the last sign of trouble.
        var isVerified = false
        var verifiedMilliseconds: UInt64 = 0
        var strays: UInt64 = 0
        /// Chunks of this node that no node can read.
        var lostChunks: UInt64 = 0
        /// Partitions of which this node is a source that is not empty, for bodies that no row
        /// names: they go when they are collected, and the node must look again to say so.
        var keptPartitions = 0
        var repairedRows: UInt64 = 0
        var copiedChunks: UInt64 = 0
        var collectedBlobs: UInt64 = 0
        /// The last change of owners after which the rows of former partitions were dropped.
        var tidiedEpoch = Epoch.zero
        /// The last change of owners for which a walk found nothing to do.
        var verifiedEpoch = Epoch.zero
    }
    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    func update(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
}
