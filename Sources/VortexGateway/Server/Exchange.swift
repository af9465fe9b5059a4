internal import CHttpd
internal import Synchronization
public import VortexCluster
internal import VortexCore

/// One request and its response, and the executor of the task that answers it.
///
/// The handler's task runs on libmicrohttpd's own thread: a job that is enqueued while that thread
/// is in one of this exchange's callbacks is run before the callback returns. When the task waits
/// for something else (the journal, a cold read) the connection is suspended, and the job that ends
/// the wait resumes it: no third thread is involved. Only while the connection waits for its
/// client's next bytes are jobs run by the background loop.
///
///     phase       the connection is                     a job enqueued now
///     callback    in a callback on MHD's thread         runs before the callback returns
///     suspended   put aside until we resume it          is queued, and the connection resumed
///     resuming    resumed, not yet called back          is queued
///     outside     waiting for its client, or closed     runs on the background loop
///
/// Unchecked: `lock` guards all mutable state; the connection is used as libmicrohttpd demands.
public final class Exchange: TaskExecutor, @unchecked Sendable {
    public internal(set) var head: RequestHead
    public var body: any BodySource { requestBody }
    let requestBody: RequestBody

    enum Phase { case callback, suspended, resuming, outside }
    struct State {
        var phase = Phase.callback
        var jobs: [UnownedJob] = []
        var response: Response?
        /// A response's whole content, read before its header is sent.
        var preloaded: Preloaded?
        var isClosed = false
        var pull: Pull?
    }
    /// Unchecked: handed from the task that filled it to libmicrohttpd, which frees it.
    struct Preloaded: @unchecked Sendable {
        var buffer: UnsafeMutableRawBufferPointer
    }
    /// One block on its way from a content stream into libmicrohttpd's buffer.
    struct Pull {
        var offset: UInt64
        var result: Result<Int, ClusterError>?
    }
    let lock = Mutex(State())

    let connection: OpaquePointer
    let record: ConnectionRecord
    let server: ServerCore
    let started = SystemClock.monotonic()
    /// Set in the first callback.
    var framing: HeadCheck.Framing?
    var task: Task<Void, Never>?
    var status = 0
    var sentBytes: UInt64 = 0
    var discarded: UInt64 = 0
    /// Of the current window.
    var progress = 0
    var isBegun = false
    var isBodyEnded = false

    init(connection: OpaquePointer, target: String, server: ServerCore, record: ConnectionRecord) {
        self.connection = connection
        self.server = server
        self.record = record
        requestBody = RequestBody()
        head = RequestHead(
            method: "", target: target, headers: HeaderFields([]),
            requestID: server.nextRequestID())
    }

    deinit { lock.withLock { $0.preloaded?.buffer.deallocate() } }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let action = lock.withLock { state -> Phase in
            let phase = state.phase
            switch phase {
            case .callback, .resuming: state.jobs.append(job)
            case .suspended:
                state.jobs.append(job)
                state.phase = .resuming
            case .outside: break
            }
            return phase
        }
        switch action {
        case .callback, .resuming: break
        case .suspended: MHD_resume_connection(connection)
        case .outside: server.background.enqueue(ExecutorJob(job))
        }
    }

    public func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }

    /// Begins a callback on libmicrohttpd's thread.
    func enter() { lock.withLock { $0.phase = .callback } }

    /// Runs what is queued, and what that queues.
    func drain() {
        while true {
            let jobs = lock.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }

    /// Ends a callback: the connection goes on waiting for its client. False where there is more to
    /// run.
    func leave() -> Bool {
        lock.withLock { state in
            guard state.jobs.isEmpty else { return false }
            state.phase = .outside
            return true
        }
    }

    /// Ends a callback with the connection suspended, unless `isReady` or there is more to run.
    func suspend(unless isReady: (State) -> Bool) -> Bool {
        lock.withLock { state in
            guard state.jobs.isEmpty, !isReady(state) else { return false }
            state.phase = .suspended
            record.rest()
            MHD_suspend_connection(connection)
            return true
        }
    }

    func start() {
        let handler = server.handler
        task = Task(executorPreference: self) { [self] in
            var response = await handler.handle(self)
            response = await preload(response)
            complete(response)
        }
    }

    /// A small content is read before the header goes out: one write sends both, and a failure can
    /// still be told.
    private func preload(_ response: Response) async -> Response {
        guard case .stream(let length, let stream) = response.content,
            length > 0, length <= ServerLimits.preloadBytesMax
        else { return response }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(length), alignment: 64)
        var done = 0
        do throws(ClusterError) {
            while done < buffer.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                let count = try await stream.read(at: UInt64(done), into: rest)
                guard count > 0 else { throw .damaged }
                done += count
            }
        } catch {
            buffer.deallocate()
            return server.failure(error, head.requestID)
        }
        let preloaded = Preloaded(buffer: buffer)
        lock.withLock { $0.preloaded = preloaded }
        return response
    }

    private func complete(_ response: Response) {
        let mustResume = lock.withLock { state in
            state.response = response
            guard state.phase == .suspended else { return false }
            state.phase = .resuming
            return true
        }
        if mustResume { MHD_resume_connection(connection) }
    }

    /// The connection is gone, or the response is out. What still runs, runs elsewhere.
    func close(aborted: Bool) {
        let jobs = lock.withLock { state in
            state.isClosed = true
            state.phase = .outside
            defer { state.jobs = [] }
            return state.jobs
        }
        record.endBody()
        if aborted {
            if record.isCut, status == 0 { status = 408 }
            requestBody.abort(record.isCut ? .bodyTimedOut : .bodyAborted)
            task?.cancel()
        }
        for job in jobs { server.background.enqueue(ExecutorJob(job)) }
    }
}
