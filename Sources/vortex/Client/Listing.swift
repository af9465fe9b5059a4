internal import VortexGateway

/// A bucket's keys, page by page.
struct Listing {
    enum Entry {
        case object(key: String, size: UInt64, modified: String)
        case folder(String)
    }

    let client: HTTPClient
    let bucket: String
    let prefix: String
    let delimiter: String

    /// Gives every entry, in order, reading a page ahead of none.
    func each(_ body: (Entry) throws(ClientError) -> Void) throws(ClientError) {
        var after = ""
        while true {
            func part(_ name: String, _ value: String) -> String {
                value.isEmpty
                    ? "" : "&\(name)=" + ObjectPath.encoded(value, keepingSlashes: false)
            }
            let target =
                "/v1/objects/\(ObjectPath.encoded(bucket))?limit=1000"
                + part("prefix", prefix) + part("delimiter", delimiter) + part("after", after)
            let answer = try client.send(ClientRequest(target: target))
            let page: JSONValue
            do throws(JSONValue.Malformed) { page = try JSONValue.read(answer.body) } catch {
                throw .unreachable("\(client.server): a list that is not JSON")
            }
            for folder in page["prefixes"]?.items ?? [] { try body(.folder(folder.text ?? "")) }
            for object in page["objects"]?.items ?? [] {
                try body(
                    .object(
                        key: object["key"]?.text ?? "", size: object["size"]?.number ?? 0,
                        modified: object["modified"]?.text ?? ""))
            }
            guard let next = page["next"]?.text else { return }
            after = next
        }
    }
}
