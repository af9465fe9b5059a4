internal import Glibc
internal import VortexCore

/// What keeps a cluster's secret from being read.
enum SecretFailure: Error, CustomStringConvertible {
    case unreadable(errno: Int32)
    /// Only the first node makes it.
    case missing
    case tooShort
    case readableByOthers

    var description: String {
        switch self {
        case .unreadable(let errno): String(cString: strerror(errno))
        case .missing: "the secret is not there: copy it from a node of the cluster"
        case .tooShort: "the secret needs 16 bytes or more"
        case .readableByOthers: "other users can read it: chmod 600"
        }
    }
}

/// The cluster's secret: one line of text, the same on all nodes.
enum ClusterSecret {
    /// Reads it; `makesMissing` makes a random one where the file is not there.
    static func read(_ path: String, makesMissing: Bool) throws(SecretFailure) -> [UInt8] {
        var status = stat()
        if stat(path, &status) != 0 {
            guard errno == ENOENT else { throw .unreadable(errno: errno) }
            guard makesMissing else { throw .missing }
            return try make(path)
        }
        guard status.st_mode & 0o077 == 0 else { throw .readableByOthers }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(errno: errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = bytes.withUnsafeMutableBytes {
            Glibc.read(descriptor, $0.baseAddress, $0.count)
        }
        guard count >= 0 else { throw .unreadable(errno: errno) }
        let line = bytes[..<count].prefix { $0 != 0x0a && $0 != 0x0d }
        guard line.count >= 16 else { throw .tooShort }
        return Array(line)
    }

    private static func make(_ path: String) throws(SecretFailure) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let words: [UInt64] = [
            generator.next(), generator.next(), generator.next(), generator.next(),
        ]
        let secret = Array(words.map { Hex.string($0) }.joined().utf8)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unreadable(errno: errno) }
        defer { close(descriptor) }
        let line = secret + [0x0a]
        guard write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0 else {
            throw .unreadable(errno: errno)
        }
        return secret
    }
}
