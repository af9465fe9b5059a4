import Testing
import VortexCore
import VortexStore

@Suite struct CompactionTests {
    private func body(_ change: UInt64) -> [UInt8] {
        SeededEntropy(seed: change).bytes(150_000 + Int(change % 7) * 20_000)
    }

    private func sample(_ name: String, _ change: UInt64, replacing old: UInt64?) -> SampleRow {
        SampleRow(
            name, change: change, body: body(change),
            unnamed: old.map { [BlobID(high: 7, low: $0)] } ?? [])
    }

    private func collectAll(_ store: Store) async throws {
        while true {
            let candidates = try store.unnamed(before: .max, limit: 100)
            if candidates.isEmpty { return }
            for candidate in candidates {
                try await store.collect(candidate, milliseconds: 1_800_000_000_000)
            }
        }
    }

    /// Ten objects, each written `rounds` times.
    private func fill(_ store: Store, rounds: UInt64) async throws {
        for round in 0..<rounds {
            for number in 0..<10 as Range<UInt64> {
                let change = round * 10 + number + 1
                try await store.accept(
                    sample(
                        "object \(number)", change,
                        replacing: round == 0 ? nil : change - 10))
            }
        }
    }

    private func verify(_ store: Store, rounds: UInt64) async throws {
        #expect(store.usage.objects == 10)
        for number in 0..<10 as Range<UInt64> {
            let change = (rounds - 1) * 10 + number + 1
            let last = SampleRow("object \(number)", change: change, body: [1])
            let row = try store.row(last.key)
            #expect(row?.value.change.low == change)
            let found = try await store.body(last)
            #expect(found == body(change))
            if change > 10 {
                let gone = try await store.bytes(
                    ChunkID(blob: BlobID(high: 7, low: change - 10), index: 0))
                #expect(gone == nil)
            }
        }
    }

    @Test func `segments come back, and what lives stays, also without the index`() async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        try await withStore(disk, index) { store in
            try await fill(store, rounds: 12)
            let before = store.usage.segments
            #expect(before >= 3)
            try await collectAll(store)
            while try await store.compactOne() {}
            #expect(store.usage.segments <= 3)
            #expect(store.usage.compactedSegments >= UInt64(before - 2))
            try await verify(store, rounds: 12)
        }
        let next = disk.restart()
        try await withStore(next, index) { store in try await verify(store, rounds: 12) }
        try await withStore(next.restart(), MemoryIndex()) { store in
            try await verify(store, rounds: 12)
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `a power cut anywhere in compaction loses nothing and revives nothing`(
        seed: UInt64
    ) async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        try await withStore(disk, index) { store in
            try await fill(store, rounds: 12)
            try await collectAll(store)
        }
        let entropy = SeededEntropy(seed: seed)
        let second = disk.restart()
        let store = try await Store(
            disk: second, index: index,
            options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20), clock: StillClock(),
            entropy: SeededEntropy(seed: seed))
        second.failOperation(UInt64(entropy.below(60) + 1))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { do { try await store.runWriter() } catch { store.stop() } }
            do { while try await store.compactOne() {} } catch { store.stop() }
            store.stop()
        }
        let third = second.crash(seed: seed)
        try await withStore(third, index.crash()) { store in
            try await verify(store, rounds: 12)
            while try await store.compactOne() {}
            try await verify(store, rounds: 12)
        }
    }

    @Test func `a full disk refuses bodies, takes deletes, and has room again after them`()
        async throws
    {
        let disk = MemoryDisk(capacityBytes: 40 << 20)
        try await withStore(disk, MemoryIndex()) { store in
            var stored: [UInt64] = []
            var refused = false
            for change in 1...1_000 as ClosedRange<UInt64> where !refused {
                do {
                    try await store.accept(sample("object \(change)", change, replacing: nil))
                    stored.append(change)
                } catch StoreError.full { refused = true }
            }
            #expect(refused)
            #expect(store.roomBytes == 0)
            for change in stored {
                try await store.accept(
                    SampleRow(
                        "object \(change)", change: 10_000 + change,
                        unnamed: [BlobID(high: 7, low: change)], isTombstone: true))
            }
            try await collectAll(store)
            while try await store.compactOne() {}
            #expect(store.roomBytes > 0)
            try await store.accept(sample("again", 20_000, replacing: nil))
        }
    }
}
