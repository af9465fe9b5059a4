internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import VortexCore

/// What all connections of a node share.
final class NetworkCore: Sendable {
    private struct State {
        var identity: PeerIdentity
        var service: (any PeerResponder)?
        var isStopped = false
        var answering: [UInt64: NIOLoopBound<Answering>] = [:]
        var lastPlace: UInt64 = 0
    }

    let credentials: Credentials
    let entropy: any Entropy
    let logger: Logger
    let refusals: RefusalLog
    let version: UInt16
    let helloTimeout: TimeAmount
    /// Bulk of questions; bounded.
    let received: BufferPool
    /// Bulk of answers: bounded by the questions in flight. The pool is for its spare chunks; one
    /// with a bound could wait for buffers that its own waiters hold.
    let answers = BufferPool(limitBytes: 1 << 40)
    let group: MultiThreadedEventLoopGroup
    let executors: [LoopExecutor]
    private let loops: [any EventLoop]
    private let state: Mutex<State>

    init(_ options: PeerNetworkOptions) throws(NetworkError) {
        precondition(options.receiveBytes >= Limits.chunkBytes, "no room for one chunk")
        credentials = try Credentials(secret: options.secret, entropy: options.entropy)
        entropy = options.entropy
        logger = options.logger
        refusals = RefusalLog(options.logger)
        version = options.version
        helloTimeout = options.helloTimeout
        received = BufferPool(limitBytes: options.receiveBytes)
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.threads))
        loops = Array(group.makeIterator())
        executors = loops.map { LoopExecutor($0) }
        state = Mutex(State(identity: options.identity))
    }

    var identity: PeerIdentity {
        get { state.withLock { $0.identity } }
        set { state.withLock { $0.identity = newValue } }
    }

    var service: (any PeerResponder)? {
        get { state.withLock { $0.service } }
        set { state.withLock { $0.service = newValue } }
    }

    func executor(of loop: any EventLoop) -> LoopExecutor {
        guard let index = loops.firstIndex(where: { $0 === loop }) else {
            preconditionFailure("a loop of another network")
        }
        return executors[index]
    }

    /// A new connection's side, or nil where there are too many. Called on its loop.
    func admit(on loop: any EventLoop) -> Answering? {
        state.withLock { state in
            guard !state.isStopped, state.answering.count < Bounds.connectionsMax else {
                return nil
            }
            state.lastPlace += 1
            let side = Answering(self, loop: loop, place: state.lastPlace)
            state.answering[state.lastPlace] = NIOLoopBound(side, eventLoop: loop)
            return side
        }
    }

    func leave(_ place: UInt64) {
        _ = state.withLock { $0.answering.removeValue(forKey: place) }
    }

    /// No connection is admitted any more; those that are, to be stopped each on its loop.
    func stopAdmitting() -> [NIOLoopBound<Answering>] {
        state.withLock { state in
            state.isStopped = true
            return state.answering.keys.sorted().compactMap { state.answering[$0] }
        }
    }
}

extension EventLoop {
    /// Runs `body` on the loop and returns when it has.
    func perform<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { done in
            execute { done.resume(returning: body()) }
        }
    }
}
