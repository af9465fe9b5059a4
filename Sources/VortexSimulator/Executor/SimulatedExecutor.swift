internal import Synchronization

/// Runs ordinary async code (task groups, streams, continuations) so that it replays from a seed:
/// one thread, which picks the next ready job with a seeded generator and, where none is ready,
/// jumps to the moment at which the next timer is due.
///
/// Every task of a run must run here: it starts with one task that prefers this executor, and has
/// only structured ones below that.
public final class SimulatedExecutor: TaskExecutor {
    /// Why `run` returned.
    public enum Ending: Equatable, Sendable {
        /// Nothing is ready and no timer is set: all is done, or waits for ever.
        case idle
        case stepLimit
    }

    private struct State {
        var ready: [UnownedJob] = []
        var timers = TimerHeap()
        /// Nanoseconds since the run began.
        var now: UInt64 = 0
        var steps: UInt64 = 0
    }
    private let state = Mutex(State())
    private let entropy: SimulatedEntropy

    public init(seed: UInt64) { entropy = SimulatedEntropy(seed: seed) }

    /// Virtual nanoseconds since the run began.
    public var now: UInt64 { state.withLock { $0.now } }
    public var steps: UInt64 { state.withLock { $0.steps } }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.ready.append(job) }
    }

    public func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }

    /// Calls `action` after that long; it must not wait. The ticket calls it off.
    @discardableResult
    public func schedule(
        nanoseconds: UInt64, _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        state.withLock { $0.timers.add(due: $0.now + nanoseconds, action) }
    }

    public func cancel(_ ticket: UInt64) { state.withLock { _ = $0.timers.cancel(ticket) } }

    /// Returns after that long; false, and earlier, where the task is cancelled.
    public func sleep(nanoseconds: UInt64) async -> Bool {
        let wait = Outcome<Bool>()
        let ticket = schedule(nanoseconds: nanoseconds) { wait.settle(true) }
        return await withTaskCancellationHandler {
            await wait.value()
        } onCancel: {
            cancel(ticket)
            wait.settle(false)
        }
    }

    /// Returns after that long, whatever becomes of the task.
    func pause(nanoseconds: UInt64) async {
        await withUnsafeContinuation { waiter in
            _ = schedule(nanoseconds: nanoseconds) { waiter.resume() }
        }
    }

    /// Runs until nothing is ready and no timer is left, or for `stepsMax` jobs more.
    public func run(stepsMax: UInt64) -> Ending {
        let executor = asUnownedTaskExecutor()
        let limit = steps + stepsMax
        while true {
            let job = state.withLock { state -> UnownedJob? in
                guard !state.ready.isEmpty else { return nil }
                state.steps += 1
                let last = state.ready.count - 1
                if last > 0 { state.ready.swapAt(entropy.below(last + 1), last) }
                return state.ready.removeLast()
            }
            if let job {
                job.runSynchronously(on: executor)
                if steps >= limit { return .stepLimit }
            } else if !wakeNext() {
                return .idle
            }
        }
    }

    /// Fires all timers of the next moment; false where there is none.
    private func wakeNext() -> Bool {
        let due = state.withLock { state -> [@Sendable () -> Void] in
            guard let moment = state.timers.nextDue() else { return [] }
            state.now = max(state.now, moment)
            var actions: [@Sendable () -> Void] = []
            while state.timers.nextDue() == moment, let action = state.timers.pop() {
                actions.append(action)
            }
            return actions
        }
        for action in due { action() }
        return !due.isEmpty
    }

    /// Forgets the timers that nobody waits for, and what they hold.
    public func clear() {
        let timers = state.withLock { state in
            defer { state.timers.removeAll() }
            return state.timers
        }
        // Freed outside the lock: what an action holds may come back here.
        _ = consume timers
    }
}
