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
        let file = open(path, O_RDONLY)
        precondition(file >= 0)
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

    static func copyFiles(from old: String, to new: String) {
        precondition(mkdir(new, 0o700) == 0)
        for name in files(of: old) where name != "LOCK" {
            overwrite(new + "/" + name, with: contents(of: old + "/" + name))
        }
    }
}
