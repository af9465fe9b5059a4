/// A row's content, whatever its kind: what an owner must know of a change, which is what the old
/// content named and the new one does not.
public enum RowContent: Hashable, Sendable {
    case object(ObjectRow)
    case upload(UploadRow)
    case part(PartRow)
    case bucket(BucketRow)
    case accessKey(AccessKeyRow)
    /// A tombstone of a row of the other kinds has no content.
    case nothing

    public init(_ content: [UInt8], of key: RowKey) throws(CodingError) {
        guard !content.isEmpty else {
            self = .nothing
            return
        }
        self = try ByteReader.decode(content) { (reader) throws(CodingError) in
            switch key.kind {
            case .object where key.bucket == .zero: .bucket(try reader.readBucketRow())
            case .object where key.bucket == .accessKeys:
                .accessKey(try reader.readAccessKeyRow())
            case .object: .object(try reader.readObjectRow())
            case .upload: .upload(try reader.readUploadRow())
            case .part: .part(try reader.readPartRow())
            case .page: throw .unknown(tag: 3)
            }
        }
    }

    public var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 128)
        switch self {
        case .object(let row): writer.write(row)
        case .upload(let row): writer.write(row)
        case .part(let row): writer.write(row)
        case .bucket(let row): writer.write(row)
        case .accessKey(let row): writer.write(row)
        case .nothing: break
        }
        return writer.bytes
    }

    public var blobs: [BlobID] {
        switch self {
        case .object(let row): row.blobs
        case .upload(let row): row.blobs
        case .part(let row): row.blobs
        case .bucket, .accessKey, .nothing: []
        }
    }

    public func names(_ blob: BlobID) -> Bool { blobs.contains(blob) }

    /// Whether a chunk is of something that is whole, or that was told to be durable; a body that
    /// is only on its way is named as well.
    public func rests(on chunk: ChunkID) -> Bool {
        let bodies: [Body] =
            switch self {
            case .object(let row): row.versions.map(\.body)
            case .upload(let row): row.version.map { [$0.body] } ?? []
            case .part(let row): [.spread([row.extent] + row.replaced)]
            case .bucket, .accessKey, .nothing: []
            }
        return bodies.contains { body in
            switch body {
            case .empty: false
            case .row(let blob): blob == chunk.blob
            case .spread(let extents):
                extents.contains { $0.blob == chunk.blob && UInt64(chunk.index) < $0.chunks }
            }
        }
    }

    public var rowBodies: [BlobID] {
        if case .object(let row) = self { row.rowBodies } else { [] }
    }

    /// Nothing is left that a reader or a writer could miss.
    public var isTombstone: Bool {
        switch self {
        case .object(let row): row.isTombstone
        case .nothing: true
        case .upload, .part, .bucket, .accessKey: false
        }
    }
}
