import Synchronization
import VortexCore
import VortexStore

/// Time that stands still unless a test moves it.
final class StillClock: Clock {
    private let now = Mutex<UInt64>(1_800_000_000_000)
    var wallMilliseconds: UInt64 { now.withLock { $0 } }
    var monotonicNanoseconds: UInt64 { wallMilliseconds * 1_000_000 }
    func sleep(milliseconds: UInt64) async throws(CancellationError) { throw CancellationError() }
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
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

let bucket = BucketID(high: 1, low: 2)

/// A row of object `name` whose value is `text`, with a body that lives with it or none.
struct SampleRow {
    var key: RowKey
    var row: StoredRow
    var bodies: [ChunkWrite]
    var effects: RowEffects

    init(
        _ name: String, change: UInt64, body: [UInt8] = [], unnamed: [BlobID] = [],
        isTombstone: Bool = false
    ) {
        key = RowKey(bucket: bucket, key: Array(name.utf8))
        let blob = BlobID(high: 7, low: change)
        let value = RegisterValue(
            change: ChangeID(high: 9, low: change), base: .none, over: [],
            isTombstone: isTombstone, bodies: body.isEmpty ? [] : [blob],
            content: Array("value \(change)".utf8))
        row = StoredRow(
            partition: UInt16(key.ringHash >> 52), since: Epoch(number: 1),
            accepted: Ballot(clock: change, node: NodeID(1), boot: 1), value: value)
        effects = RowEffects(
            milliseconds: 1_000 + change, unnamed: unnamed, objects: isTombstone ? 0 : 1,
            bytes: UInt64(body.count))
        bodies = body.isEmpty ? [] : [chunk(blob, 0, body, owner: key)]
    }
}

func chunk(_ blob: BlobID, _ index: UInt32, _ body: [UInt8], owner: RowKey) -> ChunkWrite {
    let id = ChunkID(blob: blob, index: index)
    return ChunkWrite(
        id: id, owner: owner, receivedMilliseconds: 5,
        checksums: body.withUnsafeBytes { CRC32C.blocks(of: $0, chunk: id) },
        buffer: ChunkBuffer(copying: body))
}

extension Store {
    func accept(_ sample: SampleRow) async throws(StoreError) {
        try await accept(
            sample.key, row: sample.row, bodies: sample.bodies, effects: sample.effects)
    }

    func body(_ sample: SampleRow) async throws(StoreError) -> [UInt8]? {
        try await bytes(ChunkID(blob: sample.row.value.bodies[0], index: 0))
    }

    func bytes(_ id: ChunkID, _ range: Range<Int>? = nil) async throws(StoreError) -> [UInt8]? {
        guard let chunk = try chunk(id) else { return nil }
        let range = range ?? 0..<chunk.length
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, range.count), alignment: 64)
        defer { buffer.deallocate() }
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
        try await read(chunk, range: range, into: target)
        return Array(target)
    }
}

/// Opens a store, lets `body` use it, and stops it cleanly, or leaves it as a crash would.
func withStore<Value: Sendable>(
    _ disk: any Disk, _ index: any Index, crashing: Bool = false, clock: StillClock = StillClock(),
    seed: UInt64 = 1, reserveBytes: UInt64 = 0,
    _ body: @Sendable (Store) async throws -> Value
) async throws -> Value {
    let store = try await Store(
        disk: disk, index: index,
        options: StoreOptions(reserveBytes: reserveBytes, segmentBytes: 8 << 20), clock: clock,
        entropy: SeededEntropy(seed: seed))
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await store.runWriter() }
        let value: Value
        do { value = try await body(store) } catch {
            store.stop()
            try await group.waitForAll()
            throw error
        }
        store.stop()
        try await group.waitForAll()
        return value
    }
}
