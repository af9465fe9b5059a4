internal import Synchronization
internal import VortexCore
internal import VortexStore

/// The generations of buckets' settings that have been pushed to this owner. A put made by an older
/// one is refused: that is what keeps it out of a bucket that is being deleted. Durable as notes;
/// buckets whose settings never changed have none.
final class BucketGenerations: Sendable {
    private let store: Store
    private let known = Mutex<[BucketID: UInt64]>([:])
    /// Beyond, the table is forgotten and read again from the notes.
    private static let knownMax = 4_096

    init(store: Store) { self.store = store }

    private static func note(_ bucket: BucketID) -> String { "generation/" + bucket.description }

    /// nil: the bucket's first generation.
    func current(of bucket: BucketID) throws(StoreError) -> UInt64? {
        if let generation = known.withLock({ $0[bucket] }) {
            return generation == 0 ? nil : generation
        }
        var generation: UInt64 = 0
        if let note = try store.note(Self.note(bucket)) {
            do throws(CodingError) {
                generation = try ByteReader.decode(note) { (reader) throws(CodingError) in
                    try reader.readNumber()
                }
            } catch { throw .coding(error) }
        }
        remember(bucket, generation)
        return generation == 0 ? nil : generation
    }

    /// From when this returns, no put of an older generation is accepted.
    func push(_ bucket: BucketID, generation: UInt64) async throws(StoreError) {
        if let known = try current(of: bucket), known >= generation { return }
        var writer = ByteWriter()
        writer.write(number: generation)
        try await store.setNote(Self.note(bucket), writer.bytes)
        remember(bucket, generation)
    }

    struct Entry: Sendable {
        var bucket: BucketID
        var generation: UInt64
    }

    /// All that are noted: what a new owner must know before it accepts a put.
    func all() throws(StoreError) -> [Entry] {
        var entries: [Entry] = []
        for (name, value) in try store.notes(prefix: "generation/") {
            guard let bucket = BucketID(name.dropFirst("generation/".count)) else { continue }
            do throws(CodingError) {
                let generation = try ByteReader.decode(value) { (reader) throws(CodingError) in
                    try reader.readNumber()
                }
                entries.append(Entry(bucket: bucket, generation: generation))
            } catch { throw .coding(error) }
        }
        return entries
    }

    static func encode(_ entries: [Entry]) -> [UInt8] {
        var writer = ByteWriter(reserving: 8 + 20 * entries.count)
        writer.write(number: UInt64(entries.count))
        for entry in entries {
            writer.write(entry.bucket)
            writer.write(number: entry.generation)
        }
        return writer.bytes
    }

    static func decode(_ reader: inout ByteReader) throws(CodingError) -> [Entry] {
        var entries: [Entry] = []
        for _ in 0..<(try reader.readCount(max: 1 << 18)) {
            entries.append(
                Entry(bucket: try reader.readID(), generation: try reader.readNumber()))
        }
        return entries
    }

    private func remember(_ bucket: BucketID, _ generation: UInt64) {
        known.withLock { known in
            if known.count >= Self.knownMax { known.removeAll() }
            known[bucket] = max(known[bucket] ?? 0, generation)
        }
    }
}
