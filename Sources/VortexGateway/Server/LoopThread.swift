// `timespec` belongs to whichever of the two modules the compiler has loaded first.
internal import CHttpd
internal import Glibc
internal import Synchronization
public import VortexCore

/// A thread with a run queue and timers, for tasks that may block it: the journal's writer has one,
/// background loops share another. A job is queued under a lock and the thread woken by a condition
/// variable, so a hand-over costs one futex call.
///
/// Unchecked: the lock guards all state.
public final class LoopThread: TaskExecutor, SerialExecutor, @unchecked Sendable {
    private struct Timer {
        var deadline: UInt64
        var order: UInt64
        var wake: CheckedContinuation<Void, any Error>
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var timers: [Timer] = []
    private var cancelled: Set<UInt64> = []
    private var nextTimer: UInt64 = 0

    /// Starts the thread, which lives as long as the process.
    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let failure = pthread_create(&thread, nil, loopThreadMain, context)
        precondition(failure == 0, "no thread could be started")
        pthread_detach(thread)
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    public func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    /// Runs `body` here and blocks the calling thread, which is not this one, until it is done.
    public func wait<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () async throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let answer = Answer<Value, Failure>()
        Task(executorPreference: self) {
            let result: Result<Value, Failure>
            do throws(Failure) { result = .success(try await body()) } catch {
                result = .failure(error)
            }
            answer.give(result)
        }
        return try answer.take().get()
    }

    fileprivate func run() -> Never {
        var taken: [UnownedJob] = []
        while true {
            pthread_mutex_lock(mutex)
            if !timers.isEmpty { _ = fireTimers() }
            while jobs.isEmpty, !fireTimers() { wait() }
            swap(&taken, &jobs)
            pthread_mutex_unlock(mutex)
            for job in taken { job.runSynchronously(on: asUnownedTaskExecutor()) }
            taken.removeAll(keepingCapacity: true)
        }
    }

    /// Waits for a job or the next timer; the lock is held before and after.
    private func wait() {
        guard let next = timers.min(by: { $0.deadline < $1.deadline }) else {
            pthread_cond_wait(condition, mutex)
            return
        }
        var deadline = timespec(
            tv_sec: Int(next.deadline / 1_000_000_000), tv_nsec: Int(next.deadline % 1_000_000_000))
        pthread_cond_timedwait(condition, mutex, &deadline)
    }

    /// Resumes what is due. The lock is given up meanwhile, since a resumed task enqueues itself
    /// here.
    private func fireTimers() -> Bool {
        let now = SystemClock.monotonic()
        let due = timers.filter { $0.deadline <= now }
            .sorted { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
        guard !due.isEmpty else { return false }
        timers.removeAll { $0.deadline <= now }
        pthread_mutex_unlock(mutex)
        for timer in due { timer.wake.resume() }
        pthread_mutex_lock(mutex)
        return !jobs.isEmpty
    }

    func sleep(nanoseconds: UInt64) async throws(CancellationError) {
        try await sleep(until: SystemClock.monotonic() &+ nanoseconds)
    }

    func sleep(until deadline: UInt64) async throws(CancellationError) {
        let id = takeTimerNumber()
        defer { forget(id) }
        do {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { wake in
                    add(id, deadline, wake)
                }
            } onCancel: {
                cancel(id)
            }
        } catch { throw CancellationError() }
    }

    /// A cancellation that came after the timer had fired leaves nothing behind.
    private func forget(_ id: UInt64) {
        pthread_mutex_lock(mutex)
        cancelled.remove(id)
        pthread_mutex_unlock(mutex)
    }

    private func takeTimerNumber() -> UInt64 {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        nextTimer += 1
        return nextTimer
    }

    private func add(
        _ id: UInt64, _ deadline: UInt64, _ wake: CheckedContinuation<Void, any Error>
    ) {
        pthread_mutex_lock(mutex)
        let isCancelled = cancelled.remove(id) != nil
        if !isCancelled {
            timers.append(Timer(deadline: deadline, order: id, wake: wake))
            pthread_cond_signal(condition)
        }
        pthread_mutex_unlock(mutex)
        if isCancelled { wake.resume(throwing: CancellationError()) }
    }

    private func cancel(_ id: UInt64) {
        pthread_mutex_lock(mutex)
        let place = timers.firstIndex { $0.order == id }
        let timer = place.map { timers.remove(at: $0) }
        if timer == nil { cancelled.insert(id) }
        pthread_mutex_unlock(mutex)
        timer?.wake.resume(throwing: CancellationError())
    }
}

private func loopThreadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its loop") }
    Unmanaged<LoopThread>.fromOpaque(context).takeRetainedValue().run()
}

/// The system's clocks, with sleeps on a loop thread's timers.
public final class SystemClock: Clock {
    private let loop: LoopThread
    public init(loop: LoopThread) { self.loop = loop }

    public static func monotonic() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    public var monotonicNanoseconds: UInt64 { Self.monotonic() }

    public var wallMilliseconds: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
    }

    public func sleep(milliseconds: UInt64) async throws(CancellationError) {
        try await loop.sleep(nanoseconds: milliseconds &* 1_000_000)
    }
}

/// The system's generator.
public final class SystemEntropy: Entropy {
    public init() {}
    public func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// A result that one thread waits for and another one gives.
///
/// Unchecked: the mutex guards the result.
private final class Answer<Value: Sendable, Failure: Error>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var result: Result<Value, Failure>?

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func give(_ result: Result<Value, Failure>) {
        pthread_mutex_lock(mutex)
        self.result = result
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func take() -> Result<Value, Failure> {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result { return result }
            pthread_cond_wait(condition, mutex)
        }
    }
}
