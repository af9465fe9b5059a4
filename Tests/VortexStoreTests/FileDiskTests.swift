import Glibc
import Testing
import VortexCore

@testable import VortexStore

struct FileDiskTests {
    @Test func `a directory has one user at a time`() async throws {
        let scratch = ScratchDirectory()
        let path = scratch.path + "/data"
        var first: FileDisk? = try FileDisk(path: path)
        #expect(throws: DiskError(.lock, errno: EWOULDBLOCK)) { try FileDisk(path: path) }
        #expect(try await first?.list() == [])
        first = nil
        let second = try FileDisk(path: path)
        #expect(second.path == path)
    }

    @Test func `a path that is no directory, or has no parent, is refused`() throws {
        let scratch = ScratchDirectory()
        ScratchDirectory.overwrite(scratch.path + "/file", with: [1])
        #expect(throws: DiskError(.open, errno: ENOTDIR)) {
            try FileDisk(path: scratch.path + "/file")
        }
        #expect(throws: DiskError(.create, errno: ENOENT)) {
            try FileDisk(path: scratch.path + "/none/data")
        }
    }

    @Test func `only files are listed, and links are not followed`() async throws {
        let scratch = ScratchDirectory()
        let disk = try FileDisk(path: scratch.path)
        _ = try await disk.create("file", allocatedBytes: 0)
        #expect(mkdir(scratch.path + "/directory", 0o700) == 0)
        #expect(symlink("file", scratch.path + "/link") == 0)
        #expect(try await disk.list() == ["file"])
        await #expect(throws: DiskError(.open, errno: ELOOP)) { try await disk.open("link") }
    }

    @Test func `bytes that are not in the page cache are read by another thread`() async throws {
        let scratch = ScratchDirectory()
        let disk = try FileDisk(path: scratch.path)
        let file = try await disk.create("a", allocatedBytes: 0)
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try await file.write([bytes], at: 0)
        try await file.sync()
        for _ in 0..<3 {
            // Half of the file leaves the cache, so that a read is answered from both.
            let descriptor = Glibc.open(scratch.path + "/a", O_RDONLY)
            #expect(posix_fadvise(descriptor, 1_500_000, 0, POSIX_FADV_DONTNEED) == 0)
            close(descriptor)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        let offset = number * 30_000
                        let read = try await file.bytes(at: UInt64(offset), 40_000)
                        return read == Array(bytes[offset..<min(offset + 40_000, bytes.count)])
                    }
                }
                for try await same in group { #expect(same) }
            }
        }
    }

    @Test func `a file that cannot be allocated leaves no name behind`() async throws {
        let scratch = ScratchDirectory()
        let disk = try FileDisk(path: scratch.path)
        let space = try await disk.space()
        await #expect(throws: DiskError.self) {
            try await disk.create("a", allocatedBytes: space.totalBytes * 2)
        }
        #expect(try await disk.list() == [])
    }
}
