/// An entity tag as a client sends it, without its quotes (RFC 9110, 8.8.3).
public struct ClientTag: Sendable, Hashable {
    public var value: String
    public var isWeak: Bool

    public init(_ value: String, isWeak: Bool = false) {
        self.value = value
        self.isWeak = isWeak
    }

    static func scan(_ scanner: inout FieldScanner) -> ClientTag? {
        let isWeak = scanner.peek == UInt8(ascii: "W")
        if isWeak {
            guard scanner.take("W"), scanner.take("/") else { return nil }
        }
        guard scanner.take("\"") else { return nil }
        let value = scanner.take { $0 == 0x21 || (0x23...0x7e).contains($0) || $0 >= 0x80 }
        guard scanner.take("\"") else { return nil }
        return ClientTag(String(decoding: value, as: UTF8.self), isWeak: isWeak)
    }
}

/// The value of If-Match or If-None-Match.
public enum EntityTagList: Sendable, Hashable {
    case any
    case tags([ClientTag])

    /// `lines` are all the fields of that name, nil without one; empty list elements are skipped,
    /// as RFC 9110, 5.6.1.2 asks. A list without an element, or `*` beside a tag, is malformed.
    public static func parse(
        _ lines: [String], _ part: RequestPart
    ) throws(RequestError) -> EntityTagList? {
        guard !lines.isEmpty else { return nil }
        var scanner = FieldScanner(lines: lines)
        var tags: [ClientTag] = []
        scanner.skipWhitespace()
        if scanner.take("*") {
            scanner.skipWhitespace()
            guard scanner.isAtEnd else { throw .malformed(part) }
            return .any
        }
        while !scanner.isAtEnd {
            if scanner.peek != UInt8(ascii: ",") {
                guard let tag = ClientTag.scan(&scanner) else { throw .malformed(part) }
                tags.append(tag)
                scanner.skipWhitespace()
            }
            guard scanner.isAtEnd || scanner.take(",") else { throw .malformed(part) }
            scanner.skipWhitespace()
        }
        guard !tags.isEmpty else { throw .malformed(part) }
        return .tags(tags)
    }

    /// Strong comparison (RFC 9110, 8.8.3.2) with a strong tag that exists: a weak tag never
    /// matches.
    public func matchesStrongly(_ etag: String) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { !$0.isWeak && $0.value == etag }
        }
    }

    /// Weak comparison.
    public func matchesWeakly(_ etag: String) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.value == etag }
        }
    }
}
