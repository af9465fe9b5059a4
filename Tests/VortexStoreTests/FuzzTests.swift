import Foundation
import Testing
import VortexCore

@testable import VortexStore

/// Seeded damage: of single records, whose decoder must throw and never trap, and of whole
/// journals, which must open, or say why not, and give nothing that was not put in. Two seconds
/// each; `VORTEX_FUZZ_SECONDS=60` for a long run.
struct FuzzTests {
    private static let seconds =
        ProcessInfo.processInfo.environment["VORTEX_FUZZ_SECONDS"].flatMap(Double.init) ?? 2

    /// Seeds 0, 1, 2, ... until the time is over, at least one.
    private struct Seeds: Sequence, IteratorProtocol {
        private let end = Date(timeIntervalSinceNow: FuzzTests.seconds)
        private var seed: UInt64 = 0
        mutating func next() -> UInt64? {
            guard seed == 0 || Date() < end else { return nil }
            defer { seed += 1 }
            return seed
        }
    }

    private func record(_ entropy: SeededEntropy) -> Record {
        let change = entropy.next() % 1_000_000
        let sample = SampleRow(
            "k\(change)", change: change, body: [1],
            unnamed: (0..<entropy.below(3)).map { BlobID(high: 1, low: UInt64($0)) })
        switch entropy.below(5) {
        case 0: return .row(sample.key, sample.row, sample.effects)
        case 1:
            return .purge(
                sample.key, partition: 7, horizon: sample.row.accepted, origin: UInt32(change))
        case 2: return .note("n\(change)", entropy.bytes(entropy.below(50)))
        case 3:
            return .chunk(
                ChunkID(blob: BlobID(high: 1, low: change), index: 3), owner: sample.key,
                receivedMilliseconds: change, checksums: [1, 2, 3])
        default:
            return .delete(
                BlobID(high: 1, low: change), milliseconds: change, unnamedSince: nil, origin: 4)
        }
    }

    private func decode(_ bytes: [UInt8]) throws(CodingError) -> Record {
        try ByteReader.decode(bytes) { (reader) throws(CodingError) in
            try Record.decode(&reader)
        }
    }

    private func encode(_ record: Record) -> [UInt8] {
        var writer = ByteWriter()
        record.encode(into: &writer)
        return writer.bytes
    }

    @Test func `hostile records throw and never trap, and what decodes encodes again`() throws {
        var (decoded, refused) = (0, 0)
        for seed in Seeds() {
            let entropy = SeededEntropy(seed: seed)
            for _ in 0..<200 {
                var bytes = encode(record(entropy))
                for _ in 0...entropy.below(3) where !bytes.isEmpty {
                    let place = entropy.below(bytes.count)
                    switch entropy.below(3) {
                    case 0: bytes[place] = UInt8(entropy.below(256))
                    case 1: bytes.removeSubrange(place...)
                    default: bytes.insert(UInt8(entropy.below(256)), at: place)
                    }
                }
                do {
                    let again = encode(try decode(bytes))
                    let same = encode(try decode(again))
                    #expect(same == again)
                    decoded += 1
                } catch { refused += 1 }
            }
        }
        #expect(decoded > 10 && refused > 10)
    }

    @Test func `a damaged journal opens or says why not, and gives only what was put in`()
        async throws
    {
        var (opened, missing) = (0, 0)
        for seed in Seeds() {
            let entropy = SeededEntropy(seed: seed)
            let disk = MemoryDisk()
            let samples = (1...30 as ClosedRange<UInt64>).map { change in
                SampleRow(
                    "k\(change)", change: change,
                    body: SeededEntropy(seed: change).bytes(Int(change) * 97))
            }
            try await withStore(disk, MemoryIndex(), seed: seed) { store in
                for sample in samples { try await store.accept(sample) }
            }
            let damaged = disk.restart()
            let segment = try #require(
                try await damaged.list().first { SegmentHeader.number(in: $0) != nil })
            for _ in 0..<entropy.below(12) + 4 {
                // The header, or what is behind it: 30 batches of 4 or 8 KiB.
                let offset = UInt64(entropy.below(entropy.below(8) == 0 ? 8_192 : 160_000))
                damaged.rot(segment, at: offset, bit: UInt8(entropy.below(8)))
            }
            do {
                missing += try await withStore(damaged, MemoryIndex(), seed: seed) { store in
                    try await self.check(samples, in: store)
                }
                opened += 1
            } catch let error as StoreError {
                guard case .refused = error else { throw error }
            }
        }
        #expect(opened > 0 && missing > 0)
    }

    /// How many are not there any more; those that are must be whole.
    private func check(_ samples: [SampleRow], in store: Store) async throws -> Int {
        var missing = 0
        for sample in samples {
            let row = try store.row(sample.key)
            guard let row else {
                missing += 1
                continue
            }
            #expect(row == sample.row)
            do throws(StoreError) {
                let body = try await store.body(sample)
                let expected = Array(sample.bodies[0].buffer.bytes)
                if let body { #expect(body == expected) } else { missing += 1 }
            } catch {
                guard case .damaged = error else { throw error }
                missing += 1
            }
        }
        return missing
    }
}
