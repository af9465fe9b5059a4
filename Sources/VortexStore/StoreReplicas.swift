public import VortexCore

/// What keeping copies equal needs of a store: walks over what is here, and letting go of what
/// belongs elsewhere.
extension Store {
    /// A row of a partition with the ballot it was accepted at, but not its content.
    public struct PartitionRow: Hashable, Sendable {
        public var key: RowKey
        public var accepted: Ballot
        public init(key: RowKey, accepted: Ballot) {
            self.key = key
            self.accepted = accepted
        }
    }

    /// Rows of a partition in the order of their index keys, behind `after` (a cursor that the last
    /// page gave), at most `limit`; whatever `since` they were written under.
    public func rows(
        of partition: UInt16, after: [UInt8]?, limit: Int
    ) throws(StoreError) -> (rows: [PartitionRow], next: [UInt8]?) {
        let prefix = IndexKey.partitionRow(partition, [])
        var rows: [PartitionRow] = []
        var last: [UInt8] = []
        var failure: CodingError?
        let from = after.map { prefix + $0 + [0] } ?? prefix
        do throws(IndexError) {
            try index.scan(from: from, before: IndexKey.end(of: prefix)) { key, value in
                do throws(CodingError) {
                    let name = UnsafeRawBufferPointer(rebasing: key[prefix.count...])
                    var reader = ByteReader(value)
                    rows.append(
                        PartitionRow(
                            key: try IndexKey.rowKey(name), accepted: try reader.readBallot()))
                    last = Array(name)
                } catch { failure = error }
                return failure == nil && rows.count < limit ? .next : .stop
            }
        } catch { throw .index }
        if let failure { throw .coding(failure) }
        return (rows, rows.count == limit ? last : nil)
    }

    /// Chunks in the order of their ids, behind `after`, at most `limit`.
    public func chunks(after: ChunkID?, limit: Int) throws(StoreError) -> [StoredChunk] {
        let all: [UInt8] = Array("c".utf8)
        let from = after.map { IndexKey.chunk($0) + [0] } ?? all
        var chunks: [StoredChunk] = []
        var failure: CodingError?
        do throws(IndexError) {
            try index.scan(from: from, before: IndexKey.end(of: all)) { key, value in
                do throws(CodingError) {
                    var reader = ByteReader(key)
                    try reader.skip(1)
                    let id = ChunkID(blob: try reader.readID(), index: try reader.readOrdered())
                    let entry = try ChunkEntry.decode(Array(value))
                    chunks.append(
                        StoredChunk(id: id, length: Int(entry.place.dataLength), entry: entry))
                } catch { failure = error }
                return failure == nil && chunks.count < limit ? .next : .stop
            }
        } catch { throw .index }
        if let failure { throw .coding(failure) }
        return chunks
    }

    /// The row that owns a chunk and when the chunk was received, from the chunk's own record.
    public func origin(
        of chunk: StoredChunk
    ) async throws(StoreError) -> (owner: RowKey, receivedMilliseconds: UInt64) {
        let place = chunk.entry.place
        guard let segment = space.segment(place.segment) else { throw .notFound }
        let read = try await SegmentWalk.read(
            segment, at: UInt64(place.headOffset), count: Int(place.headLength))
        let damage = StoreError.damaged(segment: place.segment, offset: UInt64(place.headOffset))
        guard let bytes = read else { throw damage }
        let record: Record
        do throws(CodingError) {
            record = try ByteReader.prefix(bytes) { (reader) throws(CodingError) in
                try reader.skip(BatchFormat.recordHeaderBytes)
                return try Record.decode(&reader)
            }
        } catch { throw damage }
        guard case .chunk(chunk.id, let owner, let received, _) = record else { throw damage }
        return (owner, received)
    }

    /// Whether the blob's delete record is here.
    public func isDeleted(_ blob: BlobID) throws(StoreError) -> Bool {
        do throws(IndexError) { return try index.get(IndexKey.delete(blob)) != nil } catch {
            throw .index
        }
    }

    /// A delete record for a blob that is no candidate here.
    public func delete(_ blob: BlobID, milliseconds: UInt64) async throws(StoreError) {
        try await queue.submit(
            [
                .init(
                    record: .delete(
                        blob, milliseconds: milliseconds, unnamedSince: nil, origin: .max),
                    data: nil, position: nil)
            ], isPrivileged: true)
    }

    /// Lets go of a copy that belongs elsewhere, unless it has been stored again meanwhile. Not
    /// journaled: a copy that replay brings back is offered, and let go of, once more.
    public func drop(_ chunk: StoredChunk) async throws(StoreError) {
        try await queue.submit(
            [],
            commands: [.drop(key: IndexKey.chunk(chunk.id), place: chunk.entry.place)],
            isPrivileged: true)
    }
}

extension IndexKey {
    /// The row that an index key of kind `o`, `u`, `t` or `g` names.
    static func rowKey(_ key: UnsafeRawBufferPointer) throws(CodingError) -> RowKey {
        var reader = ByteReader(key)
        switch try reader.readByte() {
        case UInt8(ascii: "o"):
            let bucket = try reader.readID(BucketID.self)
            return RowKey(bucket: bucket, key: try reader.readRaw(reader.remaining))
        case UInt8(ascii: "g"):
            let bucket = try reader.readID(BucketID.self)
            let name = try reader.readString(max: Limits.keyBytesMax)
            return RowKey(bucket: bucket, key: name, kind: .page(try reader.readOrdered()))
        default: return try attachedRow(key)
        }
    }
}
