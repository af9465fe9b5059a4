import Testing
import VortexCore
import VortexStore

struct HiddenDamageTests {
    private static let segment = "segment-00000001"

    /// A disk whose journal lost a row in the middle, and an index that has none of it.
    private static func damaged() async throws -> MemoryDisk {
        var disk = MemoryDisk()
        try await withStore(disk, MemoryIndex()) { store in
            for change in 1...5 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
        }
        disk = disk.restart()
        // A batch a block, behind the segment's header.
        disk.rot(segment, at: 8_192 + 2 * 4_096 + 20)
        return disk
    }

    @Test func `damage that hides rows is told at every later start, however far the index is`()
        async throws
    {
        var disk = try await Self.damaged()
        let index = MemoryIndex()
        for _ in 0..<3 {
            let hiding = try await withStore(disk, index) { store in
                let last = try store.row(SampleRow("row5", change: 5).key)
                let lost = try store.row(SampleRow("row3", change: 3).key)
                #expect(last != nil && lost == nil)
                return store.hiding
            }
            #expect(hiding.map(\.offset) == [8_192 + 2 * 4_096])
            disk = disk.restart()
        }
    }

    @Test func `the word about damage is durable together with the mark behind it`() async throws {
        for flushes in 1...12 as ClosedRange<UInt64> {
            var disk = try await Self.damaged()
            var index = MemoryIndex(flushesItselfOneIn: flushes, seed: flushes)
            _ = try await Store(
                disk: disk, index: index,
                options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20),
                clock: StillClock(), entropy: SeededEntropy(seed: 1))
            disk = disk.crash(seed: flushes)
            index = index.crash()
            try await withStore(disk, index) { store in #expect(store.hiding.count == 1) }
        }
    }

    @Test func `damage behind which the index knows everything hides nothing`() async throws {
        var disk = MemoryDisk()
        let index = MemoryIndex()
        try await withStore(disk, index) { store in
            for change in 1...5 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
        }
        disk = disk.restart()
        disk.rot(Self.segment, at: 8_192 + 2 * 4_096 + 20)
        try await withStore(disk, index) { store in
            #expect(store.hiding == [])
            let found = try store.row(SampleRow("row3", change: 3).key)
            #expect(found != nil)
        }
    }

    /// Nothing comes behind it that would show that it was no torn tail; but the index has it.
    @Test(arguments: [0, 1, 20, 40, 64] as [UInt64])
    func `damage to the last batch of all, which the index has, ends no start`(at offset: UInt64)
        async throws
    {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        try await withStore(disk, index) { store in
            for change in 1...5 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
        }
        let again = disk.restart()
        let written = try #require(again.contents(of: Self.segment))
        let last = try #require(written.lastIndex { $0 != 0 }) / 4_096 * 4_096
        again.rot(Self.segment, at: UInt64(last) + offset)
        try await withStore(again, index) { store in
            let found = try store.row(SampleRow("row5", change: 5).key)
            #expect(found != nil)
            try await store.accept(SampleRow("row6", change: 6))
        }
        try await withStore(again.restart(), index) { store in
            let found = try store.row(SampleRow("row6", change: 6).key)
            #expect(found != nil)
        }
    }

    /// Of a batch with a body, `block` 0 holds the heads, the others the body.
    @Test(arguments: [0, 1, 3] as [UInt64])
    func `a last batch that cannot be read is no torn tail: it may have been acknowledged`(
        block: UInt64
    ) async throws {
        let disk = MemoryDisk()
        let body = [UInt8](repeating: 7, count: 16_384)
        try await withStore(disk, MemoryIndex(), crashing: true) { store in
            for change in 1...4 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
            try await store.accept(SampleRow("row5", change: 5, body: body))
        }
        var again = disk.restart()
        let start: UInt64 = 8_192 + 4 * 4_096
        again.failReads(of: Self.segment, in: start + block * 4_096..<start + block * 4_096 + 1)
        // The index has nothing of it, nor of the batches before.
        let index = MemoryIndex()
        for life in 6...7 as ClosedRange<UInt64> {
            try await withStore(again, index) { store in
                #expect(store.hiding.map(\.offset) == (block == 0 ? [start] : []))
                #expect(store.usage.tornTails == 0)
                let rows: ClosedRange<UInt64> = block == 0 ? 1...4 : 1...5
                for change in rows {
                    let found = try store.row(SampleRow("row\(change)", change: change).key)
                    #expect(found != nil)
                }
                if block > 0 {
                    let sample = SampleRow("row5", change: 5, body: body)
                    await #expect(throws: StoreError.self) { try await store.body(sample) }
                }
                try await store.accept(SampleRow("row\(life)", change: life))
            }
            again = again.restart()
        }
        try await withStore(again, MemoryIndex()) { store in
            let found = try store.row(SampleRow("row7", change: 7).key)
            #expect(found != nil)
        }
    }

    @Test func `a journal older than its index is refused`() async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        try await withStore(disk, index) { try await $0.accept(SampleRow("row1", change: 1)) }
        let old = disk.image(seed: 1)
        try await withStore(disk.restart(), index) { store in
            for change in 2...4 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
        }
        let error = await #expect(throws: StoreError.self) {
            try await withStore(old, index) { _ in }
        }
        guard case .refused(.indexNewerThanJournal) = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test func `that a directory was one of several nodes' is durable`() async throws {
        let disk = MemoryDisk()
        try await withStore(disk, MemoryIndex()) { store in
            #expect(!store.isShared)
            try await store.setShared()
            #expect(store.isShared)
        }
        for seed in 0..<8 as Range<UInt64> {
            let disk = MemoryDisk()
            try await withStore(disk, MemoryIndex()) { try await $0.setShared() }
            try await withStore(disk.crash(seed: seed), MemoryIndex()) { #expect($0.isShared) }
        }
    }
}
