internal import Glibc
internal import VortexCore
internal import VortexGateway

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
        guard let size = file.size else { return try put(file, object, nil) }
        if size >= Self.resumableBytes {
            Interruption.watch()
            return try resume(try begin(object, size), file, size)
        }
        // A repeat whose first answer was lost gets that answer, also where If-None-Match asks.
        let words = (0..<2).map { _ in UInt64.random(in: 0...UInt64.max) }
        let key = "Idempotency-Key: \(words[0])-\(words[1])"
        var attempts = 0
        while true {
            do throws(ClientError) {
                try file.seek(to: 0)
                return try put(file, object, size, [key])
            } catch {
                attempts += 1
                // Nobody there at the first attempt: nobody is waited for.
                if case .absent = error, attempts == 1 { throw error }
                guard error.isPassing, attempts < Self.attemptsMax else { throw error }
                usleep(UInt32(200_000 << min(attempts, 5)))
            }
        }
    }

    private func put(
        _ file: LocalFile, _ object: ObjectPath, _ size: UInt64?, _ more: [String] = []
    ) throws(ClientError) {
        let progress = Progress(object.key, of: size)
        var request = ClientRequest(target: object.target)
        request.method = "PUT"
        request.headers = headers + more
        request.length = size
        request.source = { (buffer) throws(ClientError) in try file.reading(into: buffer, progress)
        }
        _ = try client.send(request)
        progress.end()
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
                // Nil: it is over. Completing it again gives the answer that was lost, if one was.
                if let offset {
                    guard offset <= size else {
                        throw ClientError.local("\(file.path): shorter than what was sent of it")
                    }
                    if offset < size { try append(id, file, offset, size, progress) }
                }
                var request = ClientRequest(target: "/v1/uploads/\(id)/complete")
                request.method = "POST"
                _ = try client.send(request)
                progress.end()
                return
            } catch {
                attempts += 1
                guard Self.isPassing(error), attempts < Self.attemptsMax else {
                    if case .refused(404, _) = error { throw error }
                    printError("vortex: to go on later: vortex put --resume \(id) \(file.path) ...")
                    throw error
                }
                usleep(UInt32(200_000 << min(attempts, 5)))
            }
        }
    }

    /// 409: the offset was not the server's, which is asked for again.
    private static func isPassing(_ error: ClientError) -> Bool {
        if case .refused(409, _) = error { return true }
        return error.isPassing
    }

    /// What an upload is for, so that a file does not go into another object than the one named.
    func target(of id: String) throws(ClientError) -> ObjectPath? {
        let answer: ClientAnswer
        do throws(ClientError) {
            answer = try client.send(ClientRequest(target: "/v1/uploads/\(id)"))
        } catch .refused(404, _) { return nil }
        let upload: JSONValue
        do throws(JSONValue.Malformed) { upload = try JSONValue.read(answer.body) } catch {
            throw .unreachable("\(client.server): an upload that is not JSON")
        }
        return ObjectPath(bucket: upload["bucket"]?.text ?? "", key: upload["key"]?.text ?? "")
    }

    /// Nil where the upload is over, or unknown.
    private func offset(of id: String) throws(ClientError) -> UInt64? {
        var request = ClientRequest(target: "/v1/uploads/\(id)")
        request.method = "HEAD"
        let answer: ClientAnswer
        do throws(ClientError) { answer = try client.send(request) } catch .refused(404, _) {
            return nil
        }
        guard let offset = answer["upload-offset"].flatMap({ UInt64($0) }) else {
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
        request.source = { (buffer) throws(ClientError) in try file.reading(into: buffer, progress)
        }
        _ = try client.send(request)
    }
}

extension LocalFile {
    func reading(
        into buffer: UnsafeMutableRawBufferPointer, _ progress: Progress
    ) throws(ClientError) -> Int {
        let count = try read(into: buffer)
        progress.add(UInt64(count))
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
