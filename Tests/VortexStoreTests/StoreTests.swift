import Testing
import VortexCore
import VortexStore

@Suite struct StoreTests {
    @Test func `what is accepted is read back after a clean stop`() async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        let big = SeededEntropy(seed: 3).bytes(200_001)
        try await withStore(disk, index) { store in
            try await store.accept(SampleRow("a", change: 1, body: [1, 2, 3]))
            try await store.accept(SampleRow("b", change: 2, body: big))
            try await store.setNote("ceiling", [9])
        }
        try await withStore(disk.restart(), index) { store in
            let found1 = try store.row(SampleRow("a", change: 1).key)?.value.content
            #expect(found1 == Array("value 1".utf8))
            let found2 = try await store.body(SampleRow("a", change: 1, body: [1, 2, 3]))
            #expect(found2 == [1, 2, 3])
            let found3 = try await store.body(SampleRow("b", change: 2, body: [1]))
            #expect(found3 == big)
            let found4 = try store.note("ceiling")
            #expect(found4 == [9])
            #expect(store.usage.objects == 2)
            #expect(store.usage.bytes == 200_004)
            #expect(store.usage.tornTails == 0)
        }
    }

    /// Seed 35: the power went while recovery wrote the tail again, and the next recovery took the
    /// torn copy for the end.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func `every acknowledged write survives a power cut and half a write never shows`(
        seed: UInt64
    ) async throws {
        var disk = MemoryDisk()
        var index = MemoryIndex()
        var known: [String: UInt64] = [:]
        var change: UInt64 = 0
        let entropy = SeededEntropy(seed: seed)
        for round in 0..<6 as Range<UInt64> {
            let (before, first) = (known, change)
            let count = UInt64(entropy.below(30) + 1)
            // The power goes in the middle of recovery, too.
            for attempt in 0..<UInt64(entropy.below(3)) {
                disk.failOperation(UInt64(entropy.below(60) + 1))
                do {
                    _ = try await Store(
                        disk: disk, index: index,
                        options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20),
                        clock: StillClock(), entropy: SeededEntropy(seed: seed ^ attempt << 8))
                } catch {}
                disk = disk.crash(seed: seed &* 37 &+ round &* 7 &+ attempt)
                index = index.crash()
            }
            let store = try await Store(
                disk: disk, index: index,
                options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20),
                clock: StillClock(), entropy: SeededEntropy(seed: seed ^ round))
            for (name, change) in before.sorted(by: { $0.key < $1.key }) {
                let sample = SampleRow(name, change: change, body: bodyOf(change))
                let row = try #require(try store.row(sample.key), "lost \(name), round \(round)")
                let found = row.value.change.low
                #expect(found >= change)
                let body = try await store.body(SampleRow(name, change: found, body: [1]))
                #expect(body == bodyOf(found))
            }
            // The power goes in the middle of the writing: an operation fails, and all of it with
            // it.
            disk.failOperation(UInt64(entropy.below(40) + 1))
            known = await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await store.runWriter() } catch {}
                }
                var acknowledged = before
                for number in first + 1...first + count {
                    let name = "object \(number % 7)"
                    do {
                        try await store.accept(
                            SampleRow(name, change: number, body: bodyOf(number)))
                        acknowledged[name] = number
                    } catch { break }
                }
                store.stop()
                return acknowledged
            }
            change = first + count
            disk = disk.crash(seed: seed &* 31 &+ round)
            index = index.crash()
        }
    }

    private func bodyOf(_ change: UInt64) -> [UInt8] {
        SeededEntropy(seed: change).bytes(Int(change * 7_919 % 150_000) + 1)
    }

    @Test func `a lost index is made again from the journal`() async throws {
        let disk = MemoryDisk()
        try await withStore(disk, MemoryIndex()) { store in
            for change in 1...50 as ClosedRange<UInt64> {
                try await store.accept(
                    SampleRow("k\(change % 10)", change: change, body: [UInt8(change)]))
            }
            try await store.accept(SampleRow("gone", change: 60, isTombstone: true))
            try await store.purge(
                SampleRow("gone", change: 60).key, partition: 3,
                horizon: Ballot(clock: 60, node: NodeID(1), boot: 1))
        }
        try await withStore(disk.restart(), MemoryIndex()) { store in
            #expect(store.usage.objects == 10)
            for change in 41...50 as ClosedRange<UInt64> {
                let sample = SampleRow("k\(change % 10)", change: change, body: [1])
                let found5 = try store.row(sample.key)?.value.change.low
                #expect(found5 == change)
                let found6 = try await store.body(sample)
                #expect(found6 == [UInt8(change)])
            }
            let found7 = try store.row(SampleRow("gone", change: 60).key)
            #expect(found7 == nil)
            let found8 = try store.horizon(3).clock
            #expect(found8 == 60)
        }
    }

    @Test func `ranges are read across blocks, and every block touched is verified`() async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        let bytes = SeededEntropy(seed: 8).bytes(300_000)
        let owner = SampleRow("o", change: 1).key
        let id = ChunkID(blob: BlobID(high: 3, low: 4), index: 0)
        try await withStore(disk, index) { store in
            try await store.put(chunk(id.blob, 0, bytes, owner: owner))
            for (from, to) in [
                (0, 1), (65_535, 65_537), (65_536, 131_072), (1, 299_999), (299_999, 300_000),
                (0, 300_000), (70_000, 70_000),
            ] {
                let found9 = try await store.bytes(id, from..<to)
                #expect(found9 == Array(bytes[from..<to]))
            }
        }
        let name = try #require(try await disk.list().first { $0.hasPrefix("segment") })
        let contents = try #require(disk.contents(of: name))
        let place = try #require(find(Array(bytes[140_000..<140_032]), in: contents))
        let next = disk.restart()
        next.rot(name, at: UInt64(place))
        try await withStore(next, index) { store in
            let found10 = try await store.bytes(id, 0..<131_072)
            #expect(found10 == Array(bytes[0..<131_072]))
            do {
                _ = try await store.bytes(id, 131_072..<131_073)
                Issue.record("a rotten block was read")
            } catch StoreError.damaged {}
            #expect(store.usage.damagedRegions.count == 1)
        }
    }

    private func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        var at = 0
        while at + needle.count <= bytes.count {
            if bytes[at] == needle[0], bytes[at..<at + needle.count].elementsEqual(needle) {
                return at
            }
            at += 1
        }
        return nil
    }
}
