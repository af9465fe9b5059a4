import Synchronization
import VortexCluster
import VortexCore

@testable import VortexGateway

/// A server on a port of its own before a handler that needs no node:
///
///     GET /bytes/N     N bytes, the offset's low byte each, every read handed to another thread
///     GET /broken/N    the same, failing half-way
///     PUT /sum         the body's length and the sum of its bytes, through buffers of 48 KiB
///     PUT /refused     403 without a look at the body
final class ServerFixture: Sendable {
    let server: HTTPServer
    let metrics = Metrics()
    let handler: ToyHandler
    var port: UInt16 { server.boundPort }

    init(
        log: AccessLog = AccessLog(.off), _ change: (inout HTTPServerOptions) -> Void = { _ in }
    ) throws {
        let loop = LoopThread()
        handler = ToyHandler(loop: loop)
        var options = HTTPServerOptions(address: .tcp(host: "127.0.0.1", port: 0), threads: 2)
        change(&options)
        server = try HTTPServer(
            options: options, handler: handler, metrics: metrics, log: log, background: loop)
        try server.start()
    }

    deinit { if server.requestsInFlight == 0 { server.stop() } }

    /// Ticks, with a request in between each time, until `isSo`, for at most ten seconds.
    func ticks(until isSo: () -> Bool) -> Bool {
        let end = SystemClock.monotonic() + 10_000_000_000
        while SystemClock.monotonic() < end {
            if isSo() { return true }
            server.tick()
            let client = RawClient(port: port)
            client.send("GET /tick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            _ = client.answer()
            _ = client.isEnded
        }
        return isSo()
    }
}

final class ToyHandler: RequestHandler {
    private struct Seen: Sendable {
        weak var exchange: Exchange?
    }
    private let seen = Mutex<[Seen]>([])
    private let loop: LoopThread

    init(loop: LoopThread) { self.loop = loop }

    /// Exchanges that have not been freed; those of `ticks` are not looked at.
    var alive: Int { seen.withLock { $0.count { $0.exchange != nil } } }
    var total: Int { seen.withLock { $0.count } }

    func handle(_ exchange: Exchange) async -> Response {
        if exchange.head.target == "/tick" { return Response(status: 204) }
        seen.withLock { $0.append(Seen(exchange: exchange)) }
        let parts = exchange.head.target.split(separator: "/").map(String.init)
        switch parts.first {
        case "bytes":
            let length = UInt64(parts[1]) ?? 0
            return Response(
                status: 200,
                content: .stream(length: length, Pattern(length: length, end: length, loop)))
        case "broken":
            let length = UInt64(parts[1]) ?? 0
            return Response(
                status: 200,
                content: .stream(length: length, Pattern(length: length, end: length / 2, loop)))
        case "sum": return await sum(exchange.body)
        case "refused": return Response(status: 403)
        default: return Response(status: 404)
        }
    }

    private func sum(_ body: any BodySource) async -> Response {
        var (count, sum) = (0, 0)
        do throws(ClusterError) {
            while true {
                let buffer = await BufferPool(limitBytes: 48 << 10).take(48 << 10)
                let hasEnded = try await body.fill(buffer)
                count += buffer.count
                sum += buffer.bytes.reduce(0) { $0 + Int($1) }
                await hop(loop)
                if hasEnded { break }
            }
        } catch { return Response(status: 400) }
        return Response(status: 200, content: .bytes(Array("\(count) \(sum)".utf8)))
    }
}

/// To another thread and back, as for an fsync.
private func hop(_ loop: LoopThread) async {
    await withCheckedContinuation { wake in
        Task(executorPreference: loop) { wake.resume() }
    }
}

private final class Pattern: ContentStream {
    private let length: UInt64
    private let end: UInt64
    private let loop: LoopThread

    init(length: UInt64, end: UInt64, _ loop: LoopThread) {
        (self.length, self.end, self.loop) = (length, end, loop)
    }

    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int {
        await hop(loop)
        guard offset < end else { throw .damaged }
        let count = min(buffer.count, Int(end - offset))
        for place in 0..<count { buffer[place] = UInt8(truncatingIfNeeded: Int(offset) + place) }
        return count
    }
}
