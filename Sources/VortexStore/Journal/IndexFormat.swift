internal import VortexCore

/// The keys and entries of the index. Everything here can be made again from the journal; it is
/// what makes a read one look-up and a listing one sequential scan.
///
///     o bucket key              an object's row, in listing order
///     u upload bucket key       an upload's row          t upload number bucket key   a part's row
///     g bucket key number       a page row
///     p partition row           accepted ballot: a partition's rows, for sync and anti-entropy
///     h partition               the horizon that purges have raised
///     c blob index              where a chunk lies, and its block checksums
///     d blob                    the record that deleted a blob
///     x row                     the record that purged a row
///     n name                    a note
///     q milliseconds blob       a blob that a row stopped naming, for collecting
///     s segment                 live bytes in a segment
///     z segment offset          damage that the mark has gone past: what it hides is in no entry
///     m                         up to where the journal has been applied; totals
enum IndexKey {
    static let applied: [UInt8] = Array("m".utf8)

    static func row(_ row: RowKey) -> [UInt8] {
        var writer = ByteWriter(reserving: 40 + row.key.count)
        switch row.kind {
        case .object:
            writer.write(UInt8(ascii: "o"))
            writer.write(row.bucket)
            writer.write(raw: row.key)
            return writer.bytes
        case .upload(let upload):
            writer.write(UInt8(ascii: "u"))
            writer.write(upload)
        case .part(let upload, let number):
            writer.write(UInt8(ascii: "t"))
            writer.write(upload)
            writer.write(ordered: number)
        case .page(let number):
            writer.write(UInt8(ascii: "g"))
            writer.write(row.bucket)
            writer.write(string: row.key)
            writer.write(ordered: number)
            return writer.bytes
        }
        writer.write(row.bucket)
        writer.write(raw: row.key)
        return writer.bytes
    }

    /// The row that an index key of kind `u` or `t` names.
    static func attachedRow(_ key: UnsafeRawBufferPointer) throws(CodingError) -> RowKey {
        var reader = ByteReader(key)
        let tag = try reader.readByte()
        let upload = try reader.readID(UploadID.self)
        let kind: RowKey.Kind
        switch tag {
        case UInt8(ascii: "u"): kind = .upload(upload)
        case UInt8(ascii: "t"): kind = .part(upload, try reader.readOrdered())
        default: throw .unknown(tag: UInt64(tag))
        }
        let bucket = try reader.readID(BucketID.self)
        return RowKey(bucket: bucket, key: try reader.readRaw(reader.remaining), kind: kind)
    }

    private static func key(_ tag: Unicode.Scalar, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter(reserving: 32)
        writer.write(UInt8(ascii: tag))
        body(&writer)
        return writer.bytes
    }

    static func objects(of bucket: BucketID) -> [UInt8] { key("o") { $0.write(bucket) } }
    static func upload(_ id: UploadID) -> [UInt8] { key("u") { $0.write(id) } }
    static func parts(of id: UploadID) -> [UInt8] { key("t") { $0.write(id) } }
    static func part(_ id: UploadID, _ number: UInt32) -> [UInt8] {
        key("t") {
            $0.write(id)
            $0.write(ordered: number)
        }
    }
    static func partitionRow(_ partition: UInt16, _ row: [UInt8]) -> [UInt8] {
        key("p") {
            $0.write(ordered: partition)
            $0.write(raw: row)
        }
    }
    static func horizon(_ partition: UInt16) -> [UInt8] {
        key("h") { $0.write(ordered: partition) }
    }
    static func chunks(of blob: BlobID) -> [UInt8] { key("c") { $0.write(blob) } }
    static func chunk(_ id: ChunkID) -> [UInt8] {
        key("c") {
            $0.write(id.blob)
            $0.write(ordered: id.index)
        }
    }
    static let deletesAll: [UInt8] = Array("d".utf8)
    static func delete(_ blob: BlobID) -> [UInt8] { key("d") { $0.write(blob) } }
    static func purge(_ row: RowKey) -> [UInt8] { key("x") { $0.write(row) } }
    static func note(_ name: String) -> [UInt8] { key("n") { $0.write(raw: Array(name.utf8)) } }
    static func unnamed(_ milliseconds: UInt64, _ blob: BlobID) -> [UInt8] {
        key("q") {
            $0.write(ordered: milliseconds)
            $0.write(blob)
        }
    }
    static let unnamedAll: [UInt8] = Array("q".utf8)
    static let segmentsAll: [UInt8] = Array("s".utf8)
    static func segment(_ number: UInt32) -> [UInt8] { key("s") { $0.write(ordered: number) } }
    static let damageAll: [UInt8] = Array("z".utf8)
    static func damage(_ segment: UInt32, _ offset: UInt64) -> [UInt8] {
        key("z") {
            $0.write(ordered: segment)
            $0.write(ordered: offset)
        }
    }

    /// The first key behind all that begin with `prefix`; nil where there is none.
    static func end(of prefix: [UInt8]) -> [UInt8]? {
        var end = prefix
        while let last = end.last {
            if last < 0xff {
                end[end.count - 1] = last + 1
                return end
            }
            end.removeLast()
        }
        return nil
    }
}

/// Where a record's head lies, what it takes, and its position: the beginning of every entry that
/// stands for a record.
struct RecordPlace: Hashable, Sendable {
    static let encodedBytes = 24
    var segment: UInt32
    var headOffset: UInt32
    var headLength: UInt32
    var dataLength: UInt32
    var position: UInt64

    init(segment: UInt32, _ placed: PlacedRecord) {
        self.segment = segment
        headOffset = placed.headOffset
        headLength = placed.headLength
        dataLength = placed.dataLength
        position = placed.position
    }

    init(_ reader: inout ByteReader) throws(CodingError) {
        segment = try reader.readFixed()
        headOffset = try reader.readFixed()
        headLength = try reader.readFixed()
        dataLength = try reader.readFixed()
        position = try reader.readFixed()
    }

    var storedBytes: UInt64 { UInt64(headLength) + UInt64(dataLength) }

    func write(to writer: inout ByteWriter) {
        writer.write(fixed: segment)
        writer.write(fixed: headOffset)
        writer.write(fixed: headLength)
        writer.write(fixed: dataLength)
        writer.write(fixed: position)
    }
}

/// The entry of a chunk.
struct ChunkEntry: Sendable {
    var place: RecordPlace
    var dataOffset: UInt32
    var checksums: [UInt32]

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: RecordPlace.encodedBytes + 4 + 4 * checksums.count)
        place.write(to: &writer)
        writer.write(fixed: dataOffset)
        for checksum in checksums { writer.write(fixed: checksum) }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(CodingError) -> ChunkEntry {
        try ByteReader.decode(bytes) { (reader) throws(CodingError) in
            let place = try RecordPlace(&reader)
            let offset = try reader.readFixed(UInt32.self)
            var checksums: [UInt32] = []
            while reader.remaining > 0 { checksums.append(try reader.readFixed()) }
            let blocks = (Int(place.dataLength) + Limits.blockBytes - 1) / Limits.blockBytes
            guard checksums.count == blocks else { throw .outOfRange(UInt64(checksums.count)) }
            return ChunkEntry(place: place, dataOffset: offset, checksums: checksums)
        }
    }
}

/// The entry of a row: its place, what it counts for, and the row.
struct RowEntry: Sendable {
    /// What lies before the encoded `StoredRow`.
    static let prefixBytes = RecordPlace.encodedBytes + 12
    var place: RecordPlace
    var objects: UInt32
    var bytes: UInt64

    func encoded(_ row: StoredRow) -> [UInt8] {
        var writer = ByteWriter(reserving: Self.prefixBytes + 96 + row.value.content.count)
        place.write(to: &writer)
        writer.write(fixed: objects)
        writer.write(fixed: bytes)
        writer.write(row)
        return writer.bytes
    }

    /// The part before the row.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws(CodingError) -> RowEntry {
        var reader = ByteReader(bytes)
        return RowEntry(
            place: try RecordPlace(&reader), objects: try reader.readFixed(),
            bytes: try reader.readFixed())
    }

    static func row(_ bytes: UnsafeRawBufferPointer) throws(CodingError) -> StoredRow {
        var reader = ByteReader(bytes)
        try reader.skip(prefixBytes)
        let row = try reader.readStoredRow()
        guard reader.remaining == 0 else { throw .trailing(reader.remaining) }
        return row
    }
}

/// Up to where the index is complete, and totals that hold there; written in the same atomic batch
/// as everything that it speaks of.
struct AppliedMark: Equatable, Sendable {
    /// The last batch applied.
    var batch: UInt64 = 0
    var segment: UInt32 = 0
    /// Where that batch begins, and where it ends.
    var offset: UInt64 = 0
    var end: UInt64 = 0
    /// The position that the next new record gets.
    var nextPosition: UInt64 = 1
    var objects: UInt64 = 0
    var bytes: UInt64 = 0

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 48)
        writer.write(UInt8(1))
        writer.write(fixed: batch)
        writer.write(fixed: segment)
        writer.write(fixed: offset)
        writer.write(fixed: end)
        writer.write(fixed: nextPosition)
        writer.write(fixed: objects)
        writer.write(fixed: bytes)
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(CodingError) -> AppliedMark {
        try ByteReader.decode(bytes) { (reader) throws(CodingError) in
            let version = try reader.readByte()
            guard version == 1 else { throw .unknown(tag: UInt64(version)) }
            return AppliedMark(
                batch: try reader.readFixed(), segment: try reader.readFixed(),
                offset: try reader.readFixed(), end: try reader.readFixed(),
                nextPosition: try reader.readFixed(),
                objects: try reader.readFixed(), bytes: try reader.readFixed())
        }
    }
}
