internal import Glibc
public import VortexCore

/// A directory of the operating system, locked for this process.
public final class FileDisk: Disk {
    /// As given: other things that live in files of their own, the index, go below it.
    public let path: String
    private let directory: Int32
    private let lock: DirectoryLock

    /// Makes the directory where it is missing (not its parents), and takes its lock.
    public init(path: String) throws(DiskError) {
        let made = mkdir(path, 0o700) == 0
        guard made || errno == EEXIST else { throw DiskError(.create, errno: errno) }
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw DiskError(.open, errno: errno) }
        do throws(DiskError) {
            if made { try Self.syncParent(of: directory) }
            lock = try DirectoryLock(directory: directory)
        } catch {
            Glibc.close(directory)
            throw error
        }
        self.path = path
        self.directory = directory
    }

    deinit { Glibc.close(directory) }

    private static func syncParent(of directory: Int32) throws(DiskError) {
        let parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { throw DiskError(.sync, errno: errno) }
        defer { Glibc.close(parent) }
        guard fsync(parent) == 0 else { throw DiskError(.sync, errno: errno) }
    }

    public func list() async throws(DiskError) -> [String] {
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw DiskError(.list, errno: errno) }
        guard let entries = fdopendir(copy) else {
            let failure = errno
            Glibc.close(copy)
            throw DiskError(.list, errno: failure)
        }
        defer { closedir(entries) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(entries) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != DirectoryLock.fileName, try isFile(name) { names.append(name) }
        }
        guard errno == 0 else { throw DiskError(.list, errno: errno) }
        return names.sorted()
    }

    private func isFile(_ name: String) throws(DiskError) -> Bool {
        var status = stat()
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw DiskError(.list, errno: errno)
        }
        return status.st_mode & S_IFMT == S_IFREG
    }

    public func open(_ name: String) async throws(DiskError) -> any DiskFile {
        let descriptor = retrying { openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw DiskError(.open, errno: errno) }
        return FileDiskFile(descriptor: descriptor)
    }

    public func create(
        _ name: String, allocatedBytes: UInt64
    ) async throws(DiskError) -> any DiskFile {
        let descriptor = retrying {
            openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw DiskError(.create, errno: errno) }
        let file = FileDiskFile(descriptor: descriptor)
        do throws(DiskError) { try file.allocate(allocatedBytes) } catch {
            guard unlinkat(directory, name, 0) == 0 else {
                throw DiskError(.remove, errno: errno)
            }
            throw error
        }
        return file
    }

    public func remove(_ name: String) async throws(DiskError) {
        guard unlinkat(directory, name, 0) == 0 else { throw DiskError(.remove, errno: errno) }
    }

    public func rename(_ name: String, to target: String) async throws(DiskError) {
        guard renameat(directory, name, directory, target) == 0 else {
            throw DiskError(.rename, errno: errno)
        }
    }

    public func syncDirectory() async throws(DiskError) {
        guard retrying({ fsync(directory) }) == 0 else { throw DiskError(.sync, errno: errno) }
    }

    public func space() async throws(DiskError) -> DiskSpace {
        var system = statvfs()
        guard retrying({ fstatvfs(directory, &system) }) == 0 else {
            throw DiskError(.stat, errno: errno)
        }
        let unit = UInt64(system.f_frsize)
        return DiskSpace(
            totalBytes: UInt64(system.f_blocks) * unit,
            availableBytes: UInt64(system.f_bavail) * unit)
    }
}

/// Repeats a system call that a signal interrupted.
func retrying<Answer: SignedInteger>(_ call: () -> Answer) -> Answer {
    while true {
        let answer = call()
        if answer >= 0 || errno != EINTR { return answer }
    }
}
