/// The disk as the store sees it. One implementation over the operating system, one in memory that
/// crashes, tears, loses what was not synced, rots bits, fails and fills up.
///
/// Every call may suspend. The real disk blocks the calling thread instead, but for `read`, which
/// goes to another thread where the bytes are not in the page cache.

/// A failed operation, with the system's errno. After a failed `sync` nothing is known about what
/// was written before it: the process must end (Rebello et al., "Can applications recover from
/// fsync failures?", 2020).
public struct DiskError: Error, Equatable, Sendable {
    public enum Operation: UInt8, Sendable {
        case open, create, read, write, sync, allocate, truncate, remove, rename, list, stat
        case lock
    }
    public var operation: Operation
    public var errno: Int32
    public init(_ operation: Operation, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }
    /// ENOSPC: the file system is full.
    public static let noSpaceErrno: Int32 = 28
    public static let inputOutputErrno: Int32 = 5
    public static let notFoundErrno: Int32 = 2
}

public struct DiskSpace: Equatable, Sendable {
    public var totalBytes: UInt64
    public var availableBytes: UInt64
    public init(totalBytes: UInt64, availableBytes: UInt64) {
        self.totalBytes = totalBytes
        self.availableBytes = availableBytes
    }
}

/// One data directory; names are relative to it and contain no separator.
public protocol Disk: Sendable {
    /// Names of the files directly in the directory, sorted.
    func list() async throws(DiskError) -> [String]
    /// Opens an existing file for reading and writing.
    func open(_ name: String) async throws(DiskError) -> any DiskFile
    /// Creates a file, which must not exist, with `allocatedBytes` reserved and reading as zeros.
    /// It survives a power cut only after `syncDirectory`.
    func create(_ name: String, allocatedBytes: UInt64) async throws(DiskError) -> any DiskFile
    func remove(_ name: String) async throws(DiskError)
    /// Atomically replaces `target`; durable after `syncDirectory`.
    func rename(_ name: String, to target: String) async throws(DiskError)
    func syncDirectory() async throws(DiskError)
    func space() async throws(DiskError) -> DiskSpace
}

/// An open file; closed when the last reference to it goes.
public protocol DiskFile: AnyObject, Sendable {
    /// Reads `buffer.count` bytes at `offset`, or fewer where the file ends. The buffer stays valid
    /// until the call returns.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) async throws(DiskError)
        -> Int
    /// Writes all pieces one after the other from `offset` on. Readable at once, durable after
    /// `sync`.
    func write(_ pieces: [UnsafeRawBufferPointer], at offset: UInt64) async throws(DiskError)
    /// fdatasync: data and size are durable when it returns.
    func sync() async throws(DiskError)
    func size() async throws(DiskError) -> UInt64
    /// Cuts the file off; durable after `sync`.
    func truncate(to size: UInt64) async throws(DiskError)
}
