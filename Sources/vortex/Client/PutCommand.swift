internal import ArgumentParser

/// `vortex put`: files into a bucket.
struct PutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Store files.",
        discussion: """
            The last argument is BUCKET/KEY, or BUCKET/PREFIX/ (with a slash at its end) under \
            which files keep their names. '-' is standard input. Files of 64 MiB and more are sent \
            by a resumable upload, and go on by themselves after a broken connection.

            Examples:
              vortex put report.pdf docs/2026/report.pdf
              vortex put -r photos pictures/
              tar c . | vortex put - backups/today.tar

            \(ClientError.exitCodes)
            """)

    @OptionGroup var connection: ServerOptions
    @Flag(name: .shortAndLong, help: "Folders, with all regular files in them.")
    var recursive = false
    @Option(help: "Go on with this upload, whose id an interrupted put printed.")
    var resume: String?
    @Option(help: "The Content-Type to store.")
    var contentType: String?
    @Flag(help: "Only where the key does not exist yet.")
    var noOverwrite = false
    @Argument(help: "Files, and at last where they go.")
    var arguments: [String]

    func validate() throws {
        guard arguments.count >= 2 else {
            throw ValidationError("Say what to store, and as which BUCKET/KEY.")
        }
    }

    func run() throws {
        try reporting { () throws(ClientError) in
            let client = try connection.connect()
            let target = ObjectPath(arguments[arguments.count - 1])
            let sources = Array(arguments.dropLast())
            guard sources.count == 1 || target.isFolder else {
                throw .local("several files need a BUCKET/PREFIX/ that ends with a slash")
            }
            if let resume { return try goOn(with: resume, sources[0], target, client) }
            for source in sources { try put(source, target, client) }
        }
    }

    private func goOn(
        with id: String, _ source: String, _ target: ObjectPath, _ client: HTTPClient
    ) throws(ClientError) {
        let file = try LocalFile(reading: source)
        guard let size = file.size else { throw .local("only a file can be resumed") }
        let uploader = Uploader(client: client)
        let named = target.isFolder ? target.adding(Self.name(of: source)) : target
        if let known = try uploader.target(of: id), known != named {
            throw .local("upload \(id) is for \(known.bucket)/\(known.key)")
        }
        Interruption.watch()
        try uploader.resume(id, file, size)
    }

    private static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private func put(
        _ source: String, _ target: ObjectPath, _ client: HTTPClient
    ) throws(ClientError) {
        guard source != "-", LocalFile.isFolder(source) else {
            var object = target
            if target.isFolder {
                guard source != "-" else { throw .local("standard input needs a key") }
                object = object.adding(Self.name(of: source))
            }
            return try Self.send(source, object, headers, client)
        }
        guard recursive else { throw .local("\(source): a folder; -r stores what is in it") }
        let prefix = target.isFolder ? target.key : target.key + "/"
        let (bucket, headers) = (target.bucket, headers)
        try Workers.run(try LocalFile.files(below: source), client) {
            (file, client) throws(ClientError) in
            let object = ObjectPath(bucket: bucket, key: prefix + file)
            try Self.send(source + "/" + file, object, headers, client)
        }
    }

    private var headers: [String] {
        var headers: [String] = []
        if let contentType { headers.append("Content-Type: \(contentType)") }
        if noOverwrite { headers.append("If-None-Match: *") }
        return headers
    }

    private static func send(
        _ path: String, _ object: ObjectPath, _ headers: [String], _ client: HTTPClient
    ) throws(ClientError) {
        let file = try LocalFile(reading: path)
        try Uploader(client: client, headers: headers).upload(file, to: object)
    }
}
