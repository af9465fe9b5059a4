/// The row of one part. It names each of the part's blobs before its first chunk is stored, and
/// goes on naming those that a newer one replaced until the upload is over.
///
/// An appended part says now and then how much is durable. A numbered one has at most one whole
/// body, and others beside it: older ones, and those that are still on their way.
public struct PartRow: Hashable, Sendable {
    public var extent: Extent
    /// What stands for the part's bytes in its tag: XXH3-128 of an appended part, MD5 of a numbered
    /// one. nil while it grows, or where its writer crashed: a numbered part is not there yet.
    public var digest: Digest128?
    public var changedMilliseconds: UInt64
    /// Other bodies that have to be named; empty for appended parts, which are never replaced.
    public var replaced: [Extent]
    /// Of a numbered part, where the client sent one.
    public var checksum: StoredChecksum?

    /// A part that is sent anew more often than this has to wait for another upload.
    public static let replacedMax = 128

    public init(extent: Extent, digest: Digest128?, changedMilliseconds: UInt64) {
        self.extent = extent
        self.digest = digest
        self.changedMilliseconds = changedMilliseconds
        replaced = []
        checksum = nil
    }

    /// A body of a numbered part is on its way. False where there are too many of them.
    public mutating func begin(_ blob: BlobID) -> Bool {
        guard replaced.count < Self.replacedMax else { return false }
        replaced.append(Extent(blob: blob, length: 0))
        return true
    }

    /// A body that was named is whole: it is the part from now on. False where it is not named.
    public mutating func take(
        _ whole: Extent, _ digest: Digest128, _ checksum: StoredChecksum?, milliseconds: UInt64
    ) -> Bool {
        if extent.blob != whole.blob {
            guard let index = replaced.firstIndex(where: { $0.blob == whole.blob }) else {
                return false
            }
            replaced[index] = extent
        }
        extent = whole
        self.digest = digest
        self.checksum = checksum
        changedMilliseconds = max(changedMilliseconds, milliseconds)
        return true
    }

    /// Bodies that never became whole need not be named: nothing can have read one here as the
    /// part. nil: nothing is left of the row.
    public func without(unfinished blobs: [BlobID]) -> PartRow? {
        var row = self
        row.replaced.removeAll { blobs.contains($0.blob) }
        if digest == nil, blobs.contains(extent.blob) {
            guard let other = row.replaced.popLast() else { return nil }
            row.extent = other
        }
        return row
    }

    public var blobs: [BlobID] { [extent.blob] + replaced.map(\.blob) }
}

extension ByteWriter {
    public mutating func write(_ row: PartRow) {
        let format: UInt8 = row.checksum == nil ? 1 : 2
        write(format)
        write(UInt8(row.digest == nil ? 0 : 1))
        write(row.extent)
        if let digest = row.digest { write(digest) }
        write(number: row.changedMilliseconds)
        write(number: UInt64(row.replaced.count))
        for extent in row.replaced { write(extent) }
        if format > 1 { write(row.checksum) }
    }
}

extension ByteReader {
    public mutating func readPartRow() throws(CodingError) -> PartRow {
        let format = try readFormat(1...2)
        let flags = try readByte()
        guard flags < 2 else { throw .unknown(tag: UInt64(flags)) }
        let extent = try readExtent()
        let digest = flags == 0 ? nil : try readDigest()
        var row = PartRow(
            extent: extent, digest: digest, changedMilliseconds: try readMilliseconds())
        for _ in 0..<(try readCount(max: Limits.partsPerUploadMax)) {
            row.replaced.append(try readExtent())
        }
        if format > 1 { row.checksum = try readStoredChecksum() }
        return row
    }
}
