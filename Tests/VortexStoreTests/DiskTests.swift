import Glibc
import Testing
import VortexCore

@testable import VortexStore

/// What every disk promises, run over both of them.
struct DiskTests {
    enum Kind: CaseIterable, Sendable {
        case file, memory
    }

    private static func withDisk(
        _ kind: Kind, _ body: (any Disk) async throws -> Void
    ) async throws {
        switch kind {
        case .memory: try await body(MemoryDisk())
        case .file:
            let scratch = ScratchDirectory()
            try await body(FileDisk(path: scratch.path))
            _ = scratch
        }
    }

    @Test(arguments: Kind.allCases)
    func `a created file has its size, reads as zeros and is listed`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let file = try await disk.create("b", allocatedBytes: 10_000)
            #expect(try await file.size() == 10_000)
            #expect(try await file.bytes(at: 9_000, 2_000) == Array(repeating: 0, count: 1_000))
            _ = try await disk.create("a", allocatedBytes: 0)
            #expect(try await disk.list() == ["a", "b"])
            await #expect(throws: DiskError(.create, errno: EEXIST)) {
                try await disk.create("a", allocatedBytes: 0)
            }
            await #expect(throws: DiskError(.open, errno: ENOENT)) { try await disk.open("c") }
        }
    }

    @Test(arguments: Kind.allCases)
    func `pieces are written one after the other and extend the file`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let file = try await disk.create("a", allocatedBytes: 0)
            try await file.write([[1, 2], [], [3], [4, 5, 6]], at: 2)
            try await file.write([[9]], at: 4)
            try await file.write([], at: 100)
            try await file.sync()
            let again = try await disk.open("a")
            #expect(try await again.bytes(at: 0, 100) == [0, 0, 1, 2, 9, 4, 5, 6])
            #expect(try await again.bytes(at: 8, 1) == [])
            #expect(try await again.bytes(at: 1_000, 1) == [])
            #expect(try await again.bytes(at: 0, 0) == [])
        }
    }

    @Test(arguments: Kind.allCases)
    func `more pieces than one system call takes arrive all`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let file = try await disk.create("a", allocatedBytes: 0)
            let pieces = (0..<5_000).map { [UInt8](repeating: UInt8($0 & 255), count: $0 % 7) }
            try await file.write(pieces, at: 0)
            #expect(try await file.bytes(at: 0, 100_000) == pieces.flatMap { $0 })
        }
    }

    @Test(arguments: Kind.allCases)
    func `an open file outlives its name`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let file = try await disk.create("a", allocatedBytes: 0)
            try await file.write([[7]], at: 0)
            try await disk.remove("a")
            try await disk.syncDirectory()
            #expect(try await file.bytes(at: 0, 1) == [7])
            #expect(try await disk.list() == [])
            await #expect(throws: DiskError(.remove, errno: ENOENT)) {
                try await disk.remove("a")
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `a rename replaces its target`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let first = try await disk.create("a", allocatedBytes: 0)
            try await first.write([[1]], at: 0)
            let second = try await disk.create("b", allocatedBytes: 0)
            try await second.write([[2]], at: 0)
            try await disk.rename("a", to: "b")
            try await disk.syncDirectory()
            #expect(try await disk.list() == ["b"])
            #expect(try await disk.open("b").bytes(at: 0, 1) == [1])
            #expect(try await second.bytes(at: 0, 1) == [2])
            await #expect(throws: DiskError(.rename, errno: ENOENT)) {
                try await disk.rename("a", to: "b")
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `a truncated file ends there, and grown again reads as zeros`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let file = try await disk.create("a", allocatedBytes: 0)
            try await file.write([Array(repeating: 7, count: 10_000)], at: 0)
            try await file.truncate(to: 5_000)
            #expect(try await file.size() == 5_000)
            #expect(try await file.bytes(at: 4_999, 10) == [7])
            try await file.truncate(to: 5_002)
            #expect(try await file.bytes(at: 4_999, 10) == [7, 0, 0])
            try await file.sync()
        }
    }

    @Test(arguments: Kind.allCases)
    func `space is told`(kind: Kind) async throws {
        try await Self.withDisk(kind) { disk in
            let space = try await disk.space()
            #expect(space.availableBytes > 0)
            #expect(space.availableBytes <= space.totalBytes)
        }
    }

    @Test(arguments: 1...4)
    func `both disks read back the same after random writes`(seed: UInt64) async throws {
        let scratch = ScratchDirectory()
        var random = SeededGenerator(seed: seed)
        let memory = try await MemoryDisk().create("a", allocatedBytes: 30_000)
        let file = try await FileDisk(path: scratch.path).create("a", allocatedBytes: 30_000)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...9_000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let offset = UInt64.random(in: 0...50_000, using: &random)
            try await memory.write([bytes], at: offset)
            try await file.write([bytes], at: offset)
            let place = UInt64.random(in: 0...60_000, using: &random)
            let count = Int.random(in: 0...20_000, using: &random)
            #expect(try await memory.bytes(at: place, count) == file.bytes(at: place, count))
            #expect(try await memory.size() == file.size())
        }
        _ = scratch
    }
}

extension DiskFile {
    /// What a read of `count` bytes gives.
    func bytes(at offset: UInt64, _ count: Int) async throws(DiskError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0xaa)
        return Array(buffer[..<(try await read(into: buffer, at: offset))])
    }

    func write(_ pieces: [[UInt8]], at offset: UInt64) async throws(DiskError) {
        let buffers = pieces.map { piece in
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: piece.count, alignment: 1)
            buffer.copyBytes(from: piece)
            return buffer
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        try await write(buffers.map { UnsafeRawBufferPointer($0) }, at: offset)
    }
}
