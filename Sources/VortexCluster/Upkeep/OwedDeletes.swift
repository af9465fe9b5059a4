internal import Synchronization
internal import VortexCore

/// Deleted blobs whose delete record not every node has got yet. Their candidates in the store are
/// what is durable; this spares asking their rows again. Bounded: what does not fit is asked again.
final class OwedDeletes: Sendable {
    private let table = Mutex<[BlobID: [NodeID]]>([:])
    private static let blobsMax = 65_536

    func nodes(of blob: BlobID) -> [NodeID]? { table.withLock { $0[blob] } }

    func note(_ blob: BlobID, _ nodes: [NodeID]) {
        table.withLock { if $0.count < Self.blobsMax { $0[blob] = nodes } }
    }

    func forget(_ blob: BlobID) { table.withLock { $0[blob] = nil } }
}
