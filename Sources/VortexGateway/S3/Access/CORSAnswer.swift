internal import VortexCore

/// What a bucket's CORS rules say to a request: the first rule that has the page's origin and the
/// method (of a preflight, the headers too) is the one that counts, as in Amazon's.
struct CORSAnswer: Sendable, Hashable {
    private let rule: CORSRule
    private let origin: String
    /// Of a preflight: as they were asked for.
    private let requested: [String]

    /// A preflight may name so many headers.
    private static let requestedMax = 100
    static let vary = (
        "Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    )

    /// nil where no rule allows it, or no page asks.
    init?(_ rules: [CORSRule], _ headers: HeaderFields, method: String, requested: [String] = []) {
        guard let origin = headers[PageOrigin.header], let method = CORSRule.Methods(name: method),
            requested.count <= Self.requestedMax,
            let rule = rules.first(where: { rule in
                rule.methods.contains(method) && rule.allows(origin: origin)
                    && requested.allSatisfy { rule.allows(header: $0) }
            })
        else { return nil }
        self.rule = rule
        self.origin = origin
        self.requested = requested
    }

    /// The header names in Access-Control-Request-Headers.
    static func requested(_ headers: HeaderFields) -> [String] {
        headers.all("access-control-request-headers").flatMap { $0.split(separator: ",") }
            .map { String(decoding: SignatureCheck.trimmed(String($0)), as: UTF8.self) }
            .filter { !$0.isEmpty }.map { $0.lowercased() }
    }

    var headers: [(String, String)] {
        var headers: [(String, String)] = []
        if rule.origins.first(where: { CORSRule.matches($0, origin) }) == "*" {
            headers.append(("Access-Control-Allow-Origin", "*"))
        } else {
            headers.append(("Access-Control-Allow-Origin", origin))
            headers.append(("Access-Control-Allow-Credentials", "true"))
        }
        headers.append(("Access-Control-Allow-Methods", rule.methods.names.joined(separator: ", ")))
        if !requested.isEmpty {
            headers.append(
                ("Access-Control-Allow-Headers", requested.joined(separator: ", ")))
        }
        if !rule.exposedHeaders.isEmpty {
            headers.append(
                ("Access-Control-Expose-Headers", rule.exposedHeaders.joined(separator: ", ")))
        }
        if let seconds = rule.maxAgeSeconds {
            headers.append(("Access-Control-Max-Age", String(seconds)))
        }
        return headers
    }
}

extension CORSRule {
    func allows(origin: String) -> Bool { origins.contains { Self.matches($0, origin) } }

    /// `header` in lower case.
    func allows(header: String) -> Bool {
        headers.contains { Self.matches($0.lowercased(), header) }
    }

    /// One `*` in the pattern stands for anything.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let (pattern, text) = (Array(pattern.utf8), Array(text.utf8))
        guard let star = pattern.firstIndex(of: UInt8(ascii: "*")) else { return pattern == text }
        let (head, tail) = (pattern[..<star], pattern[(star + 1)...])
        return text.count >= head.count + tail.count && text.starts(with: head)
            && text.suffix(tail.count).elementsEqual(tail)
    }
}

extension CORSRule.Methods {
    private static let table: [(name: String, method: CORSRule.Methods)] = [
        ("GET", .get), ("PUT", .put), ("HEAD", .head), ("POST", .post), ("DELETE", .delete),
    ]

    init?(name: String) {
        guard let found = Self.table.first(where: { $0.name == name }) else { return nil }
        self = found.method
    }

    var names: [String] { Self.table.filter { contains($0.method) }.map(\.name) }
}
