internal import OrderedCollections

/// Histories out of the logs that real clients kept: what a request's HTTP status says about the
/// key, and under which name a content goes, its digest where any line has it, else its entity tag.
public struct ClientLog: Sendable {
    public struct Line: Hashable, Sendable {
        public enum Operation: String, Sendable { case put, get, delete, head }
        public var client: Int
        public var operation: Operation
        public var bucket: String
        public var key: String
        public var start: UInt64
        /// nil, like `status`: no answer was heard.
        public var end: UInt64?
        public var status: Int?
        public var etag: String?
        public var ifMatch: String?
        public var ifNoneMatch: String?
        /// Of the body that was sent, or received whole.
        public var digest: String?
        /// Of a delete: whether there was something, where the answer said so.
        public var existed: Bool?

        public init(
            client: Int, operation: Operation, bucket: String, key: String, start: UInt64,
            end: UInt64?, status: Int?
        ) {
            self.client = client
            self.operation = operation
            self.bucket = bucket
            self.key = key
            self.start = start
            self.end = end
            self.status = status
        }
    }

    private var lines: [Line] = []
    private var digests: [String: String] = [:]
    /// Bodies that came back under an entity tag that stands for another one.
    private var conflicts: [String] = []

    public init() {}
    public var count: Int { lines.count }

    public mutating func add(_ line: Line) {
        lines.append(line)
        guard let status = line.status, (200..<300).contains(status), status != 206,
            let tag = line.etag.map({ Self.tag($0) }), let digest = line.digest
        else { return }
        if let known = digests[tag], known != digest {
            conflicts.append("\(line.bucket)/\(line.key): two bodies under the entity tag \(tag)")
        }
        digests[tag] = digest
    }

    /// What is wrong, key by key; empty where all can be explained.
    public func problems() -> [String] {
        var histories: OrderedDictionary<String, [Line]> = [:]
        for line in lines { histories["\(line.bucket)/\(line.key)", default: []].append(line) }
        return conflicts
            + histories.keys.sorted().compactMap { place in
                problem(of: histories[place] ?? []).map { "\(place): \($0)" }
            }
    }

    /// Of the lines of one key.
    private func problem(of lines: [Line]) -> String? {
        var first: String?
        for names in guesses(lines) {
            let verdict = LinearizabilityChecker.check(
                lines.compactMap { operation($0, names) })
            guard let reason = verdict.reason else { return nil }
            first = first ?? reason
        }
        return first
    }

    /// A `head` may tell the entity tag of a put whose answer was lost and that no `get` has met:
    /// which one it was is tried.
    private func guesses(_ lines: [Line]) -> [[String: String]] {
        var tags: OrderedSet<String> = []
        var told: Set<String> = []
        var bodies: OrderedSet<String> = []
        let known = Set(digests.values)
        for line in lines {
            if let status = line.status, (200..<300).contains(status) {
                guard let tag = line.etag.map({ Self.tag($0) }), digests[tag] == nil else {
                    continue
                }
                if line.operation == .put { told.insert(tag) } else { tags.append(tag) }
            } else if line.operation == .put, let digest = line.digest,
                changeResult(line.status, line) == .unknown, !known.contains(digest)
            {
                bodies.append(digest)
            }
        }
        tags.subtract(told)
        guard tags.count <= bodies.count else { return [[:]] }
        var guesses: [[String: String]] = [[:]]
        for tag in tags {
            guesses = guesses.flatMap { names in
                bodies.filter { !names.values.contains($0) }.map { body in
                    names.merging([tag: body]) { $1 }
                }
            }
            guesses = Array(guesses.prefix(Self.guessesMax))
        }
        return guesses
    }
    private static let guessesMax = 1_000

    /// nil where the line says nothing about the key. `names`: bodies by entity tags that only
    /// heads have told.
    private func operation(_ line: Line, _ names: [String: String]) -> RegisterOperation? {
        var operation = RegisterOperation(
            client: line.client, start: line.start, end: line.end ?? line.start, action: .read,
            condition: RegisterOperation.Condition(
                match: line.ifMatch.map { values($0, names) },
                noneMatch: line.ifNoneMatch.map { values($0, names) }),
            result: .unknown)
        let status = line.end == nil ? nil : line.status
        switch line.operation {
        case .get, .head:
            guard let status, let result = readResult(status, line, names) else { return nil }
            operation.result = result
        case .put:
            operation.action = .put(value(line, names) ?? "unknown")
            guard let result = changeResult(status, line) else { return nil }
            operation.result = result
        case .delete:
            operation.action = .delete
            guard let result = changeResult(status, line) else { return nil }
            operation.result = result
        }
        if status == 404 { operation.action = .read }
        return operation
    }

    private func readResult(
        _ status: Int, _ line: Line, _ names: [String: String]
    ) -> RegisterOperation.Result? {
        switch status {
        case 200, 206: .found(value(line, names))
        case 404: .found(nil)
        case 304, 412: .conditionFailed
        default: nil
        }
    }

    /// An error of the server's leaves open whether a change was made, except that there is no room
    /// (507); one of the client's says that it was not, except that the body was slow (408).
    private func changeResult(_ status: Int?, _ line: Line) -> RegisterOperation.Result? {
        switch status {
        case nil, 408?: return .unknown
        case 201?: return .done(existed: line.existed ?? false)
        case 204? where line.operation == .delete: return .done(existed: line.existed)
        case .some(200..<300): return .done(existed: line.existed ?? true)
        case 404?: return .found(nil)
        case 412?: return .conditionFailed
        case 507?: return nil
        case .some(500...): return .unknown
        default: return nil
        }
    }

    private func value(_ line: Line, _ names: [String: String]) -> String? {
        let tag = line.etag.map { Self.tag($0) }
        if line.status != 206, let digest = line.digest { return digest }
        return tag.map { digests[$0] ?? names[$0] ?? $0 }
    }

    private func values(
        _ field: String, _ names: [String: String]
    ) -> RegisterOperation.Values {
        if field == "*" { return .any }
        return .some(
            field.split(separator: ",").map { part in
                let tag = Self.tag(String(part))
                return digests[tag] ?? names[tag] ?? tag
            })
    }

    /// Without quotes, blanks and the mark of a weak tag.
    private static func tag(_ text: String) -> String {
        var tag = text.drop { $0 == " " }
        if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
        return String(tag.filter { $0 != "\"" && $0 != " " })
    }
}
