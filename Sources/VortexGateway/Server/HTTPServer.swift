internal import CHttpd
internal import Glibc
internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// What every exchange of a server shares.
final class ServerCore: Sendable {
    let options: HTTPServerOptions
    let handler: any RequestHandler
    let metrics: Metrics
    let log: AccessLog
    let background: LoopThread
    let connections = Connections()
    private let requestBase: UInt64
    private let requestCount = Atomic<UInt64>(0)

    init(
        _ options: HTTPServerOptions, _ handler: any RequestHandler, _ metrics: Metrics,
        _ log: AccessLog, _ background: LoopThread
    ) {
        self.options = options
        self.handler = handler
        self.metrics = metrics
        self.log = log
        self.background = background
        requestBase = SystemEntropy().next() << 32
    }

    func nextRequestID() -> String {
        let number = requestCount.add(1, ordering: .relaxed).newValue
        return Hex.string(requestBase &+ number)
    }

    func refusal(_ reason: String, _ requestID: String) -> Response {
        Problem(.malformedRequest, reason).response(requestID: requestID)
    }

    func failure(_ error: ClusterError, _ requestID: String) -> Response {
        Problem(answering: error).response(requestID: requestID)
    }

    func finished(_ exchange: Exchange, aborted: Bool) {
        metrics.requestsInFlight.subtract(1)
        let nanoseconds = SystemClock.monotonic() - exchange.started
        metrics.count(
            method: exchange.head.method, status: exchange.status, nanoseconds: nanoseconds)
        log.write(
            AccessLog.Entry(
                peer: options.trustedProxies.client(
                    peer: exchange.record.peer, exchange.head.headers),
                method: exchange.head.method,
                target: exchange.head.target, status: exchange.status, bytes: exchange.sentBytes,
                nanoseconds: nanoseconds, requestID: exchange.head.requestID, isBroken: aborted))
    }
}

/// The HTTP server: libmicrohttpd with one epoll thread per core, on a socket of ours.
public final class HTTPServer: Sendable {
    private let core: ServerCore
    /// Unchecked: libmicrohttpd's own locks guard a daemon.
    private struct Daemon: @unchecked Sendable {
        let pointer: OpaquePointer
        let listener: Listener
    }
    private let daemon = Mutex<Daemon?>(nil)
    private let socket: Int32

    /// Opens the socket; `start` begins to answer.
    public init(
        options: HTTPServerOptions, handler: any RequestHandler, metrics: Metrics, log: AccessLog,
        background: LoopThread
    ) throws(ServerError) {
        socket = try ListenSocket.open(options.address)
        core = ServerCore(options, handler, metrics, log, background)
        let connections = core.connections
        metrics.add {
            [
                Metrics.Sample(
                    "vortex_http_connections", "Open connections.", isCounter: false,
                    Double(connections.count)),
                Metrics.Sample(
                    "vortex_http_connections_cut_total", "Connections cut for being too slow.",
                    isCounter: true, Double(connections.cut)),
            ]
        }
    }

    public var boundPort: UInt16 { ListenSocket.port(of: socket) }

    public func start() throws(ServerError) {
        raiseDescriptorLimit()
        let context = Unmanaged.passRetained(core).toOpaque()
        var settings = vortex_httpd_settings()
        settings.threads = UInt32(core.options.threads)
        settings.connections_max = UInt32(core.options.connectionsMax)
        settings.connection_memory_bytes = ServerLimits.connectionMemoryBytes
        settings.context = context
        settings.handler = httpdHandler
        settings.uri = httpdURI
        settings.unescape = httpdUnescape
        settings.completed = httpdCompleted
        settings.connection = httpdConnection
        settings.panic = httpdPanic
        let started = withOptional(core.options.certificate) { certificate in
            withOptional(core.options.key) { key in
                settings.certificate_pem = certificate
                settings.key_pem = key
                return vortex_httpd_start(&settings)
            }
        }
        guard let started else { throw .start }
        let made = Daemon(
            pointer: started,
            listener: Listener(
                socket: socket, daemon: started, connections: core.connections,
                connectionsMax: core.options.connectionsMax))
        daemon.withLock { $0 = made }
    }

    /// Cuts what is too slow; to be called every second.
    public func tick() {
        core.connections.reap()
        core.log.flush()
    }

    public var requestsInFlight: UInt64 { core.metrics.requestsInFlight.count }

    /// Accepts no further connection.
    public func quiesce() {
        daemon.withLock { $0?.listener }?.stop()
    }

    /// Closes everything. No request may be suspended any more.
    public func stop() {
        quiesce()
        core.connections.cutAll()
        let taken = daemon.withLock { daemon in
            defer { daemon = nil }
            return daemon
        }
        if let taken { MHD_stop_daemon(taken.pointer) }
        close(socket)
        if case .unix(let path) = core.options.address { unlink(path) }
        core.log.finish()
    }

    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

private func withOptional<Value>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) -> Value
) -> Value {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
