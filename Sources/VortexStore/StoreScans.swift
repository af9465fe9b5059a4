public import VortexCore

/// What a scan does after a row.
public enum ScanStep: Sendable, Equatable {
    case next
    /// Goes on at the first key that is not below this one.
    case seek([UInt8])
    case stop
}

/// Rows of uploads or of parts, in order.
public struct AttachedRows: Sendable {
    public var rows: [(key: RowKey, row: StoredRow)] = []
    /// Others follow.
    public var isTruncated = false
}

extension Store {
    /// Lends the rows of a bucket's objects from `key` on, in the order of the keys' bytes, as they
    /// were when the call began: the key, and the encoded `StoredRow`, valid only during the call
    /// of `body`.
    public func scanObjects(
        bucket: BucketID, from key: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StoreError) {
        let prefix = IndexKey.objects(of: bucket)
        do throws(IndexError) {
            try index.scan(from: prefix + key, before: IndexKey.end(of: prefix)) { key, entry in
                let object = UnsafeRawBufferPointer(rebasing: key[prefix.count...])
                let row = UnsafeRawBufferPointer(rebasing: entry[RowEntry.prefixBytes...])
                return switch body(object, row) {
                case .next: .next
                case .seek(let target): .seek(prefix + target)
                case .stop: .stop
                }
            }
        } catch { throw .index }
    }

    /// The buckets that have an object's row here, by one look-up each.
    public func buckets() throws(StoreError) -> [BucketID] {
        let all: [UInt8] = Array("o".utf8)
        var buckets: [BucketID] = []
        var failure: CodingError?
        do throws(IndexError) {
            try index.scan(from: all, before: IndexKey.end(of: all)) { key, _ in
                do throws(CodingError) {
                    var reader = ByteReader(key)
                    try reader.skip(1)
                    let bucket = try reader.readID(BucketID.self)
                    buckets.append(bucket)
                    return IndexKey.end(of: IndexKey.objects(of: bucket)).map { .seek($0) } ?? .stop
                } catch {
                    failure = error
                    return .stop
                }
            }
        } catch { throw .index }
        if let failure { throw .coding(failure) }
        return buckets
    }

    /// Rows of uploads by id, at most `limit`, behind `after`.
    public func uploads(
        after: UploadID?, limit: Int
    ) throws(StoreError) -> AttachedRows {
        let all: [UInt8] = Array("u".utf8)
        let from = after.flatMap { IndexKey.end(of: IndexKey.upload($0)) }
        return try attached(prefix: all, from: from, limit: limit)
    }

    public func upload(_ id: UploadID) throws(StoreError) -> (key: RowKey, row: StoredRow)? {
        try attached(prefix: IndexKey.upload(id), from: nil, limit: 1).rows.first
    }

    /// Rows of an upload's parts by number, at most `limit`, behind `after`.
    public func parts(
        of id: UploadID, after: UInt32 = 0, limit: Int
    ) throws(StoreError) -> AttachedRows {
        let from = IndexKey.end(of: IndexKey.part(id, after))
        return try attached(prefix: IndexKey.parts(of: id), from: from, limit: limit)
    }

    /// A page of such rows ends behind this much of them.
    private static let attachedBytesMax = 2 << 20

    private func attached(
        prefix: [UInt8], from: [UInt8]?, limit: Int
    ) throws(StoreError) -> AttachedRows {
        var found = AttachedRows()
        var bytes = 0
        var failure: CodingError?
        do throws(IndexError) {
            try index.scan(from: from ?? prefix, before: IndexKey.end(of: prefix)) { key, entry in
                guard found.rows.count < limit, bytes < Self.attachedBytesMax else {
                    found.isTruncated = true
                    return .stop
                }
                do throws(CodingError) {
                    found.rows.append((try IndexKey.attachedRow(key), try RowEntry.row(entry)))
                } catch { failure = error }
                bytes += key.count + entry.count
                return failure == nil ? .next : .stop
            }
        } catch { throw .index }
        if let failure { throw .coding(failure) }
        return found
    }

    /// Blobs that rows stopped naming before that moment, oldest first, behind `after`.
    public func unnamed(
        before milliseconds: UInt64, after: UnnamedBlob? = nil, limit: Int
    ) throws(StoreError) -> [UnnamedBlob] {
        var found: [UnnamedBlob] = []
        let last = after.map { IndexKey.unnamed($0.sinceMilliseconds, $0.blob) }
        let entries = try index.entries(prefix: IndexKey.unnamedAll, after: last, limit: limit)
        for (key, value) in entries {
            do throws(CodingError) {
                let (since, blob) = try ByteReader.decode(key) { (reader) throws(CodingError) in
                    try reader.skip(1)
                    return (try reader.readOrdered(UInt64.self), try reader.readID(BlobID.self))
                }
                guard since < milliseconds else { return found }
                let owner = try ByteReader.decode(value) { (reader) throws(CodingError) in
                    try reader.readRowKey()
                }
                found.append(UnnamedBlob(blob: blob, owner: owner, sinceMilliseconds: since))
            } catch { throw .coding(error) }
        }
        return found
    }
}
