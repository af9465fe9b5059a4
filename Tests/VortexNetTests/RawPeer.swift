import NIOCore
import NIOPosix
import NIOSSL
import VortexCore

@testable import VortexNet

/// Accepts connections, says what it is told to, and reads nothing.
struct DeafPeer {
    var channel: any Channel
    var address: String

    static func start(saying text: String = "") async throws -> DeafPeer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Greeting(text: text))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DeafPeer(
            channel: channel, address: "127.0.0.1:\(channel.localAddress?.port ?? 0)")
    }

    func stop() async {
        channel.close(promise: nil)
        _ = await channel.closeFuture.recorded()
    }
}

/// Says its text to who connects.
private final class Greeting: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let text: String
    init(text: String) { self.text = text }
    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
    }
}

/// A socket that says what it likes, and keeps what it hears.
struct RawPeer {
    private final class Hearing: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let closed: EventLoopPromise<[UInt8]>
        private var heard: [UInt8] = []
        init(_ closed: EventLoopPromise<[UInt8]>) { self.closed = closed }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            heard.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        }
        func channelInactive(context: ChannelHandlerContext) { closed.succeed(heard) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    enum End { case byItself, byOther }

    /// Says `bytes`, in TLS where there are credentials, and returns what it heard until it closed,
    /// or the other side did.
    static func say(
        _ bytes: [UInt8], to address: String, as credentials: Credentials? = nil,
        end: End = .byOther
    ) async throws -> [UInt8] {
        guard let address = Address(address) else { return [] }
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        let closed = loop.makePromise(of: [UInt8].self)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let credentials {
                        try pipeline.addHandler(
                            NIOSSLClientHandler(
                                context: credentials.client, serverHostname: nil))
                    }
                    try pipeline.addHandler(Hearing(closed))
                }
            }
            .connect(host: address.host, port: address.port).get()
        let said = loop.makePromise(of: Void.self)
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: said)
        if end == .byItself { said.futureResult.whenComplete { _ in channel.close(promise: nil) } }
        return try await closed.futureResult.get()
    }
}

extension EventLoopFuture {
    /// When it is done, however.
    fileprivate func recorded() async -> Bool {
        await withCheckedContinuation { done in
            whenComplete { _ in done.resume(returning: true) }
        }
    }
}
