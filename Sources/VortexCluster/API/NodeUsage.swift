// The store's numbers as the node tells them: the gateway does not know the store.

internal import VortexStore

/// Bytes of the journal that held synced records and no longer verify.
public struct DamagedBytes: Hashable, Sendable {
    public var segment: UInt32
    public var offset: UInt64
    public var length: UInt64
    /// Rows may be hidden in it that this node has not had from others since: what seems absent
    /// may not be.
    public var mayHideRows: Bool
}

extension NodeStatus {
    public var objects: UInt64 { usage.objects }
    public var objectBytes: UInt64 { usage.bytes }
    public var diskTotalBytes: UInt64 { usage.totalBytes }
    public var diskAvailableBytes: UInt64 { usage.availableBytes }
    /// Bodies are refused; deletes are not.
    public var isFull: Bool { usage.isFull }
    public var journalSegments: Int { usage.segments }
    public var journalSpareSegments: Int { usage.spareSegments }
    public var journalBytes: UInt64 { UInt64(usage.segments) * usage.segmentBytes }
    public var journalLiveBytes: UInt64 { usage.liveBytes }
    public var journalPosition: UInt64 { usage.position }
    public var journalSyncs: UInt64 { usage.syncs }
    public var journalRecords: UInt64 { usage.records }
    public var journalWrittenBytes: UInt64 { usage.journaledBytes }
    public var journalQueued: Int { usage.queued }
    public var compactedSegments: UInt64 { usage.compactedSegments }
    public var tornTails: Int { usage.tornTails }
    public var indexBytes: UInt64 { usage.indexBytes }
    public var damaged: [DamagedBytes] {
        usage.damagedRegions.map {
            DamagedBytes(
                segment: $0.segment, offset: $0.offset, length: $0.length,
                mayHideRows: $0.mayHideRows && !isHealed)
        }
    }
}
