internal import DequeModule
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import VortexCore

/// The asking end of one lane to one address: its questions go over one connection that is made
/// when there is something to ask. Lives on one event loop.
///
///     idle --ask--> connecting --hello--> open
///      ^               | failed            | broke before it answered anything
///      |               v                   v
///      |<--ask after-- resting <-----------+
///      |   the rest                        | broke
///      +-----------------------------------+
///
/// While it rests, asks fail at once: a dead peer must not cost each of its askers a time-out.
final class PeerLink: ConnectionSide {
    private enum Status { case idle, connecting, open, resting }

    private struct Entry {
        var ask: Ask
        /// Handed to the connection's writer: delivered or not, nobody knows.
        var isSent = false
    }

    private let network: NetworkCore
    private let loop: any EventLoop
    private let address: String
    private var status = Status.idle
    private var isStopped = false
    private var connection: Connection?
    private var hasAnswered = false
    /// Something came from the peer, or the connection was made.
    private var heardAt = NIODeadline.distantPast
    private var attempts = 0
    private var restUntil = NIODeadline.distantPast
    private var restReason = TransportError.unreachable
    private var entries: [UInt64: Entry] = [:]
    /// Not sent yet, in order; some of them may be finished by now.
    private var queue = Deque<UInt64>()
    private var queuedBytes = 0
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture

    init(_ network: NetworkCore, loop: any EventLoop, address: String) {
        self.network = network
        self.loop = loop
        self.address = address
    }

    // MARK: Asking

    func send(_ ask: Ask) {
        guard !ask.isFinished else { return }
        guard !isStopped else { return ask.fail(.unreachable) }
        if status == .resting {
            guard NIODeadline.now() >= restUntil else { return ask.fail(restReason) }
            status = .idle
        }
        let unsentBytes = queuedBytes + (connection?.writer.unsentBytes ?? 0)
        guard entries.count < Bounds.questionsPerLinkMax,
            unsentBytes + ask.bytes <= Bounds.unsentBytesMax
        else { return ask.fail(.busy) }
        if queue.count >= 2 * Bounds.questionsPerLinkMax {
            queue.removeAll { entries[$0] == nil }
        }
        entries[ask.id] = Entry(ask: ask)
        queue.append(ask.id)
        queuedBytes += ask.bytes
        arm(ask.deadline)
        if status == .idle { connect() }
        connection?.schedulePump()
    }

    /// Nobody waits for this answer any more.
    func forget(_ id: UInt64) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        if !entry.isSent { queuedBytes -= entry.ask.bytes }
    }

    /// One timer for all questions, at the earliest deadline; it is not put off when that one is
    /// answered, for then each question would cost a timer of its own.
    private func arm(_ deadline: NIODeadline) {
        guard deadline < timerAt else { return }
        timer?.cancel()
        timerAt = deadline
        timer = loop.assumeIsolated().scheduleTask(deadline: deadline) { self.expire() }
    }

    private func expire() {
        timer = nil
        timerAt = .distantFuture
        let now = NIODeadline.now()
        var isSilent = false
        var next = NIODeadline.distantFuture
        for id in entries.keys.sorted() {
            guard let ask = entries[id]?.ask else { continue }
            if ask.deadline <= now {
                isSilent = true
                forget(id)
                ask.fail(.lost)
            } else {
                next = min(next, ask.deadline)
            }
        }
        if next != .distantFuture { arm(next) }
        // Not left to TCP_USER_TIMEOUT: where a route is a blackhole, Linux ends such a connection
        // with EINVAL, and a read that gives EINVAL ends a process that runs on SwiftNIO.
        if isSilent, status == .open, now - heardAt > Bounds.silenceMax { connection?.close() }
    }

    // MARK: Connecting

    private func connect() {
        guard let address = Address(address) else { return rest(.unreachable) }
        status = .connecting
        attempts += 1
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(Bounds.connectTimeout)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: Bounds.waterMark)
            .channelOption(.recvAllocator, value: Bounds.receiveAllocator)
        let connected: EventLoopFuture<any Channel>
        if let numeric = address.numeric {
            connected = bootstrap.connect(to: numeric)
        } else {
            connected = bootstrap.connect(host: address.host, port: address.port)
        }
        connected.hop(to: loop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.adopt(channel)
            case .failure: self.rest(.unreachable)
            }
        }
    }

    /// Handlers are added only now: of the several addresses that a name may have, all but one are
    /// dropped again.
    private func adopt(_ channel: any Channel) {
        guard !isStopped else {
            channel.close(promise: nil)
            return rest(.unreachable)
        }
        let connection = Connection(network, side: self)
        self.connection = connection
        hasAnswered = false
        do {
            let tls = try NIOSSLClientHandler(
                context: network.credentials.client, serverHostname: nil)
            try channel.pipeline.syncOperations.addHandlers([tls, connection])
        } catch {
            self.connection = nil
            channel.close(promise: nil)
            rest(.unreachable)
        }
    }

    func opened(_ connection: Connection) {
        status = .open
        heardAt = .now()
        connection.schedulePump()
    }

    /// Sent questions are lost; the others were never asked, and fail with `reason`.
    private func rest(_ reason: TransportError) {
        connection = nil
        if hasAnswered {
            status = .idle
            attempts = 0
        } else {
            status = .resting
            restReason = reason
            restUntil = .now() + backOff()
        }
        hasAnswered = false
        let failed = entries.keys.sorted().compactMap { entries[$0] }
        entries = [:]
        queue = []
        queuedBytes = 0
        for entry in failed { entry.ask.fail(entry.isSent ? .lost : reason) }
    }

    /// Doubles with each attempt, and is spread over its upper half: askers of a peer that comes
    /// back must not all come at once.
    private func backOff() -> TimeAmount {
        let doublings = min(max(0, attempts - 1), 16)
        let full = min(
            Bounds.backOffFirst.nanoseconds << Int64(doublings), Bounds.backOffMax.nanoseconds)
        let half = UInt64(full / 2)
        return .nanoseconds(full / 2 + Int64(network.entropy.next() % (half + 1)))
    }

    func closed(_ connection: Connection, _ reason: CloseReason) {
        let wasOpen = connection.isOpen
        switch reason {
        case .refused(.late), .broken: rest(.unreachable)
        case .refused: rest(wasOpen ? .unreachable : .refused)
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        guard let connection else { return rest(.unreachable) }
        connection.close()
    }

    // MARK: Frames

    func place(for header: FrameHeader, on connection: Connection) -> BulkPlace {
        guard entries[header.request] != nil else { return .nowhere }
        let bytes = header.bulkBytes ?? 0
        guard bytes > 0, let pooled = network.answers.takeIfRoom(bytes) else {
            return .here(ChunkBuffer(capacity: bytes))
        }
        return .here(pooled)
    }

    func received(_ frame: Frame, on connection: Connection) throws(FrameError) {
        guard frame.header.type == .answer else { throw .unexpected(frame.header.type) }
        hasAnswered = true
        heardAt = .now()
        attempts = 0
        // Forgotten since its header came, or never asked: nobody waits.
        guard let entry = entries.removeValue(forKey: frame.header.request) else { return }
        if !entry.isSent { queuedBytes -= entry.ask.bytes }
        entry.ask.finish(.success(frame.message))
    }

    func refill(_ writer: inout FrameWriter) {
        while writer.unsentBytes < FrameWriter.pieceBytes, let id = queue.popFirst() {
            guard let ask = entries[id]?.ask else { continue }
            entries[id]?.isSent = true
            queuedBytes -= ask.bytes
            writer.add(ask.question, type: .question, request: id)
        }
    }

    func mayReceive(on connection: Connection) -> Bool { true }
}
