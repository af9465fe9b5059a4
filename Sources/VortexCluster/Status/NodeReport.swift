internal import VortexCore
internal import VortexStore

/// What a node tells another one for its status.
struct NodeReport: Sendable {
    var started: UInt64
    var objects: UInt64
    var totalBytes: UInt64
    var availableBytes: UInt64
    var liveBytes: UInt64
    var isVerified: Bool
    var verifiedMilliseconds: UInt64
    var missingRows: UInt64
    var missingChunks: UInt64
    var strays: UInt64
    var lostChunks: UInt64
    var repairedRows: UInt64
    var copiedChunks: UInt64
    var collectedBlobs: UInt64
    /// It answers no question about rows: its journal was damaged.
    var isFenced: Bool

    /// What a walk under an older layout found says nothing about this one.
    init(
        _ usage: StoreUsage, _ progress: RepairProgress, _ view: LayoutView, _ fence: Fence,
        missing: (rows: Int, chunks: Int), started: UInt64
    ) {
        let now = progress.now
        self.started = started
        objects = usage.objects
        totalBytes = usage.totalBytes
        availableBytes = usage.availableBytes
        liveBytes = usage.liveBytes
        isVerified = now.isVerified && now.verifiedEpoch >= view.lastChange
        isFenced = fence.isUp(view)
        verifiedMilliseconds = now.verifiedMilliseconds
        missingRows = UInt64(missing.rows)
        missingChunks = UInt64(missing.chunks)
        strays = now.strays
        lostChunks = now.lostChunks
        repairedRows = now.repairedRows
        copiedChunks = now.copiedChunks
        collectedBlobs = now.collectedBlobs
    }

    private var numbers: [UInt64] {
        [
            started, objects, totalBytes, availableBytes, liveBytes, isVerified ? 1 : 0,
            verifiedMilliseconds, missingRows, missingChunks, strays, repairedRows, copiedChunks,
            collectedBlobs, isFenced ? 1 : 0, lostChunks,
        ]
    }

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 96)
        for number in numbers { writer.write(number: number) }
        return writer.bytes
    }

    init(_ reader: inout ByteReader) throws(CodingError) {
        started = try reader.readNumber()
        objects = try reader.readNumber()
        totalBytes = try reader.readNumber()
        availableBytes = try reader.readNumber()
        liveBytes = try reader.readNumber()
        isVerified = try reader.readNumber() == 1
        verifiedMilliseconds = try reader.readNumber()
        missingRows = try reader.readNumber()
        missingChunks = try reader.readNumber()
        strays = try reader.readNumber()
        repairedRows = try reader.readNumber()
        copiedChunks = try reader.readNumber()
        collectedBlobs = try reader.readNumber()
        isFenced = try reader.readNumber() == 1
        lostChunks = try reader.readNumber()
    }
}
