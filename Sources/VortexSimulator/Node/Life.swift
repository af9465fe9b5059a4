internal import Synchronization
internal import VortexCluster
internal import VortexStore

/// One life of a node's process, from its start to its end: what may be asked of it from outside.
///
/// It dies between two steps of the executor. From then on nothing that its tasks still do, while
/// they unwind, is seen by anybody: its disk fails, its transport too, its answers are dropped.
final class Life: Sendable {
    typealias Job = @Sendable () async -> Void

    private struct State {
        var isAlive = true
        /// Requests that wait for an answer, by number; the end of the life answers them.
        var open: [UInt64: @Sendable () -> Void] = [:]
        var lastRequest: UInt64 = 0
    }
    private let state = Mutex(State())
    let jobs: AsyncStream<Job>
    private let entrance: AsyncStream<Job>.Continuation

    init() { (jobs, entrance) = AsyncStream.makeStream(of: Job.self) }

    var isAlive: Bool { state.withLock { $0.isAlive } }

    /// A task of this life.
    func run(_ job: @escaping Job) { entrance.yield(job) }

    /// A request from outside: nil where the life, or the time, ends before the answer.
    func request<Answer: Sendable>(
        timeoutNanoseconds: UInt64, on executor: SimulatedExecutor,
        _ body: @escaping @Sendable () async -> Answer
    ) async -> Answer? {
        let outcome = Outcome<Answer?>()
        guard let number = enter({ outcome.settle(nil) }) else { return nil }
        run {
            let answer = await body()
            if self.isAlive { outcome.settle(answer) }
        }
        let timer = executor.schedule(nanoseconds: timeoutNanoseconds) { outcome.settle(nil) }
        let answer = await outcome.value()
        executor.cancel(timer)
        state.withLock { _ = $0.open.removeValue(forKey: number) }
        return answer
    }

    private func enter(_ end: @escaping @Sendable () -> Void) -> UInt64? {
        state.withLock { state in
            guard state.isAlive else { return nil }
            state.lastRequest += 1
            state.open[state.lastRequest] = end
            return state.lastRequest
        }
    }

    /// Dies. False where it was dead.
    @discardableResult
    func end() -> Bool {
        let (wasAlive, open) = state.withLock { state in
            defer {
                state.isAlive = false
                state.open = [:]
            }
            return (state.isAlive, state.open)
        }
        for number in open.keys.sorted() { open[number]?() }
        entrance.finish()
        return wasAlive
    }
}
