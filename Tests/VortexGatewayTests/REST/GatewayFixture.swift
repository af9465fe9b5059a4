import Synchronization
import VortexCluster
import VortexCore
import VortexStore

@testable import VortexGateway

/// A node on a disk in memory behind its gateway, without sockets.
struct GatewayFixture {
    let handler: Gateway
    let clock: StillClock
    let keys: KeyRing
    let authenticator: Authenticator
    let node: ClusterNode

    static func run(
        token: String? = nil, isOpen: Bool = true, domain: String? = nil,
        _ body: @Sendable (GatewayFixture) async throws -> Void
    ) async throws {
        let clock = StillClock()
        let entropy = SeededEntropy(seed: 11)
        let store = try await Store(
            disk: MemoryDisk(), index: MemoryIndex(),
            options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20), clock: clock,
            entropy: entropy)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.runWriter() }
            do {
                let node = try await ClusterNode.open(
                    store: store, clock: clock, entropy: entropy,
                    options: ClusterOptions(makeSHA256: { SHA256Digest() }))
                let keys = KeyRing(
                    node: node, clusterSecret: Array("a secret of sixteen".utf8), clock: clock)
                let authenticator = Authenticator(
                    keys: keys, token: token.map { Array($0.utf8) },
                    isOpen: isOpen && token == nil, clock: clock)
                let handler = Gateway(
                    node: node, metrics: Metrics(), clock: clock, entropy: entropy,
                    authenticator: authenticator, keys: keys, domain: domain, digestThreads: 1)
                try await body(
                    GatewayFixture(
                        handler: handler, clock: clock, keys: keys, authenticator: authenticator,
                        node: node))
            } catch {
                store.stop()
                try await group.waitForAll()
                throw error
            }
            store.stop()
            try await group.waitForAll()
        }
    }

    func send(
        _ method: String, _ target: String, _ headers: [(String, String)] = [],
        body: String? = nil, forwarded: String? = nil
    ) async throws -> Reply {
        try await send(
            method, target, headers, bytes: body.map { Array($0.utf8) }, forwarded: forwarded)
    }

    func send(
        _ method: String, _ target: String, _ headers: [(String, String)] = [], bytes: [UInt8]?,
        forwarded: String? = nil
    ) async throws -> Reply {
        var fields = headers.map { (name: $0.0, value: $0.1) }
        if let bytes, !headers.contains(where: { $0.0.lowercased() == "transfer-encoding" }) {
            fields.append((name: "Content-Length", value: String(bytes.count)))
        }
        let head = RequestHead(
            method: method, target: target, headers: HeaderFields(fields), requestID: "r1")
        let response = await handler.respond(
            to: head, body: BytesBody(bytes ?? []),
            from: Authenticator.Origin(address: "192.0.2.1", forwardedHost: forwarded))
        return try await Reply(response)
    }
}

struct Reply {
    var status: Int
    var headers: [(String, String)]
    var body: [UInt8] = []
    var contentLength: UInt64?

    var text: String { String(decoding: body, as: UTF8.self) }
    subscript(name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }
    /// The slug of a problem.
    var problem: String? {
        guard self["Content-Type"] == "application/problem+json" else { return nil }
        return ProblemType.allCases.first { text.contains("\"\($0.uri)\"") }?.rawValue
    }

    init(_ response: Response) async throws {
        status = response.status
        headers = response.headers
        switch response.content {
        case .empty(let length): contentLength = length
        case .bytes(let bytes):
            body = bytes
            contentLength = UInt64(bytes.count)
        case .stream(let length, let stream):
            contentLength = length
            // An odd size, so that reads cross the places where pieces meet.
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 7_001, alignment: 16)
            defer { memory.deallocate() }
            while UInt64(body.count) < length {
                let count = try await stream.read(at: UInt64(body.count), into: memory)
                guard count > 0 else { break }
                body += memory[..<count]
            }
        }
    }
}

/// A body that is all there.
final class BytesBody: BodySource {
    private let bytes: [UInt8]
    private let position = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var expectedBytes: UInt64? { UInt64(bytes.count) }
    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        position.withLock { position in
            bytes[position...].withUnsafeBytes { position += buffer.append($0) }
            return position == bytes.count
        }
    }
    func verify() throws(ClusterError) {}
}

/// Time that stands still unless a test moves it.
final class StillClock: Clock {
    private let now = Mutex<UInt64>(1_800_000_000_000)
    var wallMilliseconds: UInt64 { now.withLock { $0 } }
    var monotonicNanoseconds: UInt64 { wallMilliseconds * 1_000_000 }
    func sleep(milliseconds: UInt64) async throws(CancellationError) { throw CancellationError() }
    func move(milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
}

final class SeededEntropy: Entropy {
    private let generator: Mutex<SeededGenerator>
    init(seed: UInt64) { generator = Mutex(SeededGenerator(seed: seed)) }
    func next() -> UInt64 { generator.withLock { $0.next() } }
}
