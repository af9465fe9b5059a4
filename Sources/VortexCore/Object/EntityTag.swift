/// The strong ETag of a version, as stored: 16 bytes and the number of parts that they stand for.
/// 0 parts: 32 hex digits alone (the MD5 of an S3 upload). Else `<32 hex>-<parts>`.
public struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    public var digest: Digest128
    public var parts: UInt32

    public init(digest: Digest128, parts: UInt32) {
        self.digest = digest
        self.parts = parts
    }

    /// Without quotes.
    public var description: String { parts == 0 ? digest.hex : digest.hex + "-" + String(parts) }
}

extension ByteWriter {
    public mutating func write(_ tag: EntityTag) {
        write(tag.digest)
        write(number: UInt64(tag.parts))
    }
}

extension ByteReader {
    public mutating func readEntityTag() throws(CodingError) -> EntityTag {
        let digest = try readDigest()
        let parts = try readNumber()
        guard parts <= UInt64(UInt32.max) else { throw .outOfRange(parts) }
        return EntityTag(digest: digest, parts: UInt32(parts))
    }
}
