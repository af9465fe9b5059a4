internal import ArgumentParser
internal import Glibc

/// One object into a file: written beside it, synced, and renamed when it is whole.
struct Downloader {
    static let attemptsMax = 8
    let client: HTTPClient

    func download(_ object: ObjectPath, to path: String) throws(ClientError) {
        // A device or a pipe is written to; a file is replaced.
        guard path != "-", !LocalFile.isSpecial(path) else {
            return try fetch(object, try LocalFile(writing: path))
        }
        Interruption.watch()
        let part = path + ".vortex-part"
        do throws(ClientError) {
            let file = try LocalFile(writing: part)
            try fetch(object, file)
            try file.sync()
            guard rename(part, path) == 0 else { throw ClientError.local(path, errno: errno) }
        } catch {
            unlink(part)
            throw error
        }
    }

    /// Where the connection breaks, the rest is asked for, of the same version.
    private func fetch(_ object: ObjectPath, _ file: LocalFile) throws(ClientError) {
        var request = ClientRequest(target: object.target)
        request.method = "HEAD"
        let head = try client.send(request)
        guard let tag = head["etag"],
            let size = head["content-length"].flatMap({ UInt64($0) })
        else {
            throw .unreachable("\(client.server): an object without ETag or length")
        }
        let progress = Progress(object.key, of: size)
        var done: UInt64 = 0
        var attempts = 0
        while done < size {
            let before = done
            do throws(ClientError) {
                var request = ClientRequest(target: object.target)
                request.headers = ["If-Match: \(tag)"]
                if done > 0 {
                    request.headers.append("Range: bytes=\(done)-")
                    request.sinkStatus = 206
                }
                request.sink = { (bytes) throws(ClientError) in
                    try file.write(bytes)
                    done += UInt64(bytes.count)
                    progress.add(UInt64(bytes.count))
                }
                _ = try client.send(request)
                guard done == size else {
                    throw ClientError.unreachable("\(client.server): \(done) of \(size) bytes")
                }
            } catch {
                attempts = done > before ? 0 : attempts + 1
                guard error.isPassing, done <= size, attempts < Self.attemptsMax else {
                    throw error
                }
                usleep(UInt32(200_000 << min(attempts, 5)))
            }
        }
        progress.end()
    }
}

/// `vortex get`: objects into files.
struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Fetch objects.",
        discussion: """
            Fetches BUCKET/KEY into FILE ('-': standard output; default: the key's last part), or \
            with -r everything below BUCKET/FOLDER into a folder. A file appears only when it is \
            whole.

            Examples:
              vortex get docs/2026/report.pdf
              vortex get -r pictures/photos/ ./back

            \(ClientError.exitCodes)
            """)

    @OptionGroup var connection: ServerOptions
    @Flag(name: .shortAndLong, help: "All objects below BUCKET/FOLDER.")
    var recursive = false
    @Argument(help: "BUCKET/KEY, or BUCKET/FOLDER with -r.")
    var object: String
    @Argument(help: "Where to.")
    var destination: String?

    func run() throws {
        try reporting { () throws(ClientError) in
            let client = try connection.connect()
            let object = ObjectPath(object)
            if recursive { return try fetchAll(object.folder, client) }
            guard !object.key.isEmpty else { throw .local("\(object.bucket): which key?") }
            let name = object.key.split(separator: "/").last.map(String.init) ?? "object"
            var path = destination ?? name
            if path != "-", LocalFile.isFolder(path) { path += "/" + name }
            try Downloader(client: client).download(object, to: path)
        }
    }

    private func fetchAll(_ object: ObjectPath, _ client: HTTPClient) throws(ClientError) {
        let folder = destination ?? "."
        var keys: [String] = []
        var refused = 0
        try Listing(client: client, bucket: object.bucket, prefix: object.key, delimiter: "")
            .each { (entry) throws(ClientError) in
                guard case .object(let key, _, _) = entry else { return }
                let relative = key.dropFirst(object.key.count).drop { $0 == "/" }
                if ObjectPath.fileName(String(relative)) != nil, key.hasPrefix(object.key) {
                    keys.append(key)
                } else {
                    printError("vortex: \(key): no path below \(folder), left out")
                    refused += 1
                }
            }
        let (bucket, prefix) = (object.bucket, object.key)
        try Workers.run(keys, client) { (key, client) throws(ClientError) in
            let path = folder + "/" + key.dropFirst(prefix.count).drop { $0 == "/" }
            try LocalFile.makeFolders(for: path)
            try Downloader(client: client).download(
                ObjectPath(bucket: bucket, key: key), to: path)
        }
        if refused > 0 { throw .local("\(refused) keys were left out") }
    }
}

/// `vortex cat`: an object to standard output.
struct CatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Write an object to standard output.",
        discussion: ClientError.exitCodes)

    @OptionGroup var connection: ServerOptions
    @Argument(help: "BUCKET/KEY")
    var object: String

    func run() throws {
        try reporting { () throws(ClientError) in
            try Downloader(client: try connection.connect())
                .download(ObjectPath(object), to: "-")
        }
    }
}
