internal import NIOCore
internal import NIOSSL
internal import VortexCore

/// Why a connection ended.
enum CloseReason: Equatable, Sendable {
    case broken
    case refused(Refusal)
}

/// Where an arriving bulk goes.
enum BulkPlace {
    case here(ChunkBuffer)
    case nowhere
    /// `Connection.place` will say; nothing is read until then.
    case later
}

/// What a connection is for: asking (`PeerLink`) or answering (`Answering`). Called on the
/// connection's event loop only.
protocol ConnectionSide: AnyObject {
    /// The peer is one of ours; frames may go.
    func opened(_ connection: Connection)
    func place(for header: FrameHeader, on connection: Connection) -> BulkPlace
    func received(_ frame: Frame, on connection: Connection) throws(FrameError)
    /// The writer has room: hand it more frames.
    func refill(_ writer: inout FrameWriter)
    /// False while too much of this connection is being worked on.
    func mayReceive(on connection: Connection) -> Bool
    /// Once, after which the connection says nothing more.
    func closed(_ connection: Connection, _ reason: CloseReason)
}

/// One connection between nodes, the same at both ends: hello both ways, then frames. Holds the
/// socket back where its bytes have no place yet, writes the frames of one turn together.
final class Connection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var writer = FrameWriter()
    /// The peer's hello has come and is right.
    private(set) var isOpen = false

    private let network: NetworkCore
    private var side: (any ConnectionSide)?
    private var context: ChannelHandlerContext?
    private var decoder: FrameDecoder
    /// Read from the socket, not decoded yet.
    private var arrived: ByteBuffer?
    private var hasStarted = false
    private var isReading = false
    private var isPumping = false
    private var isPumpScheduled = false
    private var waitsForPlace = false
    /// The channel wants to read and is held back.
    private var owesRead = false
    private var reason: CloseReason?
    private var helloTimer: Scheduled<Void>?

    init(_ network: NetworkCore, side: any ConnectionSide) {
        self.network = network
        self.side = side
        decoder = FrameDecoder(version: network.version)
    }

    // MARK: For its side

    /// Memory for the bulk that `place(for:on:)` answered `.later` for.
    func place(_ buffer: ChunkBuffer) {
        guard waitsForPlace, side != nil else { return }
        waitsForPlace = false
        decoder.place(in: buffer)
        resume()
    }

    /// Writes what the side has, once everything else of this turn has run.
    func schedulePump() {
        guard let context, !isReading, !isPumpScheduled else { return }
        isPumpScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isPumpScheduled = false
            self.pump()
        }
    }

    func close() {
        context?.close(promise: nil)
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    private func start(_ context: ChannelHandlerContext) {
        guard !hasStarted else { return }
        hasStarted = true
        let head = network.identity.helloHead()
        writer.add(FrameHeader(type: .hello, head: head, version: network.version), head: head)
        pump()
        helloTimer = context.eventLoop.assumeIsolated().scheduleTask(in: network.helloTimeout) {
            self.refuse(.late)
        }
    }

    private func end() {
        helloTimer?.cancel()
        helloTimer = nil
        arrived = nil
        guard let side else { return }
        self.side = nil
        side.closed(self, reason ?? .broken)
    }

    /// Closes a turn later: in the turn in which the handshake ends, our own hello, from which the
    /// peer learns why, has not left the TLS handler yet.
    private func refuse(_ refusal: Refusal) {
        guard reason == nil, let context else { return }
        reason = .refused(refusal)
        network.refusals.refused(refusal, context.remoteAddress)
        context.eventLoop.assumeIsolated().execute { self.close() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isOpen, Self.isForeign(error) {
            refuse(.tls)
        } else {
            reason = reason ?? .broken
            close()
        }
    }

    /// Whether the handshake failed because of who the peer is, and not because the line broke.
    private static func isForeign(_ error: any Error) -> Bool {
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let stack)), BoringSSLError.sslError(let stack):
            stack != [.eofDuringHandshake]
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate: true
        default: false
        }
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard reason == nil else { return }
        isReading = true
        var buffer = unwrapInboundIn(data)
        if arrived == nil { arrived = buffer } else { arrived?.writeBuffer(&buffer) }
        decode()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        pump()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if isHeldBack { owesRead = true } else { context.read() }
    }

    private var isHeldBack: Bool {
        waitsForPlace || side.map { isOpen && !$0.mayReceive(on: self) } ?? false
    }

    private func decode() {
        guard var buffer = arrived else { return }
        arrived = nil
        do {
            while reason == nil, !isHeldBack, let event = try decoder.next(&buffer) {
                try handle(event)
            }
        } catch {
            if case .version = error { return refuse(.version) }
            return refuse(.malformed)
        }
        if buffer.readableBytes > 0, side != nil { arrived = buffer }
    }

    private func handle(_ event: FrameDecoder.Event) throws(FrameError) {
        switch event {
        case .needsPlace(let header):
            switch side?.place(for: header, on: self) ?? .nowhere {
            case .here(let buffer): decoder.place(in: buffer)
            case .nowhere: decoder.discard()
            case .later: waitsForPlace = true
            }
        case .frame(let frame):
            guard isOpen else { return try meet(frame) }
            try side?.received(frame, on: self)
        }
    }

    /// The peer's first frame.
    private func meet(_ frame: Frame) throws(FrameError) {
        guard frame.header.type == .hello else { throw .unexpected(frame.header.type) }
        let peer: PeerIdentity
        do { peer = try PeerIdentity(helloHead: frame.head) } catch { throw .truncated }
        guard network.identity.mayMeet(peer) else { return refuse(.cluster) }
        helloTimer?.cancel()
        helloTimer = nil
        isOpen = true
        side?.opened(self)
    }

    /// Goes on with what was held back, if nothing holds it back any more.
    private func resume() {
        guard !isHeldBack else { return }
        decode()
        guard owesRead, !isHeldBack, let context else { return }
        owesRead = false
        context.read()
    }

    // MARK: Out

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        pump()
        context.fireChannelWritabilityChanged()
    }

    /// Writes while the socket takes it: then again when it takes more.
    private func pump() {
        guard !isPumping, !isReading, let context else { return }
        isPumping = true
        defer { isPumping = false }
        var written = 0
        while context.channel.isWritable {
            if isOpen { side?.refill(&writer) }
            guard let piece = writer.next(context.channel.allocator) else { break }
            written += piece.readableBytes
            context.write(wrapOutboundOut(piece), promise: nil)
            guard written >= Bounds.flushBytes else { continue }
            context.flush()
            written = 0
        }
        if written > 0 { context.flush() }
        resume()
    }
}
