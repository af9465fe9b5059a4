internal import NIOCore

/// Bounds of the network between nodes that nobody wants to set.
enum Bounds {
    /// On one link and not answered yet; more are `.busy`.
    static let questionsPerLinkMax = 1_024
    /// Of questions that the socket has not taken; more are `.busy`.
    static let unsentBytesMax = 64 << 20
    /// Two for each address ever asked; a cluster has at most 1,000 members.
    static let linksMax = 4_096
    /// Being answered on one connection; it is not read while it has so many.
    static let answersPerConnectionMax = 256
    /// Of peers, at once, two for each of at most 1,000; further ones are closed.
    static let connectionsMax = 2_048
    /// From the connection to a complete hello, TLS included.
    static let helloTimeout = TimeAmount.seconds(5)
    static let connectTimeout = TimeAmount.seconds(2)
    /// An asker's connection on which nothing has come for this long, and an answer is overdue, is
    /// closed: a peer that lost power is found again by a new one, not when the kernel gives up
    /// after 15 minutes.
    static let silenceMax = TimeAmount.seconds(8)
    static let backOffFirst = TimeAmount.milliseconds(50)
    static let backOffMax = TimeAmount.seconds(2)
    /// Written before the socket is asked to take it.
    static let flushBytes = 512 << 10
    /// Bulk arrives in few large reads, small frames in little memory.
    static let receiveAllocator = AdaptiveRecvByteBufferAllocator(
        minimum: 4 << 10, initial: 16 << 10, maximum: 256 << 10)
    static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
        low: 256 << 10, high: 1 << 20)
}
