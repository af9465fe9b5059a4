internal import Synchronization
public import VortexCore

/// A node's clock over virtual time. Monotonic time is the run's; the wall clock is off by an error
/// of its own, which faults change.
public final class SimulatedClock: Clock {
    /// The wall clock's reading at the start of every run.
    public static let epochMilliseconds: UInt64 = 1_800_000_000_000

    private let executor: SimulatedExecutor
    private let error = Mutex<Int64>(0)

    public init(executor: SimulatedExecutor) { self.executor = executor }

    public var wallMilliseconds: UInt64 {
        let right = Int64(Self.epochMilliseconds + executor.now / 1_000_000)
        return UInt64(right + error.withLock { $0 })
    }

    public var monotonicNanoseconds: UInt64 { executor.now }

    public func sleep(milliseconds: UInt64) async throws(CancellationError) {
        guard await executor.sleep(nanoseconds: milliseconds * 1_000_000) else {
            throw CancellationError()
        }
    }

    /// The wall clock jumps, until the next call, to so much before or after the right time.
    public func setError(milliseconds: Int64) { error.withLock { $0 = milliseconds } }
}
