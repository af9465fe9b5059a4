internal import CDisk
internal import Glibc
internal import VortexCore

/// An open file of the operating system.
final class FileDiskFile: DiskFile {
    private let descriptor: Int32
    /// IOV_MAX of Linux: more pieces than this do not go in one call.
    private static let piecesMax = 1_024

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    /// Reserves the bytes, durably, as far as they are the file's.
    func allocate(_ count: UInt64) throws(DiskError) {
        guard count > 0 else { return }
        var failure = EINTR
        while failure == EINTR { failure = posix_fallocate(descriptor, 0, off_t(count)) }
        guard failure == 0 else { throw DiskError(.allocate, errno: failure) }
        guard retrying({ fsync(descriptor) }) == 0 else { throw DiskError(.sync, errno: errno) }
    }

    /// What the page cache holds is read here and now; the rest by a thread that may wait.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) async throws(DiskError) -> Int {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = retrying {
                disk_read_cached(
                    descriptor, start + done, buffer.count - done, off_t(offset) + off_t(done))
            }
            if count > 0 {
                done += count
                continue
            }
            if count == 0 { return done }
            let failure = errno
            guard failure == EAGAIN || failure == EOPNOTSUPP else {
                throw DiskError(.read, errno: failure)
            }
            break
        }
        if done == buffer.count { return done }
        let address = UInt(bitPattern: start + done)
        let (rest, place) = (buffer.count - done, offset + UInt64(done))
        let result = await withUnsafeContinuation { answer in
            BlockingReads.shared.submit(
                BlockingReads.Order(
                    file: self, start: address, count: rest, offset: place, answer: answer))
        }
        return done + (try result.get())
    }

    func readBlocking(address: UInt, count: Int, at offset: UInt64) -> Result<Int, DiskError> {
        guard let start = UnsafeMutableRawPointer(bitPattern: address) else {
            preconditionFailure("a buffer with bytes has an address")
        }
        var done = 0
        while done < count {
            let read = retrying {
                pread(descriptor, start + done, count - done, off_t(offset) + off_t(done))
            }
            if read < 0 { return .failure(DiskError(.read, errno: errno)) }
            if read == 0 { break }
            done += read
        }
        return .success(done)
    }

    func write(
        _ pieces: [UnsafeRawBufferPointer], at offset: UInt64
    ) async throws(DiskError) {
        var vectors = pieces.filter { $0.count > 0 }.map { piece in
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress),
                iov_len: piece.count)
        }
        var first = 0
        var place = off_t(offset)
        while first < vectors.count {
            let count = min(vectors.count - first, Self.piecesMax)
            let written = vectors.withUnsafeBufferPointer { all in
                retrying {
                    pwritev(descriptor, all.baseAddress.map { $0 + first }, Int32(count), place)
                }
            }
            if written < 0 { throw DiskError(.write, errno: errno) }
            // A write of no bytes that is not an error would be repeated forever.
            if written == 0 { throw DiskError(.write, errno: EIO) }
            place += off_t(written)
            Self.advance(&vectors, &first, by: written)
        }
    }

    /// Drops `count` written bytes from the front.
    private static func advance(_ vectors: inout [iovec], _ first: inout Int, by count: Int) {
        var rest = count
        while rest > 0 {
            let length = vectors[first].iov_len
            if rest < length {
                vectors[first].iov_base += rest
                vectors[first].iov_len -= rest
                return
            }
            rest -= length
            first += 1
        }
    }

    /// Not repeated after EINTR either: a second success would say nothing about the first call's
    /// pages.
    func sync() async throws(DiskError) {
        guard fdatasync(descriptor) == 0 else { throw DiskError(.sync, errno: errno) }
    }

    func size() async throws(DiskError) -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DiskError(.stat, errno: errno) }
        return UInt64(status.st_size)
    }

    func truncate(to size: UInt64) async throws(DiskError) {
        guard retrying({ ftruncate(descriptor, off_t(size)) }) == 0 else {
            throw DiskError(.truncate, errno: errno)
        }
    }
}
