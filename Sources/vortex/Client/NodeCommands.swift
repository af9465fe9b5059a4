internal import ArgumentParser
internal import VortexGateway

/// `vortex bucket` and `vortex status`.
struct BucketCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bucket", abstract: "Create, delete and list buckets.",
        discussion: ClientError.exitCodes,
        subcommands: [Create.self, Remove.self, List.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a bucket.")
        @OptionGroup var connection: ServerOptions
        @Argument var name: String
        func run() throws { try BucketCommand.send("PUT", name, connection) }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Delete an empty bucket.")
        @OptionGroup var connection: ServerOptions
        @Argument var name: String
        func run() throws { try BucketCommand.send("DELETE", name, connection) }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the buckets.")
        @OptionGroup var connection: ServerOptions
        func run() throws {
            try reporting { () throws(ClientError) in
                try BucketCommand.list(try connection.connect())
            }
        }
    }

    private static func send(
        _ method: String, _ name: String, _ connection: ServerOptions
    ) throws {
        try reporting { () throws(ClientError) in
            var request = ClientRequest(target: "/v1/buckets/" + ObjectPath.encoded(name))
            request.method = method
            _ = try connection.connect().send(request)
        }
    }

    static func list(_ client: HTTPClient) throws(ClientError) {
        var after = ""
        while true {
            let cursor = after.isEmpty ? "" : "?after=" + ObjectPath.encoded(after)
            let answer = try client.send(ClientRequest(target: "/v1/buckets" + cursor))
            let page: JSONValue
            do throws(JSONValue.Malformed) { page = try JSONValue.read(answer.body) } catch {
                throw .unreachable("\(client.server): a list that is not JSON")
            }
            for bucket in page["buckets"]?.items ?? [] {
                print("\(bucket["created"]?.text ?? "")  \(bucket["name"]?.text ?? "")")
            }
            guard let next = page["next"]?.text else { return }
            after = next
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show a node's state.",
        discussion: ClientError.exitCodes)

    @OptionGroup var connection: ServerOptions
    @Flag(help: "As the server tells it.")
    var json = false

    func run() throws {
        try reporting { () throws(ClientError) in
            let client = try connection.connect()
            let answer = try client.send(ClientRequest(target: "/v1/status"))
            if json { return print(String(decoding: answer.body, as: UTF8.self)) }
            let status: JSONValue
            do throws(JSONValue.Malformed) { status = try JSONValue.read(answer.body) } catch {
                throw .unreachable("\(client.server): a status that is not JSON")
            }
            Self.show(status, indent: "")
        }
    }

    private static func show(_ value: JSONValue, indent: String) {
        guard case .object(let members) = value else { return }
        for member in members {
            let (name, value) = (member.name, member.value)
            switch value {
            case .object:
                print("\(indent)\(name)")
                show(value, indent: indent + "  ")
            case .array(let items): print("\(indent)\(name): \(items.count)")
            case .string(let text): print("\(indent)\(name): \(text)")
            case .bool(let flag): print("\(indent)\(name): \(flag)")
            case .number(let number): print("\(indent)\(name): \(number)")
            case .null: print("\(indent)\(name): -")
            }
        }
    }
}
