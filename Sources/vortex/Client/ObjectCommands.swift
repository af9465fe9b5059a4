internal import ArgumentParser

/// `vortex ls`, `rm`, `stat`: what is there, and away with it.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List buckets, or a bucket's keys.",
        discussion: """
            Without -r, keys are folded at the next slash, as folders are.

            Examples:
              vortex ls
              vortex ls docs/2026/

            \(ClientError.exitCodes)
            """)

    @OptionGroup var connection: ServerOptions
    @Flag(name: .shortAndLong, help: "All keys, nothing folded.")
    var recursive = false
    @Argument(help: "BUCKET or BUCKET/PREFIX; none lists the buckets.")
    var path: String?

    func run() throws {
        try reporting { () throws(ClientError) in
            let client = try connection.connect()
            guard let path else { return try BucketCommand.list(client) }
            let object = ObjectPath(path)
            let listing = Listing(
                client: client, bucket: object.bucket, prefix: object.key,
                delimiter: recursive ? "" : "/")
            try listing.each { (entry) throws(ClientError) in
                switch entry {
                case .folder(let name): print("                               -  \(name)")
                case .object(let key, let size, let modified):
                    let digits = String(size)
                    let padding = String(repeating: " ", count: max(0, 7 - digits.count))
                    print("\(modified) \(padding)\(digits)  \(key)")
                }
            }
        }
    }
}

struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Delete objects.", discussion: ClientError.exitCodes)

    @OptionGroup var connection: ServerOptions
    @Flag(name: .shortAndLong, help: "Every object below BUCKET/FOLDER.")
    var recursive = false
    @Argument(help: "BUCKET/KEY, or BUCKET/FOLDER with -r.")
    var objects: [String]

    func run() throws {
        try reporting { () throws(ClientError) in
            let client = try connection.connect()
            for text in objects {
                let object = ObjectPath(text)
                if recursive {
                    var keys: [String] = []
                    try Listing(
                        client: client, bucket: object.bucket, prefix: object.folder.key,
                        delimiter: ""
                    ).each { (entry) throws(ClientError) in
                        if case .object(let key, _, _) = entry { keys.append(key) }
                    }
                    try Workers.run(keys, client) { (key, client) throws(ClientError) in
                        try Self.remove(ObjectPath(bucket: object.bucket, key: key), client)
                    }
                } else {
                    guard !object.key.isEmpty else {
                        throw .local("\(object.bucket): which key? (vortex bucket rm deletes it)")
                    }
                    try Self.remove(object, client)
                }
            }
        }
    }

    private static func remove(
        _ object: ObjectPath, _ client: HTTPClient
    ) throws(ClientError) {
        var request = ClientRequest(target: object.target)
        request.method = "DELETE"
        _ = try client.send(request)
    }
}

struct StatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat", abstract: "Show an object's headers.",
        discussion: ClientError.exitCodes)

    @OptionGroup var connection: ServerOptions
    @Argument(help: "BUCKET/KEY")
    var object: String

    func run() throws {
        try reporting { () throws(ClientError) in
            var request = ClientRequest(target: ObjectPath(object).target)
            request.method = "HEAD"
            let answer = try connection.connect().send(request)
            let uninteresting: Set = ["date", "connection", "x-request-id", "accept-ranges"]
            for (name, value) in answer.headers where !uninteresting.contains(name) {
                print("\(name): \(value)")
            }
        }
    }
}
