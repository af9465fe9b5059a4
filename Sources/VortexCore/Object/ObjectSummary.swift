/// What a listing shows of an object, decoded from the start of its row without allocating: a
/// listing passes 200,000 of them a second.
public struct ObjectSummary: Hashable, Sendable {
    public var size: UInt64
    public var tag: EntityTag
    public var modifiedMilliseconds: UInt64

    public init(size: UInt64, tag: EntityTag, modifiedMilliseconds: UInt64) {
        self.size = size
        self.tag = tag
        self.modifiedMilliseconds = modifiedMilliseconds
    }

    /// Without quotes.
    public var etag: String { tag.description }
}

/// The start of an object's row, as far as a listing or a sweep needs it.
public enum ObjectGlance: Hashable, Sendable {
    case visible(ObjectSummary)
    /// Nothing is visible: a tombstone, an object that is only being uploaded, or one whose newest
    /// version is a delete marker.
    case hidden(isTombstone: Bool)
}

extension ByteReader {
    /// Reads the start of a `RegisterValue` whose content is an object's row.
    public mutating func readObjectGlance() throws(CodingError) -> ObjectGlance {
        let (hasBases, flags) = try readRegisterValueStart()
        let past = 16 + (hasBases ? Ballot.encodedBytes : 0)
        try skip(16 + Ballot.encodedBytes + past * Int(flags >> 1))
        try skip(16 * (try readCount(max: Limits.versionsPerRowMax)))
        // A tombstone that was written where no row was has no content.
        guard try readNumber() > 0 else { return .hidden(isTombstone: flags & 1 != 0) }
        _ = try readFormat(1...ObjectRow.formatMax)
        guard try readByte() == 1 else { return .hidden(isTombstone: flags & 1 != 0) }
        _ = try readNumber()
        guard try readNumber() > 0 else { throw .outOfRange(0) }
        let size = try readNumber()
        let tag = try readEntityTag()
        return .visible(
            ObjectSummary(size: size, tag: tag, modifiedMilliseconds: try readMilliseconds()))
    }
}
