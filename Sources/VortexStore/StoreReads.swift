internal import Glibc
public import VortexCore

/// What reads a store. Look-ups and scans are synchronous and see what has been applied; bytes are
/// read from the journal and verified block by block.
extension Store {
    private func lookUp<Value>(
        _ key: [UInt8], _ body: (UnsafeRawBufferPointer) throws(CodingError) -> Value
    ) throws(StoreError) -> Value? {
        let found: Result<Value, CodingError>?
        do throws(IndexError) {
            found = try index.get(key) { bytes -> Result<Value, CodingError>? in
                guard let bytes else { return nil }
                do throws(CodingError) { return .success(try body(bytes)) } catch {
                    return .failure(error)
                }
            }
        } catch { throw .index }
        switch found {
        case nil: return nil
        case .success(let value): return value
        case .failure(let error): throw .coding(error)
        }
    }

    public func row(_ key: RowKey) throws(StoreError) -> StoredRow? {
        try lookUp(IndexKey.row(key), RowEntry.row)
    }

    public func note(_ name: String) throws(StoreError) -> [UInt8]? {
        try lookUp(IndexKey.note(name)) { Array($0.dropFirst(RecordPlace.encodedBytes)) }
    }

    /// Names and values of all notes that begin so.
    public func notes(prefix: String) throws(StoreError) -> [(name: String, value: [UInt8])] {
        try index.entries(prefix: IndexKey.note(prefix), limit: .max).map { key, value in
            (
                String(decoding: key.dropFirst(), as: UTF8.self),
                Array(value.dropFirst(RecordPlace.encodedBytes))
            )
        }
    }

    /// What purges have raised the partition's horizon to.
    public func horizon(_ partition: UInt16) throws(StoreError) -> Ballot {
        try lookUp(IndexKey.horizon(partition)) { (bytes) throws(CodingError) in
            var reader = ByteReader(bytes)
            return try reader.readBallot()
        } ?? .none
    }

    public func chunk(_ id: ChunkID) throws(StoreError) -> StoredChunk? {
        try lookUp(IndexKey.chunk(id)) { (bytes) throws(CodingError) in
            let entry = try ChunkEntry.decode(Array(bytes))
            return StoredChunk(id: id, length: Int(entry.place.dataLength), entry: entry)
        }
    }

    /// The indexes of the blob's chunks that are here, ascending.
    public func chunkIndexes(of blob: BlobID) throws(StoreError) -> [UInt32] {
        var indexes: [UInt32] = []
        for (key, _) in try index.entries(prefix: IndexKey.chunks(of: blob), limit: .max) {
            do throws(CodingError) {
                indexes.append(
                    try ByteReader.decode(key) { (reader) throws(CodingError) in
                        try reader.skip(17)
                        return try reader.readOrdered()
                    })
            } catch { throw .coding(error) }
        }
        return indexes
    }

    /// Fills `buffer` with the chunk's bytes from `range`; `range` lies within the chunk and is as
    /// long as the buffer. Every 64 KiB block that it touches is verified first.
    public func read(
        _ chunk: StoredChunk, range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(StoreError) {
        precondition(range.upperBound <= chunk.length && buffer.count == range.count)
        var entry = chunk.entry
        for _ in 0..<3 {
            if let segment = space.segment(entry.place.segment) {
                return try await read(entry, chunk.id, segment, range, buffer)
            }
            // Compaction moved it between the two look-ups.
            guard let moved = try self.chunk(chunk.id) else { throw .notFound }
            entry = moved.entry
        }
        throw .damaged(segment: entry.place.segment, offset: UInt64(entry.dataOffset))
    }

    private func read(
        _ entry: ChunkEntry, _ id: ChunkID, _ segment: Segment, _ range: Range<Int>,
        _ buffer: UnsafeMutableRawBufferPointer
    ) async throws(StoreError) {
        let block = Limits.blockBytes
        let length = Int(entry.place.dataLength)
        var position = range.lowerBound
        while position < range.upperBound {
            let first = position / block
            let blockStart = first * block
            let wholeEnd =
                range.upperBound == length ? length : range.upperBound / block * block
            if position == blockStart, wholeEnd > position {
                // Whole blocks go straight to where they are wanted.
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[
                        position - range.lowerBound..<wholeEnd - range.lowerBound])
                try await read(entry, id, segment, from: position, into: target)
                position = wholeEnd
            } else {
                // A part of a block: verified in whole, aside.
                let blockEnd = min(blockStart + block, length)
                let aside = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: blockEnd - blockStart, alignment: 64)
                defer { aside.deallocate() }
                try await read(entry, id, segment, from: blockStart, into: aside)
                let end = min(blockEnd, range.upperBound)
                memcpy(
                    buffer.baseAddress! + (position - range.lowerBound),
                    aside.baseAddress! + (position - blockStart), end - position)
                position = end
            }
        }
    }

    /// Reads blocks from `start` on, which begins one, and verifies each.
    private func read(
        _ entry: ChunkEntry, _ id: ChunkID, _ segment: Segment, from start: Int,
        into target: UnsafeMutableRawBufferPointer
    ) async throws(StoreError) {
        let offset = UInt64(entry.dataOffset) + UInt64(start)
        let damage = StoreError.damaged(segment: segment.number, offset: offset)
        let file = segment.file
        let count: Int
        do throws(DiskError) { count = try await file.read(into: target, at: offset) } catch {
            note(damage: segment.number, offset, UInt64(target.count))
            throw error.errno == DiskError.inputOutputErrno ? damage : .disk(error)
        }
        guard count == target.count else {
            note(damage: segment.number, offset, UInt64(target.count))
            throw damage
        }
        var position = 0
        while position < count {
            let end = min(position + Limits.blockBytes, count)
            let block = (start + position) / Limits.blockBytes
            let found = CRC32C.checksum(
                UnsafeRawBufferPointer(rebasing: target[position..<end]),
                seed: CRC32C.seed(chunk: id, block: block))
            guard found == entry.checksums[block] else {
                note(
                    damage: segment.number, offset + UInt64(position), UInt64(end - position))
                throw damage
            }
            position = end
        }
    }

    private func note(damage segment: UInt32, _ offset: UInt64, _ length: UInt64) {
        gauges.note(
            damage: DamagedRegion(
                segment: segment, offset: offset, length: length, mayHideRows: false))
    }
}
