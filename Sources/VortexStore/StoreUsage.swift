/// What a store holds and has done since it was opened.
public struct StoreUsage: Sendable, Equatable {
    /// Visible objects, and their bytes.
    public var objects: UInt64 = 0
    public var bytes: UInt64 = 0
    public var segments = 0
    public var spareSegments = 0
    public var segmentBytes: UInt64 = 0
    /// Bytes of the journal that something still refers to.
    public var liveBytes: UInt64 = 0
    /// The file system's.
    public var totalBytes: UInt64 = 0
    public var availableBytes: UInt64 = 0
    public var indexBytes: UInt64 = 0
    /// The position that the next record gets.
    public var position: UInt64 = 0
    public var syncs: UInt64 = 0
    public var records: UInt64 = 0
    public var journaledBytes: UInt64 = 0
    public var compactedSegments: UInt64 = 0
    /// Submissions that wait for the writer.
    public var queued = 0
    /// Bodies are refused: the disk is nearly full.
    public var isFull = false
    public var damagedRegions: [DamagedRegion] = []
    /// Unfinished batches that recovery cut off, since the store was opened.
    public var tornTails = 0

    public init() {}
}

/// Bytes of the journal that held synced records and no longer verify.
public struct DamagedRegion: Sendable, Hashable {
    public var segment: UInt32
    public var offset: UInt64
    public var length: UInt64
    /// Records in it may have been missed by the index: rows that seem absent may not be.
    public var mayHideRows: Bool

    public init(segment: UInt32, offset: UInt64, length: UInt64, mayHideRows: Bool) {
        self.segment = segment
        self.offset = offset
        self.length = length
        self.mayHideRows = mayHideRows
    }
}
