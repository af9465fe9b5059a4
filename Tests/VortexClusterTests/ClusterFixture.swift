import Synchronization
import VortexCore
import VortexCluster
import VortexStore

/// Time that goes on by one millisecond a look, and further where a test moves it.
final class TestClock: Clock {
    private let now = Mutex<UInt64>(1_800_000_000_000)
    var wallMilliseconds: UInt64 {
        now.withLock {
            $0 += 1
            return $0
        }
    }
    var monotonicNanoseconds: UInt64 { wallMilliseconds * 1_000_000 }
    func sleep(milliseconds: UInt64) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        move(milliseconds: milliseconds)
        await Task.yield()
    }
    func move(milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
}

/// SplitMix64 (Steele et al., 2014).
final class SeededEntropy: Entropy {
    private let state: Mutex<UInt64>
    init(seed: UInt64) { state = Mutex(seed) }
    func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }
    func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            var word = next()
            for _ in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

/// A request's body from memory. `pieces` bytes come at a time, as from a socket.
final class TestBody: BodySource {
    enum Ending: Sendable { case whole, wrongDigest, breaksOff(ClusterError) }
    let expectedBytes: UInt64?
    private let bytes: [UInt8]
    private let ending: Ending
    private let position = Mutex(0)
    private let beforeFill: @Sendable (Int) async -> Void

    init(
        _ bytes: [UInt8], hasLength: Bool = true, promising: UInt64? = nil, ending: Ending = .whole,
        beforeFill: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.bytes = bytes
        self.ending = ending
        self.beforeFill = beforeFill
        expectedBytes = hasLength ? promising ?? UInt64(bytes.count) : nil
    }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        await beforeFill(position.withLock { $0 })
        let hasEnded = position.withLock { position in
            let taken = bytes[position...].withUnsafeBytes { buffer.append($0) }
            position += taken
            return position == bytes.count && (taken < 1 || !buffer.isFull || expectedBytes != nil)
        }
        if hasEnded, case .breaksOff(let error) = ending { throw error }
        return hasEnded
    }

    func verify() throws(ClusterError) {
        if case .wrongDigest = ending { throw .digestMismatch }
    }
}

struct Listed: ListSink {
    var keys: [String] = []
    var prefixes: [String] = []
    var all: [String] = []
    var sizes: [UInt64] = []
    mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary) {
        keys.append(String(decoding: key, as: UTF8.self))
        all.append(keys[keys.count - 1])
        sizes.append(summary.size)
    }
    mutating func prefix(_ prefix: UnsafeRawBufferPointer) {
        prefixes.append(String(decoding: prefix, as: UTF8.self))
        all.append(prefixes[prefixes.count - 1])
    }
}

/// A node over a disk and an index in memory. `crashing`: the power goes when `body` is done.
struct Site: Sendable {
    var node: ClusterNode
    var store: Store
    var clock: TestClock
    var entropy: SeededEntropy
}

func withNode<Value: Sendable>(
    _ disk: any Disk = MemoryDisk(), index: any Index = MemoryIndex(),
    clock: TestClock = TestClock(),
    seed: UInt64 = 1, options: ClusterOptions = ClusterOptions(),
    _ body: @Sendable (Site) async throws -> Value
) async throws -> Value {
    let entropy = SeededEntropy(seed: seed)
    let store = try await Store(
        disk: disk, index: index,
        options: StoreOptions(reserveBytes: 0, segmentBytes: 16 << 20), clock: clock,
        entropy: entropy)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await store.runWriter() }
        let value: Value
        do {
            let node = try await ClusterNode.open(
                store: store, clock: clock, entropy: entropy, options: options)
            value = try await body(
                Site(node: node, store: store, clock: clock, entropy: entropy))
        } catch {
            store.stop()
            do { try await group.waitForAll() } catch { throw error }
            throw error
        }
        store.stop()
        try await group.waitForAll()
        return value
    }
}

extension Site {
    static let bucket = "bucket"

    func makeBucket() async throws { _ = try await node.createBucket(Self.bucket) }

    @discardableResult
    func put(
        _ key: String, _ bytes: [UInt8], condition: WriteCondition = .none,
        idempotency: IdempotencyKey? = nil, attributes: ObjectAttributes = ObjectAttributes()
    ) async throws(ClusterError) -> PutResult {
        try await node.put(
            bucket: Self.bucket, key: Array(key.utf8), attributes: attributes,
            condition: condition, idempotency: idempotency, body: TestBody(bytes))
    }

    @discardableResult
    func put(_ key: String, body: TestBody) async throws(ClusterError) -> PutResult {
        try await node.put(
            bucket: Self.bucket, key: Array(key.utf8), attributes: ObjectAttributes(),
            condition: .none, idempotency: nil, body: body)
    }

    @discardableResult
    func delete(
        _ key: String, condition: WriteCondition = .none, idempotency: IdempotencyKey? = nil
    ) async throws(ClusterError) -> DeleteResult {
        try await node.delete(
            bucket: Self.bucket, key: Array(key.utf8), condition: condition,
            idempotency: idempotency)
    }

    func head(_ key: String) async throws(ClusterError) -> ObjectVersion {
        try await node.head(bucket: Self.bucket, key: Array(key.utf8))
    }

    /// The whole object, or nil where there is none.
    func get(_ key: String) async throws -> [UInt8]? {
        let version: ObjectVersion
        do throws(ClusterError) { version = try await head(key) } catch {
            guard error == .noSuchObject else { throw error }
            return nil
        }
        return try await bytes(of: version, key, 0..<Int(version.size))
    }

    func bytes(
        of version: ObjectVersion, _ key: String, _ range: Range<Int>
    ) async throws -> [UInt8] {
        let reader = try await node.reader(
            for: version, bucket: Self.bucket, key: Array(key.utf8))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, range.count), alignment: 64)
        defer { buffer.deallocate() }
        let count = try await reader.read(
            at: UInt64(range.lowerBound),
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count]))
        return Array(buffer[..<count])
    }

    func list(
        prefix: String = "", delimiter: String = "", after: [UInt8] = [], limit: Int = 1_000
    ) async throws(ClusterError) -> (page: Listed, next: [UInt8]?) {
        var page = Listed()
        let next = try await node.list(
            bucket: Self.bucket, prefix: Array(prefix.utf8), delimiter: Array(delimiter.utf8),
            after: after, limit: limit, into: &page)
        return (page, next)
    }
}

/// The error that `body` throws, or nil.
func failure(
    _ body: () async throws(ClusterError) -> Void
) async -> ClusterError? {
    do throws(ClusterError) { try await body() } catch { return error }
    return nil
}
