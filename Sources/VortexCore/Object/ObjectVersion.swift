/// A run of bytes of one blob, cut into chunks of `chunkBytes` (the last may be shorter). The whole
/// manifest of a 5 GiB upload is one extent; one made of parts has an extent per part.
public struct Extent: Hashable, Sendable {
    public var blob: BlobID
    public var length: UInt64
    public var chunkBytes: UInt32

    public init(blob: BlobID, length: UInt64, chunkBytes: UInt32 = UInt32(Limits.chunkBytes)) {
        self.blob = blob
        self.length = length
        self.chunkBytes = chunkBytes
    }

    public var chunks: UInt64 { (length + UInt64(chunkBytes) - 1) / UInt64(chunkBytes) }
}

/// Where a version's bytes are.
public enum Body: Hashable, Sendable {
    case empty
    /// Chunk 0 of the blob, on the owners of the row.
    case row(BlobID)
    /// Chunks on the ring, in order.
    case spread([Extent])

    public var blobs: [BlobID] {
        switch self {
        case .empty: []
        case .row(let blob): [blob]
        case .spread(let extents): extents.map(\.blob)
        }
    }
}

/// One version of an object. Immutable once written.
public struct ObjectVersion: Hashable, Sendable {
    public var id: ChangeID
    public var size: UInt64
    public var tag: EntityTag
    /// Last-Modified: max(now, that of the version before + 1).
    public var modifiedMilliseconds: UInt64
    /// The storage policy: the number of copies.
    public var policy: UInt8
    public var attributes: ObjectAttributes
    /// Where the client gave it and it was checked; 32 bytes.
    public var sha256: [UInt8]?
    public var body: Body
    /// Kept where the client sent one.
    public var checksum: StoredChecksum?
    /// Written while the bucket kept no versions.
    public var isNull = true
    /// A delete marker: without bytes, and never visible.
    public var isMarker = false

    public init(
        id: ChangeID, size: UInt64, tag: EntityTag, modifiedMilliseconds: UInt64, policy: UInt8,
        attributes: ObjectAttributes, sha256: [UInt8]?, body: Body
    ) {
        self.id = id
        self.size = size
        self.tag = tag
        self.modifiedMilliseconds = modifiedMilliseconds
        self.policy = policy
        self.attributes = attributes
        self.sha256 = sha256
        self.body = body
        checksum = nil
    }

    /// Without quotes.
    public var etag: String { tag.description }
}

extension ByteWriter {
    public mutating func write(_ body: Body) {
        switch body {
        case .empty: write(UInt8(0))
        case .row(let blob):
            write(UInt8(1))
            write(blob)
        case .spread(let extents):
            write(UInt8(2))
            write(number: UInt64(extents.count))
            for extent in extents { write(extent) }
        }
    }

    public mutating func write(_ extent: Extent) {
        write(extent.blob)
        write(number: extent.length)
        write(number: UInt64(extent.chunkBytes))
    }

    /// Size, tag and time first: what a listing shows (`ObjectSummary`). The row around it says by
    /// its own format which this is: 2 adds the checksum, 3 whether it is the null version, and
    /// whether a delete marker.
    public mutating func write(_ version: ObjectVersion, format: UInt8) {
        write(number: version.size)
        write(version.tag)
        write(number: version.modifiedMilliseconds)
        write(version.id)
        write(version.policy)
        write(version.attributes)
        write(string: version.sha256 ?? [])
        write(version.body)
        if format > 1 { write(version.checksum) }
        if format > 2 { write(UInt8((version.isNull ? 1 : 0) | (version.isMarker ? 2 : 0))) }
    }
}

extension ByteReader {
    public mutating func readBody() throws(CodingError) -> Body {
        let tag = try readByte()
        switch tag {
        case 0: return .empty
        case 1: return .row(try readID())
        case 2:
            let count = try readCount(max: Limits.partsPerUploadMax)
            var extents: [Extent] = []
            for _ in 0..<count { extents.append(try readExtent()) }
            return .spread(extents)
        default: throw .unknown(tag: UInt64(tag))
        }
    }

    public mutating func readExtent() throws(CodingError) -> Extent {
        let blob = try readID(BlobID.self)
        let length = try readNumber()
        guard length <= Limits.objectBytesMax else { throw .outOfRange(length) }
        let chunkBytes = try readNumber()
        guard chunkBytes > 0, chunkBytes <= UInt64(Limits.recordBytesMax) else {
            throw .outOfRange(chunkBytes)
        }
        let extent = Extent(blob: blob, length: length, chunkBytes: UInt32(chunkBytes))
        guard extent.chunks <= UInt64(UInt32.max) else { throw .outOfRange(length) }
        return extent
    }

    public mutating func readObjectVersion(format: UInt8) throws(CodingError) -> ObjectVersion {
        let size = try readNumber()
        guard size <= Limits.objectBytesMax else { throw .outOfRange(size) }
        let tag = try readEntityTag()
        let modified = try readMilliseconds()
        let id = try readID(ChangeID.self)
        let policy = try readByte()
        let attributes = try readObjectAttributes()
        let sha256 = try readString(max: 32)
        guard sha256.isEmpty || sha256.count == 32 else { throw .outOfRange(UInt64(sha256.count)) }
        var version = ObjectVersion(
            id: id, size: size, tag: tag, modifiedMilliseconds: modified, policy: policy,
            attributes: attributes, sha256: sha256.isEmpty ? nil : sha256, body: try readBody())
        if format > 1 { version.checksum = try readStoredChecksum() }
        guard format > 2 else { return version }
        let flags = try readByte()
        guard flags < 4 else { throw .unknown(tag: UInt64(flags)) }
        version.isNull = flags & 1 != 0
        version.isMarker = flags & 2 != 0
        return version
    }
}
