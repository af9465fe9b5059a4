internal import OrderedCollections
internal import VortexCore

/// Copies what lives out of mostly dead segments, and gives the segments back.
///
/// A copy keeps its position and goes through the same writer as everything else; the index moves
/// to it only where it still points to the original. The segment is removed, or becomes a spare,
/// after the index has been flushed pointing elsewhere. What cannot be read is not copied, and then
/// the segment stays: compaction never turns damage into absence.
extension Store {
    /// Dead bytes, in percent of a segment, from which it is compacted: rewriting less than half of
    /// it keeps the write amplification under two; on a nearly full disk any gain counts.
    private static let deadPercentMin: UInt64 = 50
    private static let deadPercentMinWhenTight: UInt64 = 10

    /// Compacts while there is something worth it, and looks again every second; ends when
    /// cancelled.
    public func runCompaction() async throws(StoreError) {
        while true {
            do throws(StoreError) {
                while try await compactOne() {}
            } catch .full {
                // No room even for copies: what becomes wholly dead will make some.
            } catch .stopped {
                return
            }
            do throws(CancellationError) { try await clock.sleep(milliseconds: 1_000) } catch {
                return
            }
        }
    }

    /// Compacts the segment that gives back the most; false where none is worth it.
    public func compactOne() async throws(StoreError) -> Bool {
        try await space.measure()
        guard let victim = candidate() else { return false }
        guard try await copyLiving(of: victim) else {
            gauges.markUnmovable(victim.number)
            return true
        }
        try await queue.submit(
            [], commands: [.forget(segment: victim.number)], isPrivileged: true)
        do throws(IndexError) { try index.flush() } catch { throw .index }
        let number = victim.number
        _ = consume victim
        try await space.retire(number)
        gauges.countCompacted()
        return true
    }

    private func candidate() -> Segment? {
        let live = gauges.live
        let unmovable = gauges.unmovable
        let percentMin = space.isTight ? Self.deadPercentMinWhenTight : Self.deadPercentMin
        var best: (segment: Segment, dead: UInt64)?
        for segment in space.all.dropLast() where !unmovable.contains(segment.number) {
            let dead = segment.sizeBytes - min(segment.sizeBytes, live[segment.number] ?? 0)
            guard dead * 100 >= segment.sizeBytes * percentMin, dead > best?.dead ?? 0 else {
                continue
            }
            best = (segment, dead)
        }
        return best?.segment
    }

    /// False where something that lives could not be read.
    private func copyLiving(of segment: Segment) async throws(StoreError) -> Bool {
        let all = space.all
        let next = all.first { $0.number > segment.number }?.header
        let knownEnd = next?.previous == segment.number ? next?.previousEnd : nil
        let oldestOther = all.first { $0.number != segment.number }?.number ?? 0
        var walk = SegmentWalk(segment, from: 0, knownEnd: knownEnd)
        var copies = CopyBatch(limit: min(4 << 20, space.batchBytes / 2))
        var isWhole = true
        while true {
            switch try await walk.next() {
            case .batch(_, let records, _):
                for placed in records {
                    switch try fate(of: placed, in: segment.number, oldestOther: oldestOther) {
                    case .dead: continue
                    case .drop(let key):
                        let place = RecordPlace(segment: segment.number, placed)
                        copies.commands.append(.drop(key: key, place: place))
                    case .copy:
                        guard let data = try await SegmentWalk.data(of: placed, in: segment) else {
                            isWhole = false
                            noteDamage(placed, in: segment.number)
                            continue
                        }
                        copies.add(placed, data)
                    }
                    if copies.isFull { try await submit(&copies) }
                }
            case .damage: isWhole = false
            case .end:
                try await submit(&copies)
                return isWhole || (gauges.live[segment.number] ?? 0) == 0
            }
        }
    }

    private struct CopyBatch {
        let limit: Int
        var items: [JournalQueue.Submission.Item] = []
        var commands: [IndexCommand] = []
        var bytes = 0
        var isFull: Bool { bytes >= limit || items.count + commands.count >= 1_024 }

        mutating func add(_ placed: PlacedRecord, _ data: ChunkBuffer) {
            items.append(
                .init(
                    record: placed.record, data: data.count == 0 ? nil : data,
                    position: placed.position))
            bytes += Int(placed.storedBytes)
        }
    }

    private func submit(_ copies: inout CopyBatch) async throws(StoreError) {
        guard !copies.items.isEmpty || !copies.commands.isEmpty else { return }
        let (items, commands) = (copies.items, copies.commands)
        copies = CopyBatch(limit: copies.limit)
        try await queue.submit(items, commands: commands, isPrivileged: true)
    }

    private func noteDamage(_ placed: PlacedRecord, in segment: UInt32) {
        gauges.note(
            damage: DamagedRegion(
                segment: segment, offset: UInt64(placed.dataOffset),
                length: UInt64(placed.dataLength), mayHideRows: false))
    }

    private enum Fate {
        case dead
        case copy
        case drop(key: [UInt8])
    }

    private func fate(
        of placed: PlacedRecord, in segment: UInt32, oldestOther: UInt32
    ) throws(StoreError) -> Fate {
        let key: [UInt8]
        var due = false
        switch placed.record {
        case .row(let row, _, _): key = IndexKey.row(row)
        case .chunk(let id, _, _, _): key = IndexKey.chunk(id)
        case .note(let name, _): key = IndexKey.note(name)
        case .delete(let blob, let milliseconds, _, let origin):
            key = IndexKey.delete(blob)
            // It outlives what it deletes, and stands for a day against what arrives late.
            due =
                oldestOther > origin
                && milliseconds + Limits.deleteRecordLifetimeMilliseconds
                    < clock.wallMilliseconds
        case .purge(let row, _, _, let origin):
            key = IndexKey.purge(row)
            due = oldestOther > origin
        }
        let place: RecordPlace?
        let bytes: [UInt8]?
        do throws(IndexError) { bytes = try index.get(key) } catch { throw .index }
        do throws(CodingError) {
            place = try bytes.map { (bytes) throws(CodingError) in
                try ByteReader.prefix(bytes) { (reader) throws(CodingError) in
                    try RecordPlace(&reader)
                }
            }
        } catch { throw .coding(error) }
        guard place == RecordPlace(segment: segment, placed) else { return .dead }
        return due ? .drop(key: key) : .copy
    }
}
