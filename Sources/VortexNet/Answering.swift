internal import NIOCore
internal import VortexCore

/// The listening end of a connection: each question is answered by a task of its own on the
/// connection's event loop, in any order, so many at a time.
final class Answering: ConnectionSide {
    private let network: NetworkCore
    private let loop: any EventLoop
    private let executor: LoopExecutor
    private let place: UInt64
    private var connection: Connection?
    private var isClosed = false
    /// The answers being made. Keyed by a number of our own: a peer may use a request id twice.
    private var running: [UInt64: Task<Void, Never>] = [:]
    private var lastRun: UInt64 = 0

    /// `place` is its place in the table of connections.
    init(_ network: NetworkCore, loop: any EventLoop, place: UInt64) {
        self.network = network
        self.loop = loop
        self.place = place
        executor = network.executor(of: loop)
    }

    func opened(_ connection: Connection) { self.connection = connection }

    func place(for header: FrameHeader, on connection: Connection) -> BulkPlace {
        let bytes = header.bulkBytes ?? 0
        guard bytes > 0 else { return .here(ChunkBuffer(capacity: 0)) }
        if let buffer = network.received.takeIfRoom(bytes) { return .here(buffer) }
        let waiting = NIOLoopBound(connection, eventLoop: loop)
        let pool = network.received
        _ = Task(executorPreference: executor) {
            let buffer = await pool.take(bytes)
            waiting.value.place(buffer)
        }
        return .later
    }

    func received(_ frame: Frame, on connection: Connection) throws(FrameError) {
        guard frame.header.type == .question else { throw .unexpected(frame.header.type) }
        guard let answers = network.service else { throw .unexpected(.question) }
        lastRun += 1
        let run = lastRun
        let request = frame.header.request
        let question = frame.message
        let own = NIOLoopBound(self, eventLoop: loop)
        running[run] = Task(executorPreference: executor) {
            let answer = await answers.answer(question)
            own.value.answered(run, request: request, answer)
        }
    }

    private func answered(_ run: UInt64, request: UInt64, _ answer: WireMessage) {
        running[run] = nil
        if let connection {
            connection.writer.add(answer, type: .answer, request: request)
            connection.schedulePump()
        }
        leaveWhenDone()
    }

    func refill(_ writer: inout FrameWriter) {}

    /// What is answered and not yet written counts: else a peer that never reads its answers would
    /// have them all kept here.
    func mayReceive(on connection: Connection) -> Bool {
        running.count + connection.writer.frameCount < Bounds.answersPerConnectionMax
    }

    func closed(_ connection: Connection, _ reason: CloseReason) {
        self.connection = nil
        isClosed = true
        leaveWhenDone()
    }

    private func leaveWhenDone() {
        if isClosed, running.isEmpty { network.leave(place) }
    }

    /// Cancels the answers being made, and hands them over to be waited for.
    func stop() -> [Task<Void, Never>] {
        connection?.close()
        for task in running.values { task.cancel() }
        return Array(running.values)
    }
}
