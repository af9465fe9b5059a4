/// Names one register. All rows of an object (the object itself, its multipart uploads with their
/// parts, its pages) share bucket and key, and so the partition and its owners.
public struct RowKey: Hashable, Comparable, Sendable {
    public enum Kind: Hashable, Comparable, Sendable {
        case object
        case upload(UploadID)
        case part(UploadID, UInt32)
        case page(UInt32)
    }

    public var bucket: BucketID
    public var key: [UInt8]
    public var kind: Kind

    public init(bucket: BucketID, key: [UInt8], kind: Kind = .object) {
        self.bucket = bucket
        self.key = key
        self.kind = kind
    }

    /// Where bucket and key fall on the ring of 2^64 points.
    public var ringHash: UInt64 {
        var writer = ByteWriter(reserving: 16 + key.count)
        writer.write(bucket)
        writer.write(raw: key)
        return XXH3.hash64(writer.bytes)
    }

    public static func < (left: RowKey, right: RowKey) -> Bool {
        if left.bucket != right.bucket { return left.bucket < right.bucket }
        if left.key != right.key { return left.key.lexicographicallyPrecedes(right.key) }
        return left.kind < right.kind
    }
}

extension ByteWriter {
    /// Bucket, key behind its length, kind: the form that records and messages carry.
    public mutating func write(_ row: RowKey) {
        write(row.bucket)
        write(string: row.key)
        switch row.kind {
        case .object: write(UInt8(0))
        case .upload(let upload):
            write(UInt8(1))
            write(upload)
        case .part(let upload, let number):
            write(UInt8(2))
            write(upload)
            write(ordered: number)
        case .page(let number):
            write(UInt8(3))
            write(ordered: number)
        }
    }
}

extension ByteReader {
    public mutating func readRowKey() throws(CodingError) -> RowKey {
        let bucket = try readID(BucketID.self)
        let key = try readString(max: Limits.keyBytesMax)
        let tag = try readByte()
        let kind: RowKey.Kind
        switch tag {
        case 0: kind = .object
        case 1: kind = .upload(try readID())
        case 2: kind = .part(try readID(), try readOrdered())
        case 3: kind = .page(try readOrdered())
        default: throw .unknown(tag: UInt64(tag))
        }
        return RowKey(bucket: bucket, key: key, kind: kind)
    }
}
