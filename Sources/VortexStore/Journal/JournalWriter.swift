internal import OrderedCollections
internal import VortexCore

/// The one writer of the journal: takes all that waits, writes it as one batch, fdatasyncs once,
/// applies it to the index, and completes the waiting requests (group commit; DeWitt et al., 1984).
/// A failed write or sync ends it, and with it the process: after a failed fsync nobody knows what
/// is durable.
struct JournalWriter: ~Copyable, Sendable {
    private let space: SegmentSpace
    private let queue: JournalQueue
    private let gauges: StoreGauges
    private var segment: Segment
    private var offset: UInt64
    private var nextBatch: UInt64
    /// The highest batch known to be durable.
    private var synced: UInt64
    private var applier: Applier
    private var encoder = BatchEncoder()
    private var nextPosition: UInt64
    /// Up to here the segment's blocks have been written before, with zeros at least.
    private var writtenEnd: UInt64 = 0
    private let zeros = ChunkBuffer(copying: [UInt8](repeating: 0, count: zeroPieceBytes))

    /// Zeros go ahead of small batches, so many at a time: a block that was only reserved makes the
    /// file system journal its first write, and the sync wait for that (180 µs instead of 105 for 8
    /// KiB on ext4). Of larger batches the zeros would cost more than they save.
    private static let zerosAheadBytes = 512 << 10
    private static let zerosAheadBatchBytesMax = 256 << 10
    private static let zeroPieceBytes = 64 << 10

    init(
        space: SegmentSpace, queue: JournalQueue, gauges: StoreGauges, applier: consuming Applier,
        segment: Segment, offset: UInt64
    ) {
        self.space = space
        self.queue = queue
        self.gauges = gauges
        self.segment = segment
        self.offset = offset
        nextBatch = applier.mark.batch + 1
        synced = applier.mark.batch
        nextPosition = applier.mark.nextPosition
        self.applier = applier
        publish()
    }

    /// Writes until the queue is stopped and empty; then seals the journal, so that the next start
    /// knows that nothing is unfinished.
    mutating func run() async throws(StoreError) {
        while true {
            let taken = await queue.take(bytes: space.batchBytes)
            if taken.isEmpty { return try await seal() }
            var unanswered = taken
            do throws(StoreError) {
                unanswered = try await admit(taken)
                try await write(unanswered)
                for submission in unanswered { queue.finish(submission, nil) }
            } catch .full(let availableBytes) {
                // Not even the reserve was left for a further segment; nothing has been written.
                for submission in unanswered {
                    queue.finish(submission, .full(availableBytes: availableBytes))
                }
            } catch {
                for submission in unanswered { queue.finish(submission, .stopped) }
                queue.stop(failing: .stopped)
                throw error
            }
        }
    }

    /// An empty batch says that everything before it is durable. Without room for it the next start
    /// writes the last batch again, as after a crash.
    private mutating func seal() async throws(StoreError) {
        do throws(StoreError) { try await write([]) } catch {
            guard case .full = error else { throw error }
        }
    }

    /// Refuses what would take the room that deletes and compaction need; makes room for the rest.
    private mutating func admit(
        _ taken: [JournalQueue.Submission]
    ) async throws(StoreError) -> [JournalQueue.Submission] {
        if space.isTight || segment.sizeBytes - offset < segment.sizeBytes / 4 {
            try await space.measure()
        }
        guard space.isTight else { return taken }
        var room = Int64(segment.sizeBytes - offset) - Int64(space.heldBackBytes)
        var admitted: [JournalQueue.Submission] = []
        for submission in taken {
            let cost = Int64(submission.bytes + BatchFormat.alignment)
            if submission.isPrivileged || cost <= room {
                admitted.append(submission)
                room -= cost
            } else {
                queue.finish(submission, .full(availableBytes: space.availableBytes))
            }
        }
        return admitted
    }

    private mutating func write(
        _ submissions: [JournalQueue.Submission]
    ) async throws(StoreError) {
        encoder.reset()
        for submission in submissions {
            for item in submission.items {
                let record = item.record.stamped(origin: segment.number)
                encoder.add(record, data: item.data, position: item.position ?? nextPosition)
                if item.position == nil { nextPosition += 1 }
            }
        }
        let commands = submissions.flatMap(\.commands)
        let isSeal = submissions.isEmpty
        if !encoder.isEmpty || isSeal { try await append() }
        for placed in encoder.records { try applier.apply(placed, segment: segment.number) }
        for command in commands { try applier.run(command) }
        try applier.commit(segment: segment.number, end: offset)
        publish()
    }

    /// One write and one fdatasync; what it holds is durable afterwards.
    private mutating func append() async throws(StoreError) {
        let length = UInt64(encoder.length)
        if offset + length > segment.sizeBytes {
            segment = try await space.next(after: segment, endingAt: offset)
            offset = UInt64(SegmentHeader.bytes)
            writtenEnd = 0
        }
        let heads = encoder.finish(
            number: nextBatch, synced: synced, salt: segment.header.salt, at: offset)
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: heads.count, alignment: 64)
        defer { head.deallocate() }
        head.copyBytes(from: heads)
        var pieces = [UnsafeRawBufferPointer(head)]
        var written = heads.count
        for buffer in encoder.data {
            pieces.append(buffer.bytes)
            written += buffer.count
        }
        let ahead = zerosAhead(of: length)
        addZeros(Int(length) - written + ahead, to: &pieces)
        let (file, start) = (segment.file, offset)
        try await onDisk { () async throws(DiskError) in
            try await file.write(pieces, at: start)
            try await file.sync()
        }
        applier.begin(batch: nextBatch, at: offset)
        offset += length
        writtenEnd = max(writtenEnd, offset + UInt64(ahead))
        synced = nextBatch
        nextBatch += 1
        gauges.countBatch(records: encoder.records.count, bytes: Int(length))
    }

    /// How many zeros to write behind a batch of that length.
    private func zerosAhead(of length: UInt64) -> Int {
        let end = offset + length
        guard end > writtenEnd, length <= Self.zerosAheadBatchBytesMax else { return 0 }
        return min(Self.zerosAheadBytes, Int(segment.sizeBytes - end))
    }

    private func addZeros(_ count: Int, to pieces: inout [UnsafeRawBufferPointer]) {
        var rest = count
        while rest > 0 {
            let piece = min(rest, zeros.bytes.count)
            pieces.append(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<piece]))
            rest -= piece
        }
    }

    private func publish() {
        gauges.publish(applier.mark, live: applier.live)
    }
}

/// What compaction asks of the index between two batches.
enum IndexCommand: Sendable {
    case drop(key: [UInt8], place: RecordPlace)
    case forget(segment: UInt32)
}

extension Applier {
    mutating func run(_ command: IndexCommand) throws(StoreError) {
        switch command {
        case .drop(let key, let place): try drop(key, place)
        case .forget(let segment): forget(segment: segment)
        }
    }
}
