internal import Glibc
internal import VortexCore

/// Sends one file. A large one goes through the resumable upload API: where the connection breaks,
/// the server is asked how far it got, and the rest is sent.
struct Uploader {
    /// From this size on an upload is resumable.
    static let resumableBytes: UInt64 = 64 << 20
    /// Attempts in a row without a byte of progress.
    static let attemptsMax = 8

    let client: HTTPClient
    var headers: [String] = []

    func upload(_ file: LocalFile, to object: ObjectPath) throws(ClientError) {
        if let size = file.size, size >= Self.resumableBytes {
            try resume(try begin(object, size), file, size)
        } else {
            let progress = Progress(object.key, of: file.size)
            var request = ClientRequest(target: object.target)
            request.method = "PUT"
            request.headers = headers
            request.length = file.size
            request.source = { file.reading(into: $0, progress) }
            _ = try client.send(request)
            progress.end()
        }
    }

    private func begin(_ object: ObjectPath, _ size: UInt64) throws(ClientError) -> String {
        let bucket = ObjectPath.encoded(object.bucket, keepingSlashes: false)
        let key = ObjectPath.encoded(object.key, keepingSlashes: false)
        var request = ClientRequest(target: "/v1/uploads?bucket=\(bucket)&key=\(key)")
        request.method = "POST"
        request.headers = headers + ["Upload-Length: \(size)"]
        let answer = try client.send(request)
        guard let location = answer["location"],
            let id = location.split(separator: "/").last.map(String.init)
        else { throw .unreachable("\(client.server): an upload without a Location") }
        return id
    }

    /// Sends what the server does not have yet, and completes the upload.
    func resume(_ id: String, _ file: LocalFile, _ size: UInt64) throws(ClientError) {
        let progress = Progress(id, of: size)
        var attempts = 0
        var last: UInt64?
        while true {
            do throws(ClientError) {
                let offset = try offset(of: id)
                if last != offset { attempts = 0 }
                last = offset
                if offset < size { try append(id, file, offset, size, progress) }
                var request = ClientRequest(target: "/v1/uploads/\(id)/complete")
                request.method = "POST"
                _ = try client.send(request)
                progress.end()
                return
            } catch {
                attempts += 1
                guard Self.isPassing(error), attempts < Self.attemptsMax else {
                    printError("vortex: to go on later: vortex put --resume \(id) \(file.path) ...")
                    throw error
                }
                usleep(UInt32(200_000 << min(attempts, 5)))
            }
        }
    }

    /// Worth another attempt: no answer, or one that says so.
    private static func isPassing(_ error: ClientError) -> Bool {
        switch error {
        case .unreachable: true
        case .refused(let status, _): status == 409 || status == 503
        case .local: false
        }
    }

    private func offset(of id: String) throws(ClientError) -> UInt64 {
        var request = ClientRequest(target: "/v1/uploads/\(id)")
        request.method = "HEAD"
        guard let offset = try client.send(request)["upload-offset"].flatMap({ UInt64($0) }) else {
            throw .unreachable("\(client.server): an upload without an Upload-Offset")
        }
        return offset
    }

    private func append(
        _ id: String, _ file: LocalFile, _ offset: UInt64, _ size: UInt64, _ progress: Progress
    ) throws(ClientError) {
        try file.seek(to: offset)
        progress.start(at: offset)
        var request = ClientRequest(target: "/v1/uploads/\(id)")
        request.method = "PATCH"
        request.headers = [
            "Upload-Offset: \(offset)", "Content-Type: application/partial-upload",
        ]
        request.length = size - offset
        request.source = { file.reading(into: $0, progress) }
        _ = try client.send(request)
    }
}

extension LocalFile {
    func reading(into buffer: UnsafeMutableRawBufferPointer, _ progress: Progress) -> Int? {
        let count = read(into: buffer)
        progress.add(UInt64(count ?? 0))
        return count
    }
}

/// A line that is written over itself, where standard error is a terminal and the transfer is long.
final class Progress {
    private let name: String
    private let total: UInt64?
    private var done: UInt64 = 0
    private var shown: UInt64 = 0
    private let isShown = isatty(STDERR_FILENO) == 1

    init(_ name: String, of total: UInt64?) {
        self.name = name
        self.total = total
    }

    func start(at offset: UInt64) { done = offset }

    func add(_ count: UInt64) {
        done += count
        guard isShown, done - min(done, shown) >= 8 << 20 else { return }
        shown = done
        let percent = total.map { $0 == 0 ? "" : " \(done * 100 / $0)%" } ?? ""
        let line = Array("\r\(name) \(done >> 20) MiB\(percent)\u{1b}[K".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }

    func end() {
        guard isShown, shown > 0 else { return }
        _ = write(STDERR_FILENO, "\r\u{1b}[K", 4)
    }
}
