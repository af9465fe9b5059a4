/// What of a request an error is about; the raw value is what the client reads.
public enum RequestPart: String, Sendable, Hashable, CaseIterable {
    case target = "request target"
    case query = "query string"
    case bucket, key, version, prefix, delimiter, after, limit
    case uploadID = "upload id"
    case authorization = "Authorization"
    case ifMatch = "If-Match"
    case ifNoneMatch = "If-None-Match"
    case contentMD5 = "Content-MD5"
    case contentDigest = "Content-Digest"
    case reprDigest = "Repr-Digest"
    case contentRange = "Content-Range"
    case contentLength = "Content-Length"
    case contentHeader = "content header"
    case userMetadata = "x-vortex-meta-*"
    case idempotencyKey = "Idempotency-Key"
    case uploadOffset = "Upload-Offset"
    case uploadComplete = "Upload-Complete"
    case uploadLength = "Upload-Length"
    case copySource = "x-amz-copy-source"
    case storageHeader = "x-amz-* header"
    case writeDate = "If-Unmodified-Since on a write"
    case methodOverride = "X-HTTP-Method-Override"
    case vortexHeader = "x-vortex-* header other than x-vortex-meta-*"
    case body = "request body"
    case grants = "grants of a key"
    case lifetime = "lifetime of a key"
    case accessKeyID = "key id"
    case contentSHA256 = "x-amz-content-sha256"
}

/// A request that is refused before the cluster is asked. `Problem` gives each its status.
public enum RequestError: Error, Hashable, Sendable {
    /// Not what the grammar allows, or outside its bounds.
    case malformed(RequestPart)
    /// Given twice where once has a meaning.
    case duplicate(RequestPart)
    case missing(RequestPart)
    /// A query parameter that the route does not have.
    case unknownParameter
    /// It would change what the request means, and is not implemented: 501, never silence.
    case unsupported(RequestPart)
    case tooLarge(RequestPart)
    case unauthenticated
    case noSuchRoute
    /// `allow` is the value of the Allow header.
    case methodNotAllowed(allow: String)
}
