/// Bounds of the HTTP server that are not settings; DESIGN.md has the measurements behind them.
enum ServerLimits {
    /// Half of it is the size of upload pieces. libmicrohttpd clears all of it for each request on
    /// a connection, so more costs small requests, and memory on idle connections.
    static let connectionMemoryBytes = 64 << 10
    static let sendBlockBytes = 256 << 10
    /// A content of at most this size is read before its header is sent.
    static let preloadBytesMax: UInt64 = 64 << 10
    /// Of a body whose request was answered early, so much is let pass before the connection
    /// closes.
    static let discardedBytesMax: UInt64 = 64 << 20
    /// A client must bring so much of a body in each `bodySeconds`.
    static let bodyWindowBytes = 64 << 10
    static let listenBacklog: Int32 = 4_096
}

public struct HTTPServerOptions: Sendable {
    public enum Address: Sendable, Equatable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }
    public var address: Address
    public var threads: Int
    public var connectionsMax: Int
    /// PEM texts, for TLS of its own.
    public var certificate: String?
    public var key: String?
    public var trustedProxies = TrustedProxies()
    /// From one request's end (or the connection's start) to the next one's request line.
    public var idleSeconds: UInt64 = 75
    /// From the request line to the end of the header.
    public var headSeconds: UInt64 = 30
    /// A window of a body, see `ServerLimits.bodyWindowBytes`.
    public var bodySeconds: UInt64 = 30
    /// For one block of a response to be taken.
    public var sendSeconds: UInt64 = 60

    public init(
        address: Address, threads: Int, connectionsMax: Int = 16_384, certificate: String? = nil,
        key: String? = nil
    ) {
        self.address = address
        self.threads = threads
        self.connectionsMax = connectionsMax
        self.certificate = certificate
        self.key = key
    }
}

public enum ServerError: Error, Equatable, Sendable {
    case address(String)
    case socket(errno: Int32)
    /// libmicrohttpd did not start: most often a certificate or key that it cannot read.
    case start
}
