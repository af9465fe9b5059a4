public import VortexCore

/// What a data directory holds, read without changing anything: `vortex inspect`.
public struct StoreInspection: Sendable {
    public struct SegmentReport: Sendable {
        public var number: UInt32
        public var sizeBytes: UInt64
        /// Where the valid batches end.
        public var end: UInt64
        public var batches = 0
        public var rows = 0
        public var chunks = 0
        public var chunkBytes: UInt64 = 0
        public var notes = 0
        public var deletes = 0
        public var purges = 0
        public var firstBatch: UInt64 = 0
        public var lastBatch: UInt64 = 0
        public var lastBatchOffset: UInt64 = 0
        public var isTorn = false
        public var damage: [Range<UInt64>] = []
    }

    public var identity: DataIdentity
    public var segments: [SegmentReport] = []
    /// Files named as segments whose headers do not verify.
    public var unreadable: [String] = []
    public var spares: [String] = []

    /// Walks every segment; with `verifyingData`, reads and verifies every chunk too. A record is
    /// given to `each`, with its segment, as it is met.
    public static func inspect(
        _ disk: any Disk, verifyingData: Bool,
        each: (_ line: String) -> Void = { _ in }
    ) async throws(StoreError) -> StoreInspection {
        guard let identity = try await DataIdentity.read(disk) else {
            throw .refused(.foreignFormat)
        }
        var report = StoreInspection(identity: identity)
        let names = try await onDisk { () async throws(DiskError) in try await disk.list() }
        var segments: [Segment] = []
        for name in names {
            if name.hasPrefix("spare-") { report.spares.append(name) }
            guard let number = SegmentHeader.number(in: name) else { continue }
            let file = try await onDisk { () async throws(DiskError) in
                try await disk.open(name)
            }
            if case .segment(let segment) = try await Segment.open(file, number: number) {
                segments.append(segment)
            } else {
                report.unreadable.append(name)
            }
        }
        segments.sort { $0.number < $1.number }
        for (place, segment) in segments.enumerated() {
            let next = place + 1 < segments.count ? segments[place + 1].header : nil
            let knownEnd = next?.previous == segment.number ? next?.previousEnd : nil
            report.segments.append(
                try await inspect(segment, knownEnd, verifyingData: verifyingData, each: each))
        }
        return report
    }

    private static func inspect(
        _ segment: Segment, _ knownEnd: UInt64?, verifyingData: Bool, each: (String) -> Void
    ) async throws(StoreError) -> SegmentReport {
        var report = SegmentReport(
            number: segment.number, sizeBytes: segment.sizeBytes,
            end: UInt64(SegmentHeader.bytes))
        var walk = SegmentWalk(segment, from: 0, knownEnd: knownEnd)
        while true {
            switch try await walk.next() {
            case .batch(let header, let records, let offset):
                report.count(header, records, offset)
                for placed in records {
                    each(line(placed, segment.number))
                    guard verifyingData,
                        try await SegmentWalk.data(of: placed, in: segment) == nil
                    else { continue }
                    let start = UInt64(placed.dataOffset)
                    report.damage.append(start..<start + UInt64(placed.dataLength))
                }
            case .damage(let range): report.damage.append(range)
            case .end(let offset, let isTorn):
                report.end = offset
                report.isTorn = isTorn
                return report
            }
        }
    }

    private static func line(_ placed: PlacedRecord, _ segment: UInt32) -> String {
        let place = "\(segment)+\(placed.headOffset) position \(placed.position)"
        switch placed.record {
        case .row(let key, let row, _):
            let name = String(decoding: key.key, as: UTF8.self)
            let state = row.value.isTombstone ? "tombstone" : "row"
            return "\(place) \(state) bucket \(key.bucket) key \(name) change \(row.value.change)"
        case .chunk(let id, _, _, _):
            return "\(place) chunk \(id.blob)/\(id.index) \(placed.dataLength) bytes"
        case .note(let name, let value): return "\(place) note \(name) \(value.count) bytes"
        case .delete(let blob, _, _, _): return "\(place) delete \(blob)"
        case .purge(let key, let partition, _, _):
            return "\(place) purge partition \(partition) bucket \(key.bucket)"
        }
    }
}

extension StoreInspection.SegmentReport {
    fileprivate mutating func count(
        _ header: BatchHeader, _ records: [PlacedRecord], _ offset: UInt64
    ) {
        batches += 1
        if batches == 1 { firstBatch = header.number }
        lastBatch = header.number
        lastBatchOffset = offset
        for placed in records {
            switch placed.record {
            case .row: rows += 1
            case .chunk:
                chunks += 1
                chunkBytes += UInt64(placed.dataLength)
            case .note: notes += 1
            case .delete: deletes += 1
            case .purge: purges += 1
            }
        }
    }
}
