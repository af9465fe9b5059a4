internal import ArgumentParser
internal import VortexGateway

/// `vortex key`: access keys made, listed, given new secrets, revoked.
struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Create, list, rotate and revoke access keys.",
        discussion: """
            A key is an id and a secret, good for S3 and, as 'Bearer ID:SECRET', for /v1.
            Grants: 'read,list:photos/2026/' (keys below a prefix), 'write:inbox' (a bucket),
            'admin:*' (everything).

            """ + ClientError.exitCodes,
        subcommands: [Create.self, List.self, Rotate.self, Revoke.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key; its secret is told this once.")
        @OptionGroup var connection: ServerOptions
        @Option(help: "ACTIONS:PLACE; may be given several times. (default: admin:*)")
        var grant: [String] = []
        @Option(help: "Seconds after which the key expires.")
        var lifetime: UInt64?
        @Flag(help: "As JSON.")
        var json = false

        func run() throws {
            let grants = grant.isEmpty ? "admin:*" : grant.joined(separator: ";")
            var target = "/v1/keys?grants=" + ObjectPath.encoded(grants)
            if let lifetime { target += "&lifetime=\(lifetime)" }
            try KeyCommand.showMade("POST", target, connection, json: json)
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a key a new secret; the old one is refused from then on.")
        @OptionGroup var connection: ServerOptions
        @Argument var id: String
        @Flag(help: "As JSON.")
        var json = false

        func run() throws {
            let target = "/v1/keys/\(ObjectPath.encoded(id))/rotate"
            try KeyCommand.showMade("POST", target, connection, json: json)
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key; no node accepts it five seconds later.")
        @OptionGroup var connection: ServerOptions
        @Argument var id: String

        func run() throws {
            try reporting { () throws(ClientError) in
                var request = ClientRequest(target: "/v1/keys/" + ObjectPath.encoded(id))
                request.method = "DELETE"
                _ = try connection.connect().send(request)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys, without their secrets.")
        @OptionGroup var connection: ServerOptions
        @Flag(help: "As JSON, one key a line.")
        var json = false

        func run() throws {
            try reporting { () throws(ClientError) in
                try KeyCommand.list(try connection.connect(), json: json)
            }
        }
    }

    private static func showMade(
        _ method: String, _ target: String, _ connection: ServerOptions, json: Bool
    ) throws {
        try reporting { () throws(ClientError) in
            var request = ClientRequest(target: target)
            request.method = method
            let client = try connection.connect()
            let answer = try client.send(request)
            if json { return print(String(decoding: answer.body, as: UTF8.self)) }
            let key = try read(answer, client)
            print("access key \(key["id"]?.text ?? "")")
            print("secret     \(key["secret"]?.text ?? "")")
        }
    }

    private static func read(
        _ answer: ClientAnswer, _ client: HTTPClient
    ) throws(ClientError) -> JSONValue {
        do throws(JSONValue.Malformed) { return try JSONValue.read(answer.body) } catch {
            throw .unreachable("\(client.server): an answer that is not JSON")
        }
    }

    private static func list(_ client: HTTPClient, json: Bool) throws(ClientError) {
        var cursor = ""
        while true {
            let page = try read(
                try client.send(ClientRequest(target: "/v1/keys?limit=1000" + cursor)), client)
            for key in page["keys"]?.items ?? [] {
                let grants = (key["grants"]?.items ?? []).compactMap(\.text)
                let (id, created) = (key["id"]?.text ?? "", key["created"]?.text ?? "")
                let expires = key["expires"]?.text
                if json {
                    var line = JSONWriter()
                    line.object { json in
                        json.member("id", id)
                        json.member("created", created)
                        if let expires {
                            json.member("expires", expires)
                        } else {
                            json.null("expires")
                        }
                        json.array("grants") { json in for grant in grants { json.value(grant) } }
                    }
                    print(String(decoding: line.bytes, as: UTF8.self))
                } else {
                    let end = expires.map { "  until \($0)" } ?? ""
                    print("\(id)  \(created)  \(grants.joined(separator: "; "))\(end)")
                }
            }
            guard let next = page["next"]?.text else { return }
            cursor = "&after=" + ObjectPath.encoded(next)
        }
    }
}
