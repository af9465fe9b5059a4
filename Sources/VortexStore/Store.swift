internal import Synchronization
public import VortexCore

/// One node's disk: rows, chunks, notes. Writes are journaled, fdatasynced together with whatever
/// else waits (group commit), applied to the index, and only then return. Reads see what has been
/// applied.
///
///     accept, put, ...  -> JournalQueue -> JournalWriter -> segment, fdatasync -> Applier -> index
///     row, chunk, scan  -> index
///     read              -> the index's place -> segment, verified

public struct StoreOptions: Sendable {
    /// Free bytes of the file system that this store leaves alone.
    public var reserveBytes: UInt64
    /// Of a new directory; nil takes a size that suits the disk.
    public var segmentBytes: UInt64?
    /// The cluster of a new directory; nil makes one of its own.
    public var cluster: ClusterID?
    public init(
        reserveBytes: UInt64 = 64 << 20, segmentBytes: UInt64? = nil, cluster: ClusterID? = nil
    ) {
        self.reserveBytes = reserveBytes
        self.segmentBytes = segmentBytes
        self.cluster = cluster
    }
}

public final class Store: Sendable {
    public let identity: DataIdentity
    let index: any Index
    let space: SegmentSpace
    let queue: JournalQueue
    let gauges: StoreGauges
    let clock: any Clock
    private let writer: Mutex<JournalWriter?>
    private let shared: SharedMark

    /// Opens the directory, or makes a store in an empty one, and recovers (see `Recovery`).
    /// Nothing is written and nothing answered before that is done.
    public init(
        disk: any Disk, index: any Index, options: StoreOptions, clock: any Clock,
        entropy: any Entropy
    ) async throws(StoreError) {
        var identity = try await DataIdentity.read(disk)
        if identity == nil {
            let total = try await onDisk { () async throws(DiskError) in
                try await disk.space().totalBytes
            }
            let made = DataIdentity(
                cluster: options.cluster
                    ?? ClusterID(high: entropy.next(), low: entropy.next()),
                node: NodeID(entropy.next() | 1),
                segmentBytes: options.segmentBytes
                    ?? DataIdentity.segmentBytes(forDiskOf: total))
            try await made.create(on: disk)
            identity = made
        }
        guard let identity else { throw .refused(.foreignFormat) }
        self.identity = identity
        self.index = index
        self.clock = clock
        queue = JournalQueue()
        gauges = StoreGauges()
        space = SegmentSpace(
            disk: disk, identity: identity, reserveBytes: options.reserveBytes, entropy: entropy,
            clock: clock)
        var recovery = try Recovery(space: space, gauges: gauges, index: index)
        writer = Mutex(try await recovery.run(queue: queue))
        shared = try await SharedMark(disk: disk)
    }

    /// The journal position that the next record gets: all before it is durable.
    public var position: UInt64 { gauges.position }

    /// Damage behind which rows, notes, ceilings and horizons may be hidden that the index lacks,
    /// found at this start or at an earlier one.
    public var hiding: [DamagedRegion] { gauges.damaged.filter(\.mayHideRows) }

    /// Whether this directory has ever been one of several nodes'. Not in the journal, whose damage
    /// may have hidden all that tells of them.
    public var isShared: Bool { shared.isSet }

    public func setShared() async throws(StoreError) { try await shared.set() }

    /// Writes the journal until `stop`; call it once, on the executor whose thread may block on the
    /// disk. An error means that the process must end: nothing is known of what was being written.
    public func runWriter() async throws(StoreError) {
        guard var writer = writer.withLock({ $0.take() }) else {
            preconditionFailure("a store has one writer")
        }
        try await writer.run()
        do throws(IndexError) { try index.flush() } catch { throw .index }
    }

    /// Takes in no more writes; `runWriter` writes what waits, seals the journal and returns.
    public func stop() { queue.stop() }

    /// What could still be written, in bytes: the file system's free ones and the segments that are
    /// already allocated. Zero where bodies are refused. Cheap enough to ask before every request.
    public var roomBytes: UInt64 {
        guard !space.isTight else { return 0 }
        return space.availableBytes + UInt64(space.spareCount + 1) * space.segmentBytes
    }

    public var usage: StoreUsage {
        var usage = StoreUsage()
        gauges.fill(&usage)
        usage.segments = space.all.count
        usage.spareSegments = space.spareCount
        usage.segmentBytes = space.segmentBytes
        usage.totalBytes = space.totalBytes
        usage.availableBytes = space.availableBytes
        usage.indexBytes = index.approximateBytes
        usage.queued = queue.count
        usage.isFull = space.isTight
        return usage
    }
}
