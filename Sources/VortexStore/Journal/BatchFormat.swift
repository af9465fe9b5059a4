internal import VortexCore

/// How records lie in a segment: batches, each written in one sequence and made durable by one
/// fdatasync, applied whole or not at all.
///
///   segment: [ header 4 KiB | the header again 4 KiB | batch | batch | ... ]
///   batch:   [ batch header 64 B | record heads | data | zeros up to a multiple of 4 KiB ]
///   header:  magic 4 | crc 4 | length 4 | heads length 4 | records 4 | flags 4
///            | number 8 | synced 8 | zeros
///   head:    length 4 | data length 4 | data offset 4 | zero 4 | position 8 | Record.swift
///
/// The crc covers the header behind it and all heads, seeded with the segment's salt: a batch that
/// an earlier life of a recycled file left behind does not verify. Data is guarded by the block
/// checksums in its head, so that every byte is summed once on its way in. `number` counts batches
/// through the whole journal; `synced` is the highest number that was known to be durable when this
/// batch was written: only damage behind that can be a torn tail. Batches start at multiples of 4
/// KiB, so no write touches a disk block that holds an acknowledged record.
enum BatchFormat {
    static let magic: UInt32 = 0x5441_4256  // "VBAT"
    static let headerBytes = 64
    static let recordHeaderBytes = 24
    static let alignment = 4096
    /// What one batch takes from the queue at the most, and so how far a torn tail can reach.
    static let batchBytesMax = 24 << 20
    static let headsBytesMax = 8 << 20

    static func align(_ offset: Int) -> Int { (offset + alignment - 1) & ~(alignment - 1) }

    static func seed(salt: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: salt ^ salt >> 32) | 1
    }
}

struct BatchHeader: Equatable {
    var length: UInt32
    var headsLength: UInt32
    var count: UInt32
    var number: UInt64
    var synced: UInt64
    var checksum: UInt32

    static let numberOffset = 24

    func write(to writer: inout ByteWriter) {
        writer.write(fixed: BatchFormat.magic)
        writer.write(fixed: UInt32(0))
        writer.write(fixed: length)
        writer.write(fixed: headsLength)
        writer.write(fixed: count)
        writer.write(fixed: UInt32(0))
        writer.write(fixed: number)
        writer.write(fixed: synced)
        for _ in 0..<3 { writer.write(fixed: UInt64(0)) }
    }

    /// The header's numbers where the magic and the bounds hold; the checksum is still to be
    /// verified.
    static func read(_ bytes: UnsafeRawBufferPointer) throws(CodingError) -> BatchHeader? {
        var reader = ByteReader(bytes)
        guard try reader.readFixed(UInt32.self) == BatchFormat.magic else { return nil }
        let checksum = try reader.readFixed(UInt32.self)
        let length = try reader.readFixed(UInt32.self)
        let heads = try reader.readFixed(UInt32.self)
        let count = try reader.readFixed(UInt32.self)
        _ = try reader.readFixed(UInt32.self)
        guard Int(heads) <= BatchFormat.headsBytesMax,
            Int(length) >= BatchFormat.headerBytes + Int(heads),
            Int(length) % BatchFormat.alignment == 0,
            Int(length) <= 2 * BatchFormat.batchBytesMax
        else { return nil }
        return BatchHeader(
            length: length, headsLength: heads, count: count, number: try reader.readFixed(),
            synced: try reader.readFixed(), checksum: checksum)
    }
}

/// A record with its place.
struct PlacedRecord: Sendable {
    var record: Record
    var position: UInt64
    /// Of the record's head, from the segment's start; and its length.
    var headOffset: UInt32
    var headLength: UInt32
    /// Of the record's data, from the segment's start; and its length.
    var dataOffset: UInt32
    var dataLength: UInt32

    var storedBytes: UInt64 { UInt64(headLength) + UInt64(dataLength) }
}

extension BatchHeader {
    /// Decodes the heads behind a header; `offset` is the batch's own in its segment.
    func records(
        in heads: UnsafeRawBufferPointer, batchOffset offset: UInt64
    ) throws(CodingError) -> [PlacedRecord] {
        var reader = ByteReader(heads)
        var records: [PlacedRecord] = []
        for _ in 0..<count {
            let start = reader.offset
            let headLength = try reader.readFixed(UInt32.self)
            let dataLength = try reader.readFixed(UInt32.self)
            let dataOffset = try reader.readFixed(UInt32.self)
            _ = try reader.readFixed(UInt32.self)
            let position = try reader.readFixed(UInt64.self)
            guard UInt64(dataOffset) + UInt64(dataLength) <= UInt64(length) else {
                throw .outOfRange(UInt64(dataOffset))
            }
            let record = try Record.decode(&reader)
            guard reader.offset - start == Int(headLength) else {
                throw .outOfRange(UInt64(headLength))
            }
            records.append(
                PlacedRecord(
                    record: record, position: position,
                    headOffset: UInt32(truncatingIfNeeded: offset) + UInt32(BatchFormat.headerBytes)
                        + UInt32(start),
                    headLength: headLength,
                    dataOffset: UInt32(truncatingIfNeeded: offset) + dataOffset,
                    dataLength: dataLength))
        }
        guard reader.remaining == 0 else { throw .trailing(reader.remaining) }
        return records
    }
}

/// Encodes one batch: heads into one buffer, data left where it lies.
struct BatchEncoder {
    private var heads = ByteWriter(reserving: 16 << 10)
    private(set) var records: [PlacedRecord] = []
    private(set) var data: [ChunkBuffer] = []
    private var dataBytes = 0

    var isEmpty: Bool { records.isEmpty }
    /// What the batch takes of a segment, padding included.
    var length: Int {
        BatchFormat.align(BatchFormat.headerBytes + heads.count + dataBytes)
    }

    /// Offsets are relative to the batch, and data's to the data area, until `finish`.
    mutating func add(_ record: Record, data buffer: ChunkBuffer?, position: UInt64) {
        let start = heads.count
        heads.write(fixed: UInt32(0))
        heads.write(fixed: UInt32(buffer?.count ?? 0))
        heads.write(fixed: UInt32(dataBytes))
        heads.write(fixed: UInt32(0))
        heads.write(fixed: position)
        record.encode(into: &heads)
        heads.patch(UInt32(heads.count - start), at: start)
        records.append(
            PlacedRecord(
                record: record, position: position, headOffset: UInt32(start),
                headLength: UInt32(heads.count - start), dataOffset: UInt32(dataBytes),
                dataLength: UInt32(buffer?.count ?? 0)))
        if let buffer {
            data.append(buffer)
            dataBytes += buffer.count
        }
    }

    /// Header and heads, as they are to be written at `offset` of the segment; records get their
    /// final places.
    mutating func finish(
        number: UInt64, synced: UInt64, salt: UInt64, at offset: UInt64
    ) -> [UInt8] {
        let dataStart = UInt32(BatchFormat.headerBytes + heads.count)
        let header = BatchHeader(
            length: UInt32(length), headsLength: UInt32(heads.count),
            count: UInt32(records.count), number: number, synced: synced, checksum: 0)
        var writer = ByteWriter(reserving: Int(dataStart))
        header.write(to: &writer)
        writer.write(raw: heads.bytes)
        for index in records.indices {
            let head = Int(records[index].headOffset) + BatchFormat.headerBytes
            writer.patch(records[index].dataOffset + dataStart, at: head + 8)
            records[index].headOffset = UInt32(offset) + UInt32(head)
            records[index].dataOffset += dataStart + UInt32(offset)
        }
        let checksum = writer.bytes.withUnsafeBytes {
            CRC32C.checksum(
                UnsafeRawBufferPointer(rebasing: $0[8...]), seed: BatchFormat.seed(salt: salt))
        }
        writer.patch(checksum, at: 4)
        return writer.bytes
    }

    /// Empties it, keeping its memory.
    mutating func reset() {
        heads = ByteWriter(reserving: 16 << 10)
        records.removeAll(keepingCapacity: true)
        data.removeAll(keepingCapacity: true)
        dataBytes = 0
    }
}
