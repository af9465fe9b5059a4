internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
public import VortexCore

/// The real `Transport`: the chunk protocol (docs/protocol.md) over TCP and TLS, and the listener
/// that answers peers' questions.
///
/// Its event loops are also task executors (`executors`): what answers a question runs on the
/// thread that read it. They end with `stop()`, so what runs on them must have ended before.
public final class PeerNetwork: Transport {
    /// A link, and the loop that it lives on.
    private struct Link: Sendable {
        var loop: any EventLoop
        var link: NIOLoopBoundBox<PeerLink>
    }

    /// Two connections with each peer: a listener whose chunk buffers are full stops reading the
    /// one that brings chunks, and still answers whether it is alive on the other.
    private struct LinkKey: Hashable {
        enum Lane: Int { case small, bulk }
        var address: String
        var lane: Lane

        init(_ address: String, _ question: WireMessage) {
            self.address = address
            lane = question.bulk == nil ? .small : .bulk
        }

        static func isOrdered(_ left: LinkKey, _ right: LinkKey) -> Bool {
            (left.address, left.lane.rawValue) < (right.address, right.lane.rawValue)
        }
    }

    private struct State {
        var hasStarted = false
        var isStopped = false
        var listener: (any Channel)?
        var links: [LinkKey: Link] = [:]
    }

    private let core: NetworkCore
    private let listen: String
    private let state = Mutex(State())
    private let lastID = Atomic<UInt64>(0)

    /// Its threads run from here to `stop()`.
    public init(options: PeerNetworkOptions) throws(NetworkError) {
        core = try NetworkCore(options)
        listen = options.listen
    }

    /// One for each event loop.
    public var executors: [LoopExecutor] { core.executors }

    /// The port that it listens on; nil before `start`, or where it listens nowhere.
    public var boundPort: Int? { state.withLock { $0.listener?.localAddress?.port } }

    /// From the next connection on, this is who speaks.
    public func identify(_ identity: PeerIdentity) { core.identity = identity }

    /// Binds and listens; `service` answers from now on.
    public func start(service: any PeerResponder) async throws(NetworkError) {
        let isFirst = state.withLock { state in
            defer { state.hasStarted = true }
            return !state.hasStarted && !state.isStopped
        }
        guard isFirst else { throw .alreadyStarted }
        core.service = service
        guard !listen.isEmpty else { return }
        guard let address = Address(listen) else { throw .invalidAddress }
        let listener: any Channel
        do {
            listener = try await bootstrap().bind(host: address.host, port: address.port).get()
        } catch {
            throw Self.bindError(error)
        }
        let isLate = state.withLock { state in
            if !state.isStopped { state.listener = listener }
            return state.isStopped
        }
        if isLate { listener.close(promise: nil) }
    }

    /// Closes everything: asks fail, answers being made are cancelled and waited for, and the
    /// threads end. Again does nothing. Not to be called from a task on one of `executors`.
    public func stop() async {
        let (isFirst, listener, links) = state.withLock { state in
            defer {
                state.isStopped = true
                state.listener = nil
                state.links = [:]
            }
            return (!state.isStopped, state.listener, state.links)
        }
        guard isFirst else { return }
        listener?.close(promise: nil)
        for key in links.keys.sorted(by: LinkKey.isOrdered) {
            guard let link = links[key] else { continue }
            await link.loop.perform { link.link.value.stop() }
        }
        for side in core.stopAdmitting() {
            let answering = await side.eventLoop.perform { side.value.stop() }
            for task in answering { await task.value }
        }
        do { try await core.group.shutdownGracefully() } catch {
            core.logger.error("the network's threads did not end", metadata: ["error": "\(error)"])
        }
    }

    public func ask(
        _ address: String, _ question: WireMessage, timeoutMilliseconds: UInt64, late: Late?
    ) async throws(TransportError) -> WireMessage {
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        let timeout = TimeAmount.milliseconds(Int64(min(timeoutMilliseconds, 1 << 40)))
        let ask = Ask(id: id, question: question, deadline: .now() + timeout, late: late)
        let key = LinkKey(address, question)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                ask.wait(continuation)
                if !ask.isFinished { hand(key, ask) }
            }
        } onCancel: {
            if ask.abandon() { forget(key, id) }
        }
        return try outcome.get()
    }

    /// Gives the question to its link, on the link's loop; at once where this is that loop.
    private func hand(_ key: LinkKey, _ ask: Ask) {
        let here = state.withLock { state -> Link? in
            guard !state.isStopped else {
                ask.fail(.unreachable)
                return nil
            }
            guard let link = link(key, &state) else {
                ask.fail(.busy)
                return nil
            }
            if link.loop.inEventLoop { return link }
            // Under the lock, so that nothing reaches a loop that `stop` has ended.
            link.loop.execute { link.link.value.send(ask) }
            return nil
        }
        here?.link.value.send(ask)
    }

    private func link(_ key: LinkKey, _ state: inout State) -> Link? {
        if let link = state.links[key] { return link }
        guard state.links.count < Bounds.linksMax else { return nil }
        let loop = core.group.next()
        let link = Link(
            loop: loop,
            link: .makeBoxSendingValue(
                PeerLink(core, loop: loop, address: key.address), eventLoop: loop))
        state.links[key] = link
        return link
    }

    private func forget(_ key: LinkKey, _ id: UInt64) {
        state.withLock { state in
            guard let link = state.links[key] else { return }
            link.loop.execute { link.link.value.forget(id) }
        }
    }

    private func bootstrap() -> ServerBootstrap {
        let core = core
        return ServerBootstrap(group: core.group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: Bounds.waterMark)
            .childChannelOption(.recvAllocator, value: Bounds.receiveAllocator)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let side = core.admit(on: channel.eventLoop) else {
                        core.refusals.refused(.crowded, channel.remoteAddress)
                        return channel.close(promise: nil)
                    }
                    let tls = NIOSSLServerHandler(context: core.credentials.server)
                    try channel.pipeline.syncOperations.addHandlers([
                        tls, Connection(core, side: side),
                    ])
                }
            }
    }

    private static func bindError(_ error: any Error) -> NetworkError {
        guard let error = error as? IOError else { return .invalidAddress }
        switch error.errnoCode {
        case EADDRINUSE: return .addressInUse
        case EADDRNOTAVAIL: return .invalidAddress
        default: return .cannotListen(errno: error.errnoCode)
        }
    }
}
