import Glibc

/// A directory of a test's own, below /tmp, removed with the last reference to it.
final class ScratchDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/vortex-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in files(of: path) {
            let entry = path + "/" + name
            if unlink(entry) != 0 { remove(entry) }
        }
        rmdir(path)
    }

    static func files(of path: String) -> [String] {
        guard let entries = opendir(path) else { preconditionFailure("no directory \(path)") }
        defer { closedir(entries) }
        var names: [String] = []
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func contents(of path: String) -> [UInt8] {
        guard let bytes = readAll(path) else { preconditionFailure("no file \(path)") }
        return bytes
    }

    /// Nil where there is no such file.
    private static func readAll(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &piece, piece.count)
            precondition(count >= 0)
            if count == 0 { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
    }

    static func overwrite(_ path: String, with bytes: [UInt8]) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(file >= 0)
        defer { close(file) }
        precondition(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    static func flipBit(of path: String, at offset: Int) {
        var bytes = contents(of: path)
        bytes[offset] ^= 0x10
        overwrite(path, with: bytes)
    }

    /// What a power cut would leave of a directory that someone writes to: a copy of it as it was
    /// at one moment, which is when no file changed or went between two looks.
    static func copyFiles(from old: String, to new: String) {
        while true {
            precondition(mkdir(new, 0o700) == 0)
            let before = sizes(of: old)
            for (name, _) in before where name != "LOCK" {
                guard let bytes = readAll(old + "/" + name) else { continue }
                overwrite(new + "/" + name, with: bytes)
            }
            if sizes(of: old) == before && sizes(of: new) == before.filter({ $0.key != "LOCK" }) {
                return
            }
            remove(new)
        }
    }

    private static func sizes(of path: String) -> [String: Int] {
        var sizes: [String: Int] = [:]
        for name in files(of: path) {
            var status = stat()
            sizes[name] = stat(path + "/" + name, &status) == 0 ? Int(status.st_size) : -1
        }
        return sizes
    }
}
