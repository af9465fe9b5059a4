/// The network as procedures see it: one question to a peer, one answer. Real over the chunk
/// protocol (VortexNet), virtual in the simulator.

/// A question or an answer between nodes. `kind` says how `head` is read; `bulk` holds a body's
/// bytes, at most one chunk, which no layer copies or looks into on the way.
public struct WireMessage: Sendable {
    public var kind: UInt8
    /// Of a question: the epoch that the partition has for the asker. Of an answer: for the owner.
    public var epoch: Epoch
    /// At most `Limits.wireHeadBytesMax`.
    public var head: [UInt8]
    /// At most `Limits.chunkBytes`.
    public var bulk: ChunkBuffer?

    public init(kind: UInt8, epoch: Epoch, head: [UInt8] = [], bulk: ChunkBuffer? = nil) {
        self.kind = kind
        self.epoch = epoch
        self.head = head
        self.bulk = bulk
    }
}

public enum TransportError: Error, Equatable, Sendable {
    /// No connection: the question was not delivered.
    case unreachable
    /// The connection broke, or no answer came in time: delivered or not, nobody knows.
    case lost
    /// Too much is on its way to this peer already; not sent.
    case busy
    /// The peer does not take us for one of its own (secret, cluster, version); not sent.
    case refused
    /// The asking task was cancelled; the question may have been sent.
    case cancelled
}

public protocol Transport: Sendable {
    /// What comes of a question after its asker has gone on.
    typealias Late = @Sendable (Result<WireMessage, TransportError>) -> Void

    /// Asks the node that listens on `address` (host:port). Returns at once with `.cancelled` where
    /// the task is cancelled: who has a quorum does not wait for the slowest. The question is
    /// handed over before the call suspends for the first time.
    ///
    /// Without `late` a cancelled question is taken back where it was not sent yet. With it, it is
    /// not, and `late` is called once with what the call would have returned, from any thread;
    /// never where the call returned anything but `.cancelled`.
    func ask(
        _ address: String, _ question: WireMessage, timeoutMilliseconds: UInt64, late: Late?
    ) async throws(TransportError) -> WireMessage
}

extension Transport {
    public func ask(
        _ address: String, _ question: WireMessage, timeoutMilliseconds: UInt64
    ) async throws(TransportError) -> WireMessage {
        try await ask(address, question, timeoutMilliseconds: timeoutMilliseconds, late: nil)
    }
}

/// What answers peers' questions on a node.
public protocol PeerResponder: Sendable {
    func answer(_ question: WireMessage) async -> WireMessage
}
