public import VortexCore

/// One change of what this node holds, as the journal keeps it and as replay applies it again.
///
/// Every record has a position of its own, kept when compaction copies it, so that whichever order
/// the copies are met in, the highest position of a row, chunk or note is the one that counts.
enum Record: Sendable {
    /// A register row and what its change means for the rest of the store.
    case row(RowKey, StoredRow, RowEffects)
    /// A tombstone row was removed; its partition's horizon rose.
    case purge(RowKey, partition: UInt16, horizon: Ballot, origin: UInt32)
    case note(String, [UInt8])
    /// A chunk; its bytes follow in the batch's data area, guarded by `checksums`.
    case chunk(ChunkID, owner: RowKey, receivedMilliseconds: UInt64, checksums: [UInt32])
    /// The blob's chunks are gone, also those that arrive later. `origin` is the segment it was
    /// first written to: it can go once no segment up to that one is left.
    case delete(BlobID, milliseconds: UInt64, unnamedSince: UInt64?, origin: UInt32)
}

extension Record {
    private enum Tag {
        static let row: UInt8 = 1
        static let purge: UInt8 = 2
        static let note: UInt8 = 3
        static let chunk: UInt8 = 4
        static let delete: UInt8 = 5
    }

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .row(let key, let row, let effects):
            writer.write(Tag.row)
            writer.write(key)
            writer.write(effects)
            writer.write(row)
        case .purge(let key, let partition, let horizon, let origin):
            writer.write(Tag.purge)
            writer.write(key)
            writer.write(fixed: partition)
            writer.write(horizon)
            writer.write(fixed: origin)
        case .note(let name, let value):
            writer.write(Tag.note)
            writer.write(text: name)
            writer.write(string: value)
        case .chunk(let id, let owner, let received, let checksums):
            writer.write(Tag.chunk)
            writer.write(id)
            writer.write(owner)
            writer.write(number: received)
            writer.write(number: UInt64(checksums.count))
            for checksum in checksums { writer.write(fixed: checksum) }
        case .delete(let blob, let milliseconds, let unnamedSince, let origin):
            writer.write(Tag.delete)
            writer.write(blob)
            writer.write(number: milliseconds)
            writer.write(number: unnamedSince.map { $0 + 1 } ?? 0)
            writer.write(fixed: origin)
        }
    }

    static func decode(_ reader: inout ByteReader) throws(CodingError) -> Record {
        let tag = try reader.readByte()
        switch tag {
        case Tag.row:
            let key = try reader.readRowKey()
            let effects = try reader.readRowEffects()
            return .row(key, try reader.readStoredRow(), effects)
        case Tag.purge:
            return .purge(
                try reader.readRowKey(), partition: try reader.readFixed(),
                horizon: try reader.readBallot(), origin: try reader.readFixed())
        case Tag.note:
            return .note(
                try reader.readText(max: 256), try reader.readString(max: Limits.recordBytesMax))
        case Tag.chunk:
            let id = try reader.readChunkID()
            let owner = try reader.readRowKey()
            let received = try reader.readNumber()
            let count = try reader.readCount(max: Limits.blocksPerChunk)
            var checksums: [UInt32] = []
            for _ in 0..<count { checksums.append(try reader.readFixed()) }
            return .chunk(id, owner: owner, receivedMilliseconds: received, checksums: checksums)
        case Tag.delete:
            let blob = try reader.readID(BlobID.self)
            let milliseconds = try reader.readNumber()
            let since = try reader.readNumber()
            return .delete(
                blob, milliseconds: milliseconds, unnamedSince: since == 0 ? nil : since - 1,
                origin: try reader.readFixed())
        default: throw .unknown(tag: UInt64(tag))
        }
    }

    /// A copy of a delete or purge keeps the segment that it was first written to; a new one gets
    /// it.
    func stamped(origin segment: UInt32) -> Record {
        switch self {
        case .purge(let key, let partition, let horizon, .max):
            .purge(key, partition: partition, horizon: horizon, origin: segment)
        case .delete(let blob, let milliseconds, let since, .max):
            .delete(blob, milliseconds: milliseconds, unnamedSince: since, origin: segment)
        default: self
        }
    }
}

extension ByteWriter {
    public mutating func write(_ id: ChunkID) {
        write(id.blob)
        write(ordered: id.index)
    }

    /// Partition, since, accepted ballot, value: also what an index entry of a row ends with.
    public mutating func write(_ row: StoredRow) {
        write(fixed: row.partition)
        write(fixed: row.since.generation)
        write(fixed: row.since.number)
        write(row.accepted)
        write(row.value)
    }

    mutating func write(_ effects: RowEffects) {
        write(number: effects.milliseconds)
        write(fixed: effects.objects)
        write(fixed: effects.bytes)
        write(number: UInt64(effects.unnamed.count))
        for blob in effects.unnamed { write(blob) }
    }
}

extension ByteReader {
    public mutating func readChunkID() throws(CodingError) -> ChunkID {
        ChunkID(blob: try readID(), index: try readOrdered())
    }

    public mutating func readStoredRow() throws(CodingError) -> StoredRow {
        StoredRow(
            partition: try readFixed(),
            since: Epoch(generation: try readFixed(), number: try readFixed()),
            accepted: try readBallot(), value: try readRegisterValue())
    }

    mutating func readRowEffects() throws(CodingError) -> RowEffects {
        let milliseconds = try readNumber()
        let objects = try readFixed(UInt32.self)
        let bytes = try readFixed(UInt64.self)
        let count = try readCount(max: RowEffects.unnamedMax)
        var unnamed: [BlobID] = []
        for _ in 0..<count { unnamed.append(try readID()) }
        return RowEffects(
            milliseconds: milliseconds, unnamed: unnamed, objects: objects, bytes: bytes)
    }
}
