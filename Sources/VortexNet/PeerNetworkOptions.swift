public import Logging
internal import NIOCore
public import VortexCore

/// What a node's network is told at its start.
public struct PeerNetworkOptions: Sendable {
    /// host:port to listen on, port 0 for one that is free; "" listens nowhere.
    public var listen: String
    /// Of the cluster, any length but zero; whoever has it is one of its nodes.
    public var secret: [UInt8]
    /// Event loops, each with a thread.
    public var threads: Int
    public var identity: PeerIdentity
    /// For back-off and serial numbers, not for keys.
    public var entropy: any Entropy
    public var logger: Logger
    /// Memory for the bulk of questions that arrive, at least one chunk.
    public var receiveBytes = 64 << 20
    /// Of the protocol; tests speak others.
    var version = FrameHeader.version
    /// Tests wait less long for a peer that says nothing.
    var helloTimeout = Bounds.helloTimeout

    public init(
        listen: String, secret: [UInt8], threads: Int, identity: PeerIdentity,
        entropy: any Entropy, logger: Logger
    ) {
        self.listen = listen
        self.secret = secret
        self.threads = threads
        self.identity = identity
        self.entropy = entropy
        self.logger = logger
    }
}
