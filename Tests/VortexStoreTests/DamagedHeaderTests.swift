import Testing
import VortexCore
import VortexStore

/// The head of a segment is written twice; what is left of it decides whether the segment counts.
struct DamagedHeaderTests {
    private static let segment = "segment-00000001"
    /// Of one copy.
    private static let copyBytes: UInt64 = 4_096

    /// A store that was ended from outside: its index has nothing of what its journal holds.
    private static func written() async throws -> MemoryDisk {
        let disk = MemoryDisk()
        let store = try await Store(
            disk: disk, index: MemoryIndex(),
            options: StoreOptions(reserveBytes: 0, segmentBytes: 8 << 20), clock: StillClock(),
            entropy: SeededEntropy(seed: 1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.runWriter() }
            for change in 1...5 as ClosedRange<UInt64> {
                try await store.accept(SampleRow("row\(change)", change: change))
            }
            store.stop()
            try await group.waitForAll()
        }
        return disk.restart()
    }

    private static func hasRow(_ disk: MemoryDisk) async throws -> Bool {
        try await withStore(disk, MemoryIndex()) { store in
            try store.row(SampleRow("row3", change: 3).key) != nil
        }
    }

    @Test(arguments: [0, 1] as [UInt64])
    func `one copy that cannot be read is made up for by the other`(copy: UInt64) async throws {
        let disk = try await Self.written()
        disk.failReads(of: Self.segment, in: copy * Self.copyBytes..<(copy + 1) * Self.copyBytes)
        #expect(try await Self.hasRow(disk))
    }

    /// Every bit of the magic number and of the format's version.
    @Test func `a flipped bit of one copy is no newer format`() async throws {
        for offset in 0..<12 as Range<UInt64> {
            for bit in 0..<8 as Range<UInt8> {
                let disk = try await Self.written()
                disk.rot(Self.segment, at: offset, bit: bit)
                #expect(try await Self.hasRow(disk), "byte \(offset), bit \(bit)")
            }
        }
    }

    enum Loss: CaseIterable { case unreadable, rotten }

    @Test(arguments: Loss.allCases)
    func `a written segment without a header is damage that hides rows, and no spare`(
        loss: Loss
    ) async throws {
        let disk = try await Self.written()
        for copy in 0..<2 as Range<UInt64> {
            let start = copy * Self.copyBytes
            switch loss {
            case .unreadable: disk.failReads(of: Self.segment, in: start..<start + 512)
            case .rotten: disk.rot(Self.segment, at: start + 60)
            }
        }
        try await withStore(disk, MemoryIndex()) { store in
            #expect(store.hiding.map(\.segment) == [1])
        }
        #expect(try await disk.restart().list().contains(Self.segment))
    }
}
