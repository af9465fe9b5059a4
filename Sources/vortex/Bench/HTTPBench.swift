internal import ArgumentParser
internal import Glibc
internal import VortexGateway

/// Load for a server on this machine: `vortex bench http`. Every connection is a thread with a
/// blocking socket and one request at a time, so that what is measured is the server. The exit
/// status is 1 when a request failed; the figures are printed all the same.
struct HTTPBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Send GETs, PUTs or listings, and print what they took.")

    enum Operation: String, ExpressibleByArgument, CaseIterable { case get, put, list }

    private static let bodyBytesMax = 1 << 30
    private static let connectionsMax = 4_096

    @Option(help: "http://127.0.0.1:PORT; only addresses of this machine.")
    var url: String?

    @Option(help: "The server's Unix socket, in place of --url.")
    var unix: String?

    @Option(help: "get, put or list.")
    var op = Operation.get

    @Option(help: "Bytes of each PUT's body.")
    var size = 4_096

    @Option(help: "Connections, each with one request at a time.")
    var connections = 1

    @Option(help: "Send for this long. Without --seconds and --requests, list goes through once.")
    var seconds: Double?

    @Option(help: "Send this many requests, shared among the connections.")
    var requests: UInt64?

    @Option(help: "Keys are numbered from 0 to below this.")
    var keySpace: UInt64 = 1_000

    @Option(help: "The target; %d is the key's number. list takes its first three segments.")
    var path = "/v1/objects/bench/key-%d"

    @Option(help: "A bearer token.")
    var token: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        _ = try endpoint()
        guard (0...Self.bodyBytesMax).contains(size) else {
            throw ValidationError("--size must be at most \(Self.bodyBytesMax).")
        }
        guard (1...Self.connectionsMax).contains(connections) else {
            throw ValidationError("--connections must be 1 to \(Self.connectionsMax).")
        }
        guard seconds == nil || requests == nil else {
            throw ValidationError("--seconds and --requests exclude each other.")
        }
        guard seconds != nil || requests != nil || op == .list else {
            throw ValidationError("--seconds or --requests is needed.")
        }
        guard seconds.map({ $0 > 0 && $0 <= 86_400 }) ?? true else {
            throw ValidationError("--seconds must be above 0 and at most a day.")
        }
        guard (1...1 << 40).contains(keySpace), (requests ?? 1) <= 1 << 40 else {
            throw ValidationError("--key-space and --requests must be at most \(1 << 40).")
        }
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count <= 2_048,
            path.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw ValidationError("--path must begin with / and be percent-encoded.") }
        guard token.map({ $0.utf8.allSatisfy { (0x21...0x7e).contains($0) } }) ?? true else {
            throw ValidationError("--token must be visible ASCII.")
        }
    }

    private func endpoint() throws -> Endpoint {
        switch (url, unix) {
        case (let url?, nil):
            guard let endpoint = Endpoint(url: url) else {
                throw ValidationError("--url must be http:// and an address of this machine.")
            }
            return endpoint
        case (nil, let path?):
            guard !path.isEmpty, path.utf8.count < Endpoint.unixPathBytesMax else {
                throw ValidationError("--unix must be shorter than \(Endpoint.unixPathBytesMax).")
            }
            return .unix(path: path)
        default: throw ValidationError("One of --url and --unix is needed.")
        }
    }

    func run() throws {
        // A server that closes the connection fails one request, not the process.
        signal(SIGPIPE, SIG_IGN)
        let plan = try plan()
        let (result, seconds) = LoadWorker.run(plan)
        if let failure = result.firstFailure {
            let line = Array("\(result.errors) failed; one with \(failure)\n".utf8)
            guard write(STDERR_FILENO, line, line.count) == line.count else {
                throw ExitCode.failure
            }
        }
        let requests = result.latencies.count
        var figures = Figures()
        figures.add("requests", requests)
        figures.add("errors", result.errors)
        figures.add("seconds", seconds)
        figures.add("requests_per_second", Double(requests) / seconds)
        figures.add("megabytes_per_second", Double(result.bodyBytes) / 1e6 / seconds)
        figures.add("keys_per_second", Double(result.keys) / seconds)
        figures.add("p50_us", result.latencies.microseconds(at: 0.5))
        figures.add("p90_us", result.latencies.microseconds(at: 0.9))
        figures.add("p99_us", result.latencies.microseconds(at: 0.99))
        figures.add("max_us", Double(result.latencies.maxNanoseconds) / 1_000)
        print(json ? figures.json : figures.text)
        if result.errors > 0 { throw ExitCode.failure }
    }

    private func plan() throws -> LoadPlan {
        let (before, after) = target()
        let method = op == .put ? "PUT " : "GET "
        var head = " HTTP/1.1\r\nHost: localhost\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if op == .put { head += "Content-Length: \(size)\r\n" }
        let operation: LoadPlan.Operation =
            switch op {
            case .get: .get
            case .put: .put
            case .list: .list
            }
        return LoadPlan(
            operation: operation, endpoint: try endpoint(), connections: connections,
            beforeNumber: Array((method + before).utf8), afterNumber: after.map { Array($0.utf8) },
            keySpace: keySpace, headEnd: Array((head + "\r\n").utf8),
            body: randomBytes(op == .put ? size : 0),
            deadlineNanoseconds: seconds.map { SystemClock.monotonic() + UInt64($0 * 1e9) },
            requests: requests)
    }

    /// What stands before the key's number, and after it.
    private func target() -> (String, String?) {
        if op == .list {
            let bucket = path.split(separator: "/").prefix(3).joined(separator: "/")
            return ("/\(bucket)?limit=1000", nil)
        }
        let bytes = Array(path.utf8)
        let number = Array("%d".utf8)
        guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: number) }) else {
            return (path, nil)
        }
        return (
            String(decoding: bytes[..<start], as: UTF8.self),
            String(decoding: bytes[(start + 2)...], as: UTF8.self)
        )
    }
}
