/// The tags of an If-Match or If-None-Match: strong ones, without quotes.
public enum ETagSet: Hashable, Sendable {
    /// `*`: anything that exists.
    case any
    case tags([String])

    /// Whether a version with this tag, or none (nil), is one of the set.
    public func contains(_ tag: EntityTag?) -> Bool {
        guard let tag else { return false }
        switch self {
        case .any: return true
        case .tags(let tags): return tags.contains(tag.description)
        }
    }
}

/// If-Match and If-None-Match of a write (RFC 9110, section 13).
public struct WriteCondition: Hashable, Sendable {
    public var ifMatch: ETagSet?
    public var ifNoneMatch: ETagSet?

    public init(ifMatch: ETagSet? = nil, ifNoneMatch: ETagSet? = nil) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
    }

    public static let none = WriteCondition()

    /// Whether the write may go ahead where the visible version has `tag` (nil: there is none).
    public func holds(for tag: EntityTag?) -> Bool {
        if let ifMatch, !ifMatch.contains(tag) { return false }
        if let ifNoneMatch, ifNoneMatch.contains(tag) { return false }
        return true
    }
}
