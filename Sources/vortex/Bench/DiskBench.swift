internal import ArgumentParser
internal import Glibc
internal import VortexGateway

/// What the disk itself can do with the bytes of a journal: `vortex bench disk`. Appends of a batch
/// of buffers, each batch one write and one fdatasync, in a file without a name: it cannot stay.
struct DiskBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "Append and fdatasync, and print how fast the disk does it.")

    private static let batchBytesMax = 1 << 30

    @Option(help: "A directory on the disk.")
    var dir: String

    @Option(help: "Bytes of a buffer.")
    var bytes = 4_096

    @Option(help: "Buffers per write and fdatasync; at most 1024.")
    var batch = 1

    @Option(help: "Writes.")
    var count = 1_000

    @Flag(help: "Reserve the file's blocks first, so that a sync need not record its growth.")
    var preallocate = false

    @Flag(help: "Print one JSON object.")
    var json = false

    private enum Failure: Error {
        case open(errno: Int32)
        case preallocate(errno: Int32)
        case write(errno: Int32)
        case sync(errno: Int32)
    }

    func validate() throws {
        // IOV_MAX is 1024.
        guard (1...1_024).contains(batch), (1...Self.batchBytesMax / batch).contains(bytes) else {
            throw ValidationError(
                "A batch must be at most 1024 buffers and \(Self.batchBytesMax) bytes.")
        }
        guard (1...10_000_000).contains(count) else {
            throw ValidationError("--count must be 1 to 10000000.")
        }
    }

    func run() throws {
        let file = try create()
        defer { close(file) }
        if preallocate {
            let failure = posix_fallocate(file, 0, off_t(bytes * batch * count))
            guard failure == 0 else { throw Failure.preallocate(errno: failure) }
            guard fdatasync(file) == 0 else { throw Failure.sync(errno: errno) }
        }
        let buffer = randomBytes(bytes)
        let pieces = [iovec](
            repeating: iovec(iov_base: .init(mutating: buffer.baseAddress), iov_len: bytes),
            count: batch)
        var latencies = Latencies()
        let begin = SystemClock.monotonic()
        for _ in 0..<count {
            let start = SystemClock.monotonic()
            try append(pieces, to: file)
            guard fdatasync(file) == 0 else { throw Failure.sync(errno: errno) }
            latencies.record(SystemClock.monotonic() - start)
        }
        let seconds = Double(SystemClock.monotonic() - begin) / 1e9
        var figures = Figures()
        figures.add("syncs_per_second", Double(count) / seconds)
        figures.add("megabytes_per_second", Double(bytes * batch * count) / 1e6 / seconds)
        figures.add("p50_us", latencies.microseconds(at: 0.5))
        print(json ? figures.json : figures.text)
    }

    /// A file whose name is gone before its first byte.
    private func create() throws(Failure) -> Int32 {
        var name = (dir + "/bench-XXXXXX").utf8CString
        let (file, failure) = name.withUnsafeMutableBufferPointer { name in
            guard let base = name.baseAddress else { return (Int32(-1), EINVAL) }
            let file = mkstemp(base)
            guard file >= 0 else { return (file, errno) }
            return (file, unlink(base) == 0 ? 0 : errno)
        }
        guard failure == 0 else { throw .open(errno: failure) }
        return file
    }

    /// A short write goes on with the rest: it is no failure until the disk says one.
    private func append(_ pieces: [iovec], to file: Int32) throws(Failure) {
        var written = 0
        while written < bytes * batch {
            let first = written / bytes
            var rest = Array(pieces[first...])
            rest[0].iov_base = rest[0].iov_base.map { $0 + written % bytes }
            rest[0].iov_len -= written % bytes
            let count = writev(file, rest, Int32(rest.count))
            if count < 0 {
                guard errno == EINTR else { throw .write(errno: errno) }
                continue
            }
            written += count
        }
    }
}
