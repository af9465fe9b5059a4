internal import Glibc

/// An open local file.
final class LocalFile {
    private let descriptor: Int32
    let path: String
    private let isStandard: Bool

    /// Opens for reading; `-` is standard input.
    init(reading path: String) throws(ClientError) {
        self.path = path
        isStandard = path == "-"
        descriptor = isStandard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .local(path, errno: errno) }
    }

    /// Makes or empties a file; `-` is standard output.
    init(writing path: String) throws(ClientError) {
        self.path = path
        isStandard = path == "-"
        descriptor =
            isStandard
            ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .local(path, errno: errno) }
    }

    deinit { if !isStandard { close(descriptor) } }

    /// Nil for what is not a regular file, and for standard input, which may stand anywhere in one:
    /// the end is found by reading.
    var size: UInt64? {
        var status = stat()
        guard !isStandard, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG
        else {
            return nil
        }
        return UInt64(status.st_size)
    }

    func seek(to offset: UInt64) throws(ClientError) {
        guard lseek(descriptor, off_t(offset), SEEK_SET) >= 0 else {
            throw .local(path, errno: errno)
        }
    }

    /// Zero at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ClientError) -> Int {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw .local(path, errno: errno) }
            if Interruption.isWanted { throw .interrupted }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ClientError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(descriptor, part.baseAddress, part.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .local(isStandard ? "standard output" : path, errno: errno)
            }
            rest = rest.dropFirst(count)
        }
    }

    func sync() throws(ClientError) {
        guard fsync(descriptor) == 0 else { throw .local(path, errno: errno) }
    }

    /// The regular files below a folder, relative to it, sorted. Links are not followed.
    static func files(below folder: String) throws(ClientError) -> [String] {
        var found: [String] = []
        var folders = [""]
        while let relative = folders.popLast() {
            let path = relative.isEmpty ? folder : folder + "/" + relative
            guard let entries = opendir(path) else { throw .local(path, errno: errno) }
            defer { closedir(entries) }
            while let entry = readdir(entries) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name == "." || name == ".." { continue }
                let inner = relative.isEmpty ? name : relative + "/" + name
                var status = stat()
                guard lstat(folder + "/" + inner, &status) == 0 else {
                    throw .local(folder + "/" + inner, errno: errno)
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: folders.append(inner)
                case S_IFREG: found.append(inner)
                default: printError("vortex: \(folder)/\(inner): not a regular file, left out")
                }
            }
        }
        return found.sorted()
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// There, and neither a regular file nor a folder.
    static func isSpecial(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    }

    /// Makes the folders that lead to a file.
    static func makeFolders(for path: String) throws(ClientError) {
        var at = path.startIndex
        while let slash = path[at...].firstIndex(of: "/") {
            let folder = String(path[..<slash])
            if !folder.isEmpty, mkdir(folder, 0o755) != 0, errno != EEXIST {
                throw .local(folder, errno: errno)
            }
            at = path.index(after: slash)
        }
    }
}
