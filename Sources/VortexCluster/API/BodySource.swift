public import VortexCore

/// A request's body as the cluster sees it; the gateway implements it. One task pulls.
public protocol BodySource: AnyObject, Sendable {
    /// Content-Length; nil where the body comes in chunked coding.
    var expectedBytes: UInt64? { get }
    /// Appends to `buffer` until it is full or the body has ended; true when the body has ended,
    /// complete. Throws where the client went away, was too slow or sent less than it promised.
    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool
    /// Called once after all bytes and before anything is committed: throws `.digestMismatch` where
    /// a digest that the request carries is not the body's. May wait for digests still being made.
    func verify() async throws(ClusterError)
    /// The ETag that the version gets; nil: the store's own. Asked for after `verify`.
    var tag: EntityTag? { get }
    /// The checksum that is kept with the version or the part. Asked for after `verify`.
    var checksum: StoredChecksum? { get }
}

extension BodySource {
    public var tag: EntityTag? { nil }
    public var checksum: StoredChecksum? { nil }
}

/// A cryptographic digest over bytes in pieces, for those that a client asks to be checked.
public protocol StreamDigest {
    mutating func update(_ bytes: UnsafeRawBufferPointer)
    func finish() -> [UInt8]
}
