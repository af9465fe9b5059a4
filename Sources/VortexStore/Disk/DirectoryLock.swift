internal import Glibc
internal import VortexCore

/// The exclusive use of a data directory, by flock(2) of its file `lock`, until the last reference
/// goes or the process ends, however it ends.
final class DirectoryLock: Sendable {
    static let fileName = "lock"
    private let descriptor: Int32

    /// Throws `DiskError(.lock, EWOULDBLOCK)` where someone else, in this process too, holds it.
    init(directory: Int32) throws(DiskError) {
        descriptor = openat(directory, Self.fileName, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DiskError(.lock, errno: errno) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let failure = errno
            if failure == EINTR { continue }
            Glibc.close(descriptor)
            throw DiskError(.lock, errno: failure)
        }
    }

    deinit { Glibc.close(descriptor) }
}
