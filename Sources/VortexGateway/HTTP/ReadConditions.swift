/// The conditions of a GET or HEAD, and the order in which they count (RFC 9110, 13.2.2): If-Match,
/// else If-Unmodified-Since; then If-None-Match, else If-Modified-Since. They are asked only about
/// an object that exists: what would be a 404 without them stays one (13.2.1).
public struct ReadConditions: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case proceed
        /// 304
        case notModified
        /// 412
        case failed
    }

    public var ifMatch: EntityTagList?
    public var ifUnmodifiedSinceSeconds: Int64?
    public var ifNoneMatch: EntityTagList?
    public var ifModifiedSinceSeconds: Int64?

    public init() {}

    public func outcome(etag: String, modifiedSeconds: Int64) -> Outcome {
        if let ifMatch {
            if !ifMatch.matchesStrongly(etag) { return .failed }
        } else if let since = ifUnmodifiedSinceSeconds, modifiedSeconds > since {
            return .failed
        }
        if let ifNoneMatch {
            if ifNoneMatch.matchesWeakly(etag) { return .notModified }
        } else if let since = ifModifiedSinceSeconds, modifiedSeconds <= since {
            return .notModified
        }
        return .proceed
    }
}
