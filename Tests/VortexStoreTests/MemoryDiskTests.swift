import Glibc
import Testing
import VortexCore

@testable import VortexStore

struct MemoryDiskTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `what was synced survives a power cut`(seed: UInt64) async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 100)
        try await file.write([[1, 2, 3]], at: 98)
        try await file.sync()
        try await disk.syncDirectory()
        let next = disk.crash(seed: seed)
        #expect(next.contents(of: "a") == Array(repeating: 0, count: 98) + [1, 2, 3])
        await #expect(throws: DiskError(.read, errno: EIO)) { try await file.bytes(at: 0, 1) }
        await #expect(throws: DiskError(.list, errno: EIO)) { try await disk.list() }
    }

    @Test func `an unsynced write is kept, dropped or torn at sectors`() async throws {
        var kept = 0
        var dropped = 0
        var torn = 0
        for seed in 0..<300 as Range<UInt64> {
            let disk = MemoryDisk()
            let file = try await disk.create("a", allocatedBytes: 4_096)
            try await disk.syncDirectory()
            // Covers the end of one sector, three whole ones and the start of another.
            try await file.write([Array(repeating: 7, count: 1_800)], at: 500)
            let bytes = try #require(disk.crash(seed: seed).contents(of: "a"))
            #expect(bytes.count == 4_096)
            let sectors = [500..<512, 512..<1_024, 1_024..<1_536, 1_536..<2_048, 2_048..<2_300]
            let written = sectors.map { Set(bytes[$0]) }
            #expect(written.allSatisfy { $0 == [7] || $0 == [0] })
            #expect(bytes.reduce(0) { $0 + Int($1) } % 7 == 0)
            switch written.count(where: { $0 == [7] }) {
            case 0: dropped += 1
            case 5: kept += 1
            default: torn += 1
            }
        }
        #expect(kept > 70 && dropped > 70 && torn > 70)
    }

    @Test func `writes are decided on independently of their order`() async throws {
        var found: Set<[UInt8]> = []
        for seed in 0..<100 as Range<UInt64> {
            let disk = MemoryDisk()
            let file = try await disk.create("a", allocatedBytes: 2)
            try await disk.syncDirectory()
            try await file.write([[1]], at: 0)
            try await file.write([[2]], at: 1)
            found.insert(try #require(disk.crash(seed: seed).contents(of: "a")))
        }
        #expect(found == [[0, 0], [1, 0], [0, 2], [1, 2]])
    }

    @Test func `a truncation that was not synced may be undone`() async throws {
        var found: Set<[UInt8]> = []
        for seed in 0..<50 as Range<UInt64> {
            let disk = MemoryDisk()
            let file = try await disk.create("a", allocatedBytes: 0)
            try await file.write([[1, 2]], at: 0)
            try await file.sync()
            try await disk.syncDirectory()
            try await file.truncate(to: 1)
            found.insert(try #require(disk.crash(seed: seed).contents(of: "a")))
        }
        #expect(found == [[1], [1, 2]])
    }

    @Test func `names that were not synced may vanish and reappear`() async throws {
        var found: Set<[String]> = []
        for seed in 0..<100 as Range<UInt64> {
            let disk = MemoryDisk()
            _ = try await disk.create("old", allocatedBytes: 0)
            _ = try await disk.create("removed", allocatedBytes: 0)
            try await disk.syncDirectory()
            _ = try await disk.create("created", allocatedBytes: 0)
            try await disk.remove("removed")
            try await disk.rename("old", to: "new")
            found.insert(try await disk.crash(seed: seed).list())
        }
        #expect(found.count == 8)
        #expect(found.allSatisfy { $0.contains("old") != $0.contains("new") })
    }

    @Test func `the same seed gives the same crash`() async throws {
        func survivors(_ seed: UInt64) async throws -> [[UInt8]?] {
            let disk = MemoryDisk()
            var names: [String] = []
            for number in 0..<20 {
                names.append("f\(number)")
                let file = try await disk.create(names[number], allocatedBytes: 0)
                try await file.write([Array(repeating: UInt8(number), count: 3_000)], at: 0)
            }
            let next = disk.crash(seed: seed)
            return names.map { next.contents(of: $0) }
        }
        #expect(try await survivors(5) == survivors(5))
        #expect(try await survivors(5) != survivors(6))
    }

    @Test func `a killed process loses nothing, and a power cut later may`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 0)
        try await file.write([[1]], at: 0)
        let next = disk.restart()
        #expect(next.contents(of: "a") == [1])
        var found: Set<[UInt8]?> = []
        for seed in 0..<50 as Range<UInt64> {
            let later = next.restart()
            found.insert(later.crash(seed: seed).contents(of: "a"))
            await #expect(throws: DiskError.self) { try await next.list() }
        }
        #expect(found == [nil, [], [1]])
    }

    @Test func `a failed sync makes nothing durable, and neither does the next one`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 1)
        try await disk.syncDirectory()
        try await file.write([[1]], at: 0)
        disk.failOperation(1)
        await #expect(throws: DiskError(.sync, errno: EIO)) { try await file.sync() }
        try await file.sync()
        #expect(try await file.bytes(at: 0, 1) == [1])
        #expect(disk.crash(seed: 1).contents(of: "a") == [0])
    }

    @Test func `a chosen operation fails, once, and a write half way`() async throws {
        let disk = MemoryDisk()
        disk.failOperation(3, errno: ENOSPC)
        let file = try await disk.create("a", allocatedBytes: 0)
        try await file.write([[1]], at: 0)
        await #expect(throws: DiskError(.write, errno: ENOSPC)) {
            try await file.write([[2], [3, 4, 5]], at: 1)
        }
        #expect(try await file.bytes(at: 0, 9) == [1, 2, 3])
        #expect(disk.operationCount == 4)
    }

    @Test func `a bad range fails to read until it is written`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 100)
        disk.failReads(of: "a", in: 10..<20)
        await #expect(throws: DiskError(.read, errno: EIO)) { try await file.bytes(at: 0, 11) }
        #expect(try await file.bytes(at: 0, 10).count == 10)
        try await file.write([Array(repeating: 1, count: 5)], at: 10)
        #expect(try await file.bytes(at: 0, 15).count == 15)
        await #expect(throws: DiskError(.read, errno: EIO)) { try await file.bytes(at: 15, 1) }
        #expect(try await file.bytes(at: 20, 80).count == 80)
    }

    @Test func `rot changes what is stored, also after a crash`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 3)
        try await disk.syncDirectory()
        disk.rot("a", at: 1, bit: 7)
        #expect(try await file.bytes(at: 0, 3) == [0, 0x80, 0])
        #expect(disk.crash(seed: 1).contents(of: "a") == [0, 0x80, 0])
    }

    @Test func `a full disk takes what fits, and room comes back with a removal`() async throws {
        let disk = MemoryDisk(capacityBytes: 1_000)
        var first: (any DiskFile)? = try await disk.create("a", allocatedBytes: 900)
        #expect(
            try await disk.space() == DiskSpace(totalBytes: 1_000, availableBytes: 100))
        await #expect(throws: DiskError(.allocate, errno: ENOSPC)) {
            try await disk.create("b", allocatedBytes: 101)
        }
        let second = try await disk.create("b", allocatedBytes: 0)
        await #expect(throws: DiskError(.write, errno: ENOSPC)) {
            try await second.write([Array(repeating: 1, count: 150)], at: 0)
        }
        #expect(try await second.size() == 100)
        try await first?.write([Array(repeating: 1, count: 900)], at: 0)
        try await disk.remove("a")
        try await disk.syncDirectory()
        #expect(try await disk.space().availableBytes == 0)
        first = nil
        #expect(try await disk.space().availableBytes == 900)
    }

    @Test func `operations are counted`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 0)
        try await file.write([[1, 2, 3]], at: 0)
        try await file.sync()
        _ = try await file.bytes(at: 0, 2)
        try await disk.syncDirectory()
        try await disk.rename("a", to: "b")
        try await disk.remove("b")
        var expected = MemoryDisk.Counts()
        expected.creations = 1
        expected.writes = 1
        expected.bytesWritten = 3
        expected.syncs = 1
        expected.reads = 1
        expected.bytesRead = 2
        expected.directorySyncs = 1
        expected.renames = 1
        expected.removals = 1
        #expect(disk.counts == expected)
    }

    @Test func `a preallocated segment costs the memory of what was written`() async throws {
        let disk = MemoryDisk()
        let file = try await disk.create("a", allocatedBytes: 1 << 38)
        try await file.write([[9]], at: 1 << 37)
        #expect(try await file.bytes(at: (1 << 37) - 1, 3) == [0, 9, 0])
    }
}
