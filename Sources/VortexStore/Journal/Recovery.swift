internal import OrderedCollections
internal import VortexCore

/// From a data directory as a crash left it to a writer that can go on.
///
///   what is found                                  what is done
///   nothing                                        a new store
///   the last batch torn (heads or data)            cut off and counted
///   the last batch not to be read                  reported: no power cut does that
///   a body of the last batch not to be read        applied: that body is lost, like one that rots
///   the last batch whole, not known to be synced   written again into a new segment, synced, then
///                                                  applied: nothing is answered before that
///   a seal as the last batch                       the writer goes on behind it
///   the tail written again, torn itself            written again from where it stood
///   a batch damaged that a later one follows       reported; its records are missing here, and
///                                                  the index says so from then on
///   the index older than the journal               replay from its mark
///   the index lost or damaged                      replay from the first segment
///   the index newer than the journal               refused: the disk went back in time
///   a segment with live records missing            refused
///   a file taken for a segment, header not written a spare again
///   both copies of a segment's header damaged      all of it reported as damaged
///   a segment of another cluster or node           refused
///   a newer or foreign format                      refused
struct Recovery {
    let space: SegmentSpace
    let gauges: StoreGauges
    private let index: any Index
    private var applier: Applier
    private var segments: [Segment] = []
    /// Batches that verify and are not known to be synced, oldest first.
    private var held: [(segment: Segment, step: HeldBatch)] = []
    private var synced: UInt64 = 0

    private struct HeldBatch {
        var number: UInt64
        var offset: UInt64
        var end: UInt64
        var records: [PlacedRecord]
    }

    init(space: SegmentSpace, gauges: StoreGauges, index: any Index) throws(StoreError) {
        self.space = space
        self.gauges = gauges
        self.index = index
        applier = try Applier(index: index)
    }

    mutating func run(queue: JournalQueue) async throws(StoreError) -> JournalWriter {
        try noteKnownDamage()
        try await openSegments()
        try await dropUnbegunSegment()
        try await checkMark()
        let end = try await replay()
        let (segment, offset) = try await settleTail(end)
        try await space.reserve()
        return JournalWriter(
            space: space, queue: queue, gauges: gauges, applier: applier, segment: segment,
            offset: offset)
    }

    private mutating func openSegments() async throws(StoreError) {
        let disk = space.disk
        let names = try await onDisk { () async throws(DiskError) in try await disk.list() }
        var present: [UInt32] = []
        for name in names {
            if name.hasPrefix("spare-") {
                try await adoptSpare(name)
            } else if let number = SegmentHeader.number(in: name) {
                present.append(number)
                try await openSegment(name, number, isLast: name == names.last(where: isSegment))
            }
        }
        segments.sort { $0.number < $1.number }
        for (number, bytes) in applier.live where bytes > 0 && !present.contains(number) {
            throw .refused(.missingSegment(number))
        }
    }

    private mutating func note(_ damage: DamagedRegion) {
        gauges.note(damage: damage)
        if damage.mayHideRows { applier.note(hiding: damage) }
    }

    /// What earlier starts went past.
    private func noteKnownDamage() throws(StoreError) {
        for (key, value) in try index.entries(prefix: IndexKey.damageAll, limit: .max) {
            do throws(CodingError) {
                let (segment, offset) = try ByteReader.decode(key) {
                    (reader) throws(CodingError) in
                    try reader.skip(1)
                    return (
                        try reader.readOrdered(UInt32.self), try reader.readOrdered(UInt64.self)
                    )
                }
                let length = try ByteReader.decode(value) { (reader) throws(CodingError) in
                    try reader.readFixed(UInt64.self)
                }
                gauges.note(
                    damage: DamagedRegion(
                        segment: segment, offset: offset, length: length, mayHideRows: true))
            } catch { throw .coding(error) }
        }
    }

    private func isSegment(_ name: String) -> Bool { SegmentHeader.number(in: name) != nil }

    private func adoptSpare(_ name: String) async throws(StoreError) {
        let disk = space.disk
        let size = try await onDisk { () async throws(DiskError) in
            try await disk.open(name).size()
        }
        if size == space.segmentBytes {
            space.adopt(spare: name)
        } else {
            try await onDisk { () async throws(DiskError) in try await disk.remove(name) }
        }
    }

    private mutating func openSegment(
        _ name: String, _ number: UInt32, isLast: Bool
    ) async throws(StoreError) {
        let disk = space.disk
        let file = try await onDisk { () async throws(DiskError) in try await disk.open(name) }
        switch try await Segment.open(file, number: number) {
        case .segment(let segment):
            guard segment.header.cluster == space.identity.cluster else {
                throw .refused(
                    .foreignCluster(
                        found: segment.header.cluster, expected: space.identity.cluster))
            }
            segments.append(segment)
            space.adopt(segment)
        case .unbegun where isLast && (applier.live[number] ?? 0) == 0:
            let spare = "spare-\(name)"
            try await onDisk { () async throws(DiskError) in
                try await disk.rename(name, to: spare)
            }
            try await adoptSpare(spare)
        case .unbegun, .damaged:
            space.keep(damaged: number)
            let size = try await onDisk { () async throws(DiskError) in try await file.size() }
            note(
                DamagedRegion(
                    segment: number, offset: 0, length: size,
                    mayHideRows: number >= applier.mark.segment))
        }
    }

    /// A segment was made ready and nothing whole was written to it: its word on where the one
    /// before it ends does not count. A tail that was being written again, and of which only the
    /// heads arrived, still stands there.
    private mutating func dropUnbegunSegment() async throws(StoreError) {
        guard let last = segments.last, last.number != applier.mark.segment else { return }
        var walk = SegmentWalk(last, from: 0, knownEnd: nil)
        switch try await walk.next() {
        case .end: break
        case .damage: return
        case .batch(_, let records, _):
            guard try await isTorn(records, in: last), case .end = try await walk.next() else {
                return
            }
        }
        segments.removeLast()
        try await space.retire(last.number)
    }

    private func isTorn(
        _ records: [PlacedRecord], in segment: Segment
    ) async throws(StoreError) -> Bool {
        for placed in records {
            switch try await SegmentWalk.verify(placed, in: segment) {
            case .whole: continue
            case .torn: return true
            case .unreadable: return false
            }
        }
        return false
    }

    /// The batch that the index says was applied last must be there.
    private func checkMark() async throws(StoreError) {
        let mark = applier.mark
        guard mark.batch > 0 else { return }
        guard let segment = segments.first(where: { $0.number == mark.segment }) else {
            throw .refused(.missingSegment(mark.segment))
        }
        var walk = SegmentWalk(segment, from: mark.offset, knownEnd: nil)
        switch try await walk.next() {
        case .batch(let header, _, let offset) where offset == mark.offset:
            guard header.number == mark.batch else {
                throw .refused(
                    .indexNewerThanJournal(index: mark.batch, journal: header.number))
            }
        case .batch, .damage:
            return  // Damaged since; a later batch shows that the journal reaches further.
        case .end:
            guard segments.last?.number == mark.segment else { return }
            if try await SegmentWalk.hasRemains(of: mark.batch, at: mark.offset, in: segment) {
                return  // The last one of all, damaged since: the index has what it said.
            }
            throw .refused(.indexNewerThanJournal(index: mark.batch, journal: 0))
        }
    }

    /// Applies what the index lacks. Returns where the last segment's valid part ends.
    private mutating func replay() async throws(StoreError) -> UInt64 {
        let mark = applier.mark
        synced = mark.batch
        var end = UInt64(SegmentHeader.bytes)
        for (place, segment) in segments.enumerated() where segment.number >= mark.segment {
            let next = place + 1 < segments.count ? segments[place + 1].header : nil
            let knownEnd = next?.previous == segment.number ? next?.previousEnd : nil
            let start = segment.number == mark.segment ? mark.end : 0
            end = try await replay(segment, from: start, knownEnd: knownEnd, isLast: next == nil)
        }
        return end
    }

    private mutating func replay(
        _ segment: Segment, from start: UInt64, knownEnd: UInt64?, isLast: Bool
    ) async throws(StoreError) -> UInt64 {
        var walk = SegmentWalk(segment, from: start, knownEnd: knownEnd)
        while true {
            switch try await walk.next() {
            case .batch(let header, let records, let offset):
                guard header.number > applier.mark.batch else { continue }
                synced = max(synced, header.synced)
                try applyHeld(upTo: synced)
                held.append(
                    (
                        segment,
                        HeldBatch(
                            number: header.number, offset: offset,
                            end: offset + UInt64(header.length), records: records)
                    ))
            case .damage(let range):
                note(
                    DamagedRegion(
                        segment: segment.number, offset: range.lowerBound,
                        length: UInt64(range.count), mayHideRows: true))
            case .end(let offset, let isTorn):
                if isTorn, isLast { gauges.countTornTail() }
                return offset
            }
        }
    }

    private mutating func applyHeld(upTo synced: UInt64) throws(StoreError) {
        while let first = held.first, first.step.number <= synced {
            try apply(first.step, in: first.segment.number)
            held.removeFirst()
        }
    }

    private mutating func apply(_ batch: HeldBatch, in segment: UInt32) throws(StoreError) {
        applier.begin(batch: batch.number, at: batch.offset)
        for placed in batch.records { try applier.apply(placed, segment: segment) }
        try applier.commit(segment: segment, end: batch.end)
    }

    /// Where the writer goes on.
    private mutating func settleTail(
        _ end: UInt64
    ) async throws(StoreError) -> (Segment, UInt64) {
        guard let last = segments.last else {
            let first = try await space.next(
                number: applier.mark.segment + 1, previous: 0, previousEnd: 0)
            return (first, UInt64(SegmentHeader.bytes))
        }
        guard let tail = held.first else { return (last, end) }
        if held.count == 1, tail.step.records.isEmpty, tail.segment.number == last.number {
            try apply(tail.step, in: last.number)
            return (last, tail.step.end)
        }
        var whole: [HeldBatch] = []
        var data: [[ChunkBuffer?]] = []
        reading: for (segment, batch) in held {
            var buffers: [ChunkBuffer?] = []
            for placed in batch.records {
                switch try await SegmentWalk.verify(placed, in: segment) {
                case .whole(let buffer): buffers.append(buffer.count == 0 ? nil : buffer)
                case .torn:
                    gauges.countTornTail()
                    break reading
                case .unreadable: return try await applyInPlace()
                }
            }
            whole.append(batch)
            data.append(buffers)
        }
        guard !whole.isEmpty else { return (tail.segment, tail.step.offset) }
        return try await rewrite(whole, data, behind: tail.segment, endingAt: tail.step.offset)
    }

    /// A body of the tail cannot be read, and so not be written again; all of it had been written.
    /// It is lost like one that is damaged later: its row stays, and its copies.
    private mutating func applyInPlace() async throws(StoreError) -> (Segment, UInt64) {
        let last = held[held.count - 1]
        let file = last.segment.file
        try await onDisk { () async throws(DiskError) in try await file.sync() }
        for (segment, batch) in held { try apply(batch, in: segment.number) }
        return (last.segment, last.step.end)
    }

    /// Writes the tail again, into a segment whose header says that the old one ends before it.
    private mutating func rewrite(
        _ batches: [HeldBatch], _ data: [[ChunkBuffer?]], behind old: Segment, endingAt end: UInt64
    ) async throws(StoreError) -> (Segment, UInt64) {
        let last = segments.last?.number ?? old.number
        let segment = try await space.next(
            number: last + 1, previous: old.number, previousEnd: end)
        var encoder = BatchEncoder()
        for (batch, buffers) in zip(batches, data) {
            for (placed, buffer) in zip(batch.records, buffers) {
                encoder.add(placed.record, data: buffer, position: placed.position)
            }
        }
        let number = batches[batches.count - 1].number
        let length = UInt64(encoder.length)
        let offset = UInt64(SegmentHeader.bytes)
        let heads = encoder.finish(
            number: number, synced: synced, salt: segment.header.salt, at: offset)
        var bytes = heads
        for buffer in encoder.data { bytes.append(contentsOf: buffer.bytes) }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Int(length) - bytes.count))
        try await writeAll(bytes, to: segment.file, at: offset)
        let (file, oldFile) = (segment.file, old.file)
        try await onDisk { () async throws(DiskError) in
            try await file.sync()
            try await oldFile.truncate(to: end)
            try await oldFile.sync()
        }
        space.adopt(Segment(header: old.header, file: oldFile, sizeBytes: end))
        try apply(
            HeldBatch(
                number: number, offset: offset, end: offset + length, records: encoder.records),
            in: segment.number)
        return (segment, offset + length)
    }
}
