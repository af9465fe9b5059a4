internal import Synchronization
internal import VortexCore

/// The segments of a data directory: which there are, where the next one comes from, and whether
/// there is room for it.
///
/// Compaction and deletes need space to give space back, so one spare segment is set aside when the
/// store is opened, and the last part of the current one is held back: when no further segment can
/// be made, clients' bodies are refused (507) while deletes go on.
final class SegmentSpace: Sendable {
    private struct State {
        var segments: [UInt32: Segment] = [:]
        var spares: [String] = []
        var availableBytes: UInt64 = 0
        var totalBytes: UInt64 = 0
        var isTight = false
        var nextSpare: UInt32 = 0
        /// The highest number of a file that is there and cannot be used.
        var damaged: UInt32 = 0
    }
    private let state: Mutex<State>
    let disk: any Disk
    let identity: DataIdentity
    private let entropy: any Entropy
    private let clock: any Clock
    /// Free bytes of the file system that this store leaves alone.
    let reserveBytes: UInt64

    init(
        disk: any Disk, identity: DataIdentity, reserveBytes: UInt64, entropy: any Entropy,
        clock: any Clock
    ) {
        self.disk = disk
        self.identity = identity
        self.reserveBytes = reserveBytes
        self.entropy = entropy
        self.clock = clock
        state = Mutex(State())
    }

    var segmentBytes: UInt64 { identity.segmentBytes }
    var batchBytes: Int { min(16 << 20, Int(segmentBytes / 4)) }
    /// The part of the last segment that only deletes and compaction may fill.
    var heldBackBytes: UInt64 { segmentBytes / 8 }
    var isTight: Bool { state.withLock { $0.isTight } }
    var availableBytes: UInt64 { state.withLock { $0.availableBytes } }
    var totalBytes: UInt64 { state.withLock { $0.totalBytes } }
    var spareCount: Int { state.withLock { $0.spares.count } }
    /// Ascending by number.
    var all: [Segment] {
        state.withLock { state in state.segments.values.sorted { $0.number < $1.number } }
    }

    func segment(_ number: UInt32) -> Segment? { state.withLock { $0.segments[number] } }
    func adopt(_ segment: Segment) { state.withLock { $0.segments[segment.number] = segment } }
    func adopt(spare name: String) { state.withLock { $0.spares.append(name) } }

    /// Asks the file system, and decides whether a further segment could be had.
    func measure() async throws(StoreError) {
        let disk = disk
        let space = try await onDisk { () async throws(DiskError) in try await disk.space() }
        state.withLock { state in
            state.availableBytes = space.availableBytes
            state.totalBytes = space.totalBytes
            state.isTight =
                state.spares.count < 2 && space.availableBytes < reserveBytes + segmentBytes
        }
    }

    /// Sets the spare aside, where it is not there yet and the disk has room.
    func reserve() async throws(StoreError) {
        try await measure()
        guard spareCount == 0, availableBytes >= segmentBytes else { return }
        let name = spareName()
        let (disk, bytes) = (disk, segmentBytes)
        do throws(DiskError) {
            _ = try await disk.create(name, allocatedBytes: bytes)
            try await disk.syncDirectory()
        } catch {
            guard error.errno == DiskError.noSpaceErrno else { throw .disk(error) }
            return
        }
        adopt(spare: name)
        try await measure()
    }

    private func spareName() -> String {
        let number = state.withLock { state in
            state.nextSpare += 1
            return state.nextSpare
        }
        return "spare-\(Hex.string(entropy.next()))-\(number)"
    }

    /// Opens the segment that follows `previous`: a recycled file, a new one, or the reserve.
    /// A segment's file whose header is damaged stays, and keeps its number.
    func keep(damaged number: UInt32) {
        state.withLock { $0.damaged = max($0.damaged, number) }
    }

    func next(after previous: Segment, endingAt end: UInt64) async throws(StoreError) -> Segment {
        try await next(
            number: previous.number + 1, previous: previous.number, previousEnd: end)
    }

    func next(
        number: UInt32, previous: UInt32, previousEnd: UInt64
    ) async throws(StoreError) -> Segment {
        let number = max(number, state.withLock { $0.damaged } + 1)
        let file = try await file(named: SegmentHeader.name(number))
        let header = SegmentHeader(
            number: number, cluster: identity.cluster, node: identity.node, salt: entropy.next(),
            previous: previous, previousEnd: previousEnd,
            createdMilliseconds: clock.wallMilliseconds)
        try await writeAll(header.encoded(), to: file, at: 0)
        let disk = disk
        try await onDisk { () async throws(DiskError) in
            try await file.sync()
            try await disk.syncDirectory()
        }
        let segment = Segment(header: header, file: file, sizeBytes: segmentBytes)
        adopt(segment)
        try await measure()
        return segment
    }

    private func file(named name: String) async throws(StoreError) -> any DiskFile {
        let (disk, bytes) = (disk, segmentBytes)
        if spareCount < 2, !isTight {
            do throws(DiskError) {
                return try await disk.create(name, allocatedBytes: bytes)
            } catch {
                guard error.errno == DiskError.noSpaceErrno else { throw .disk(error) }
            }
        }
        let spare = state.withLock { $0.spares.popLast() }
        guard let spare else { throw .full(availableBytes: availableBytes) }
        return try await onDisk { () async throws(DiskError) in
            try await disk.rename(spare, to: name)
            return try await disk.open(name)
        }
    }

    /// A segment that the index no longer points to: kept as a spare where nobody reads it and one
    /// is wanted, else removed.
    func retire(_ number: UInt32) async throws(StoreError) {
        var segment = state.withLock { $0.segments.removeValue(forKey: number) }
        guard segment != nil else { return }
        let isFree = isKnownUniquelyReferenced(&segment)
        let isWhole = segment?.sizeBytes == segmentBytes
        segment = nil
        let (disk, name) = (disk, SegmentHeader.name(number))
        if isFree, isWhole, spareCount < 2 {
            let spare = spareName()
            try await onDisk { () async throws(DiskError) in
                try await disk.rename(name, to: spare)
                try await disk.syncDirectory()
            }
            adopt(spare: spare)
        } else {
            try await onDisk { () async throws(DiskError) in
                try await disk.remove(name)
                try await disk.syncDirectory()
            }
        }
        try await measure()
    }
}

/// Writes an array; it stays where it is until the disk has it.
func writeAll(
    _ bytes: [UInt8], to file: any DiskFile, at offset: UInt64
) async throws(StoreError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try await onDisk { () async throws(DiskError) in
        try await file.write([UnsafeRawBufferPointer(buffer)], at: offset)
    }
}
