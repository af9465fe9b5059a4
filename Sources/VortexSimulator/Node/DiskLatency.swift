internal import Synchronization
internal import VortexCore

/// How long a simulated disk takes: microseconds for what the page cache answers, more for what the
/// device must do, and many times that while the disk is slow.
final class DiskLatency: Sendable {
    private let entropy: SimulatedEntropy
    private let executor: SimulatedExecutor
    private let factor = Mutex<UInt64>(1)

    init(entropy: SimulatedEntropy, executor: SimulatedExecutor) {
        self.entropy = entropy
        self.executor = executor
    }

    func setFactor(_ value: UInt64) { factor.withLock { $0 = value } }

    func pass(_ operation: DiskError.Operation) async {
        let nanoseconds: UInt64 =
            switch operation {
            case .sync: entropy.within(50_000..<400_000)
            case .write, .truncate, .create, .remove, .rename: entropy.within(5_000..<60_000)
            case .open, .read, .allocate, .list, .stat, .lock: entropy.within(1_000..<20_000)
            }
        await executor.pause(nanoseconds: nanoseconds * factor.withLock { $0 })
    }
}
