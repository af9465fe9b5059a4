/// The row of one appended part. It names the part's blob before the first chunk is stored, says
/// now and then how much is durable, and goes on naming the bodies that a newer one replaced until
/// the upload is over.
public struct PartRow: Hashable, Sendable {
    public var extent: Extent
    /// XXH3-128 of the part's bytes; nil while it still grows, or where its writer crashed.
    public var digest: Digest128?
    public var changedMilliseconds: UInt64
    /// Bodies that were replaced; empty for appended parts, which are never replaced.
    public var replaced: [Extent]

    public init(extent: Extent, digest: Digest128?, changedMilliseconds: UInt64) {
        self.extent = extent
        self.digest = digest
        self.changedMilliseconds = changedMilliseconds
        replaced = []
    }

    public var blobs: [BlobID] { [extent.blob] + replaced.map(\.blob) }
}

extension ByteWriter {
    public mutating func write(_ row: PartRow) {
        write(UInt8(1))
        write(UInt8(row.digest == nil ? 0 : 1))
        write(row.extent)
        if let digest = row.digest { write(digest) }
        write(number: row.changedMilliseconds)
        write(number: UInt64(row.replaced.count))
        for extent in row.replaced { write(extent) }
    }
}

extension ByteReader {
    public mutating func readPartRow() throws(CodingError) -> PartRow {
        try readFormat(1)
        let flags = try readByte()
        guard flags < 2 else { throw .unknown(tag: UInt64(flags)) }
        let extent = try readExtent()
        let digest = flags == 0 ? nil : try readDigest()
        var row = PartRow(
            extent: extent, digest: digest, changedMilliseconds: try readMilliseconds())
        for _ in 0..<(try readCount(max: Limits.partsPerUploadMax)) {
            row.replaced.append(try readExtent())
        }
        return row
    }
}
