/// Time as procedures see it: real in the daemon, virtual in the simulator.
public protocol Clock: Sendable {
    /// Milliseconds since 1970. May jump; orders nothing by itself.
    var wallMilliseconds: UInt64 { get }
    /// Nanoseconds since some fixed moment; never goes back.
    var monotonicNanoseconds: UInt64 { get }
    /// Returns after that long, or earlier with `CancellationError` where the task is cancelled.
    func sleep(milliseconds: UInt64) async throws(CancellationError)
}

/// Randomness as procedures see it: the system's in the daemon, seeded in the simulator.
public protocol Entropy: Sendable {
    func next() -> UInt64
}
