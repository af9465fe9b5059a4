internal import VortexCore

/// Walks a segment's batches in order, verifying heads, and tells what it meets:
///
///   at an offset                              behind it                      it is
///   a batch that verifies                     -                              that batch
///   nothing that verifies                     a later batch that does        damage in the middle
///   nothing that verifies                     only the end of the valid part damage in the middle
///     before an end that the next segment names
///   blocks that cannot be read                nothing that verifies          damage: no power cut
///                                                                            leaves those
///   nothing that verifies                     nothing that does              the end
///
/// One batch is in flight at a time, so behind a torn batch no other can verify: whatever is
/// followed by a whole batch had been synced before, and was damaged later.
struct SegmentWalk {
    enum Step: Sendable {
        case batch(BatchHeader, records: [PlacedRecord], offset: UInt64)
        /// Bytes that held synced records and no longer verify.
        case damage(Range<UInt64>)
        /// Where the next batch would begin, and whether something unfinished lies there.
        case end(offset: UInt64, isTorn: Bool)
    }

    private let segment: Segment
    private var offset: UInt64
    /// Where the next segment says that this one ends.
    private let knownEnd: UInt64?

    init(_ segment: Segment, from offset: UInt64, knownEnd: UInt64?) {
        self.segment = segment
        self.offset = max(offset, UInt64(SegmentHeader.bytes))
        self.knownEnd = knownEnd
    }

    mutating func next() async throws(StoreError) -> Step {
        if let knownEnd, offset >= knownEnd { return .end(offset: offset, isTorn: false) }
        if let (header, records) = try await batch(at: offset) {
            defer { offset += UInt64(header.length) }
            return .batch(header, records: records, offset: offset)
        }
        let start = offset
        if let later = try await laterBatch(behind: start) {
            offset = later
            return .damage(start..<later)
        }
        if let knownEnd {
            offset = knownEnd
            return .damage(start..<knownEnd)
        }
        if let end = try await unreadableEnd(behind: start) {
            offset = end
            return .damage(start..<end)
        }
        return .end(offset: start, isTorn: try await isTouched(at: start))
    }

    /// The batch at `offset`, where its heads verify.
    private func batch(
        at offset: UInt64
    ) async throws(StoreError) -> (BatchHeader, [PlacedRecord])? {
        guard offset + UInt64(BatchFormat.headerBytes) <= segment.sizeBytes else { return nil }
        var bytes = try await read(at: offset, count: 4 * BatchFormat.alignment)
        // Where a later block cannot be read.
        if bytes.isEmpty { bytes = try await read(at: offset, count: BatchFormat.alignment) }
        guard let header = try parse(bytes) else { return nil }
        guard offset + UInt64(header.length) <= segment.sizeBytes else { return nil }
        let needed = BatchFormat.headerBytes + Int(header.headsLength)
        if bytes.count < needed { bytes = try await read(at: offset, count: needed) }
        guard bytes.count >= needed else { return nil }
        let seed = BatchFormat.seed(salt: segment.header.salt)
        return bytes.withUnsafeBytes { raw -> (BatchHeader, [PlacedRecord])? in
            let covered = UnsafeRawBufferPointer(rebasing: raw[8..<needed])
            guard CRC32C.checksum(covered, seed: seed) == header.checksum else { return nil }
            let heads = UnsafeRawBufferPointer(rebasing: raw[BatchFormat.headerBytes..<needed])
            do throws(CodingError) {
                return (header, try header.records(in: heads, batchOffset: offset))
            } catch {
                return nil  // Sums right and reads wrong: not a batch of this program; damage.
            }
        }
    }

    /// A bad sector is damage, and not the end of the walk.
    private func read(at offset: UInt64, count: Int) async throws(StoreError) -> [UInt8] {
        try await Self.read(segment, at: offset, count: count) ?? []
    }

    /// nil where the bytes cannot be read, after several attempts.
    static func read(
        _ segment: Segment, at offset: UInt64, count: Int
    ) async throws(StoreError) -> [UInt8]? {
        try await readUnlessLost(segment.file, at: offset, count: count)
    }

    private func parse(_ bytes: [UInt8]) throws(StoreError) -> BatchHeader? {
        guard bytes.count >= BatchFormat.headerBytes else { return nil }
        return bytes.withUnsafeBytes { raw -> BatchHeader? in
            do throws(CodingError) { return try BatchHeader.read(raw) } catch { return nil }
        }
    }

    /// The offset of the first batch that verifies behind `start`, within the reach of one batch.
    private func laterBatch(behind start: UInt64) async throws(StoreError) -> UInt64? {
        let step = UInt64(BatchFormat.alignment)
        let reach = min(
            knownEnd ?? segment.sizeBytes, start + UInt64(2 * BatchFormat.batchBytesMax))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.windowBytes, alignment: BatchFormat.alignment)
        defer { buffer.deallocate() }
        var window = start + step
        while window < reach {
            let read = try await readUnlessLost(segment.file, at: window, into: buffer)
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<(read ?? 0)])
            var at = 0
            while at + BatchFormat.headerBytes <= bytes.count, window + UInt64(at) < reach {
                if Self.hasMagic(bytes, at: at), try await batch(at: window + UInt64(at)) != nil {
                    return window + UInt64(at)
                }
                at += BatchFormat.alignment
            }
            window += UInt64(Self.windowBytes)
        }
        return nil
    }

    /// Where the last block ends that cannot be read, of those that a batch here would begin with;
    /// nil where all can.
    private func unreadableEnd(behind start: UInt64) async throws(StoreError) -> UInt64? {
        let reach = min(segment.sizeBytes, start + UInt64(Self.windowBytes))
        guard start < reach,
            try await Self.read(segment, at: start, count: Int(reach - start)) == nil
        else { return nil }
        var end: UInt64?
        for block in stride(from: start, to: reach, by: BatchFormat.alignment)
        where try await Self.read(segment, at: block, count: BatchFormat.alignment) == nil {
            end = min(reach, block + UInt64(BatchFormat.alignment))
        }
        return end
    }

    /// What is searched at once.
    private static let windowBytes = 1 << 20

    private static func hasMagic(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            == BatchFormat.magic
    }

    /// Whether a batch that does not verify was this one, and not something of the file's earlier
    /// life: what cannot be read was written once, and no two batches have the same number.
    static func hasRemains(
        of batch: UInt64, at offset: UInt64, in segment: Segment
    ) async throws(StoreError) -> Bool {
        guard let bytes = try await read(segment, at: offset, count: BatchFormat.headerBytes) else {
            return true
        }
        guard bytes.count == BatchFormat.headerBytes else { return false }
        return bytes.withUnsafeBytes { raw in
            let number = raw.loadUnaligned(
                fromByteOffset: BatchHeader.numberOffset, as: UInt64.self)
            return UInt64(littleEndian: number) == batch
        }
    }

    private func isTouched(at offset: UInt64) async throws(StoreError) -> Bool {
        let bytes = try await read(at: offset, count: BatchFormat.headerBytes)
        guard bytes.count >= 8 else { return false }
        return try parse(bytes) != nil
    }

    enum Data {
        case whole(ChunkBuffer)
        /// Other bytes than the head tells.
        case torn
        case unreadable
    }

    /// Reads a record's data and verifies it.
    static func verify(
        _ placed: PlacedRecord, in segment: Segment
    ) async throws(StoreError) -> Data {
        guard case .chunk(let id, _, _, let checksums) = placed.record else {
            return .whole(ChunkBuffer(copying: []))
        }
        let read = try await read(
            segment, at: UInt64(placed.dataOffset), count: Int(placed.dataLength))
        guard let bytes = read else { return .unreadable }
        guard bytes.count == Int(placed.dataLength) else { return .torn }
        let found = bytes.withUnsafeBytes { CRC32C.blocks(of: $0, chunk: id) }
        return found == checksums ? .whole(ChunkBuffer(copying: bytes)) : .torn
    }

    /// The same; nil where it does not verify.
    static func data(
        of placed: PlacedRecord, in segment: Segment
    ) async throws(StoreError) -> ChunkBuffer? {
        guard case .whole(let buffer) = try await verify(placed, in: segment) else { return nil }
        return buffer
    }
}
