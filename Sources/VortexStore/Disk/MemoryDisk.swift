internal import Glibc
internal import Synchronization
public import VortexCore

/// A disk in memory for the simulator and tests. All it does follows from the calls and the seeds.
///
/// `crash` is the loss of power: of everything written or named and not synced, each write and each
/// change of a name is kept, dropped or, a write, torn at sectors, independently of the others,
/// whatever their order was. That is worse than any real file system, and nothing less is promised
/// by one. `restart` is the loss of the process alone, which loses nothing.
public final class MemoryDisk: Disk {
    public struct Counts: Equatable, Sendable {
        public var opens = 0
        public var creations = 0
        public var reads = 0
        public var writes = 0
        public var syncs = 0
        public var directorySyncs = 0
        public var removals = 0
        public var renames = 0
        public var bytesRead: UInt64 = 0
        public var bytesWritten: UInt64 = 0
        public init() {}
    }

    let state: Mutex<MemoryDiskState>
    /// Called before every operation: where a simulator suspends.
    private let interlude: @Sendable (DiskError.Operation) async -> Void

    public init(
        capacityBytes: UInt64 = 1 << 40,
        interlude: @escaping @Sendable (DiskError.Operation) async -> Void = { _ in }
    ) {
        state = Mutex(MemoryDiskState(capacityBytes: capacityBytes))
        self.interlude = interlude
    }

    private init(_ state: MemoryDiskState, like other: MemoryDisk) {
        self.state = Mutex(state)
        interlude = other.interlude
    }

    /// What is left after the power was cut. This disk and its files fail from now on.
    public func crash(seed: UInt64) -> MemoryDisk {
        var random = SeededGenerator(seed: seed)
        let survivor = state.withLock { state in
            let survivor = state.afterPowerCut(&random)
            state.end()
            return survivor
        }
        return MemoryDisk(survivor, like: self)
    }

    /// What the next process finds after this one was killed. This disk and its files fail from now
    /// on.
    public func restart() -> MemoryDisk {
        let survivor = state.withLock { state in
            let survivor = state.afterKill()
            state.end()
            return survivor
        }
        return MemoryDisk(survivor, like: self)
    }

    /// What a copy of the device holds that is taken at this moment: as after a loss of power. This
    /// disk goes on.
    public func image(seed: UInt64) -> MemoryDisk {
        var random = SeededGenerator(seed: seed)
        return MemoryDisk(state.withLock { $0.afterPowerCut(&random) }, like: self)
    }

    public var counts: Counts { state.withLock { $0.counts } }

    /// Operations so far, of any kind; what `failOperation` counts.
    public var operationCount: UInt64 { state.withLock { $0.operations } }

    /// The `number`th operation from now on, 1 being the next one, fails. A failed `write` has
    /// written the first half. A failed `sync` also forgets, as Linux does, that there was anything
    /// to write: it is readable and will never be durable.
    public func failOperation(_ number: UInt64, errno: Int32 = DiskError.inputOutputErrno) {
        precondition(number > 0)
        state.withLock { $0.failures[$0.operations + number] = errno }
    }

    /// Reads that touch these bytes fail with EIO, until they are written again.
    public func failReads(of name: String, in range: Range<UInt64>) {
        state.withLock { $0.withFile(name) { $0.unreadable.append(range) } }
    }

    /// The `number`th read from now on, 1 being the next one, fails with EIO, and the next attempt
    /// does not.
    public func failRead(_ number: UInt64) {
        precondition(number > 0)
        state.withLock { $0.readsUntilFailure = number }
    }

    /// What was to fail, and has not yet, does not.
    public func failNothing() {
        state.withLock { state in
            state.failures = [:]
            state.readsUntilFailure = nil
        }
    }

    /// A byte that is stored in one of the files whose names begin so; nil where nothing is.
    public func somePlace(prefix: String, seed: UInt64) -> (name: String, offset: UInt64)? {
        var random = SeededGenerator(seed: seed)
        return state.withLock { $0.somePlace(prefix: prefix, &random) }
    }

    /// Flips a bit of what is stored, which nobody notices by itself.
    public func rot(_ name: String, at offset: UInt64, bit: UInt8 = 0) {
        precondition(bit < 8)
        state.withLock { $0.withFile(name) { $0.flip(bit, at: offset) } }
    }

    /// More or less room, as when others use the same file system.
    public func setCapacity(bytes: UInt64) { state.withLock { $0.capacityBytes = bytes } }

    /// The file's bytes as a reader would find them now, for tests.
    public func contents(of name: String) -> [UInt8]? {
        state.withLock { state in
            guard let id = state.names[name], let node = state.nodes[id] else { return nil }
            var bytes = [UInt8](repeating: 0, count: Int(node.current.size))
            bytes.withUnsafeMutableBytes { _ = node.current.read(into: $0, at: 0) }
            return bytes
        }
    }

    public func list() async throws(DiskError) -> [String] {
        try await perform(.list) { state throws(DiskError) in state.names.keys.sorted() }
    }

    public func open(_ name: String) async throws(DiskError) -> any DiskFile {
        let id = try await perform(.open) { state throws(DiskError) in try state.open(name) }
        return MemoryDiskFile(disk: self, id: id)
    }

    public func create(
        _ name: String, allocatedBytes: UInt64
    ) async throws(DiskError) -> any DiskFile {
        let id = try await perform(.create) { state throws(DiskError) in
            try state.create(name, allocatedBytes: allocatedBytes)
        }
        return MemoryDiskFile(disk: self, id: id)
    }

    public func remove(_ name: String) async throws(DiskError) {
        try await perform(.remove) { state throws(DiskError) in try state.remove(name) }
    }

    public func rename(_ name: String, to target: String) async throws(DiskError) {
        try await perform(.rename) { state throws(DiskError) in
            try state.rename(name, to: target)
        }
    }

    public func syncDirectory() async throws(DiskError) {
        try await perform(.sync) { state throws(DiskError) in state.syncDirectory() }
    }

    public func space() async throws(DiskError) -> DiskSpace {
        try await perform(.stat) { state throws(DiskError) in
            DiskSpace(
                totalBytes: state.capacityBytes,
                availableBytes: state.capacityBytes - min(state.capacityBytes, state.usedBytes))
        }
    }

    /// One operation: a place to suspend, then its fault or its effect, undivided.
    func perform<Answer: Sendable>(
        _ operation: DiskError.Operation,
        failing: (inout MemoryDiskState) -> Void = { _ in },
        _ body: (inout MemoryDiskState) throws(DiskError) -> Answer
    ) async throws(DiskError) -> Answer {
        await interlude(operation)
        let result = state.withLock { state -> Result<Answer, DiskError> in
            do throws(DiskError) {
                if let errno = state.beginOperation() {
                    failing(&state)
                    throw DiskError(operation, errno: errno)
                }
                return .success(try body(&state))
            } catch { return .failure(error) }
        }
        return try result.get()
    }
}

/// An open file of a disk in memory.
final class MemoryDiskFile: DiskFile {
    private let disk: MemoryDisk
    private let id: Int

    init(disk: MemoryDisk, id: Int) {
        self.disk = disk
        self.id = id
    }

    deinit { disk.state.withLock { $0.closeHandle(id) } }

    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) async throws(DiskError) -> Int {
        try await disk.perform(.read) { state throws(DiskError) in
            let node = state.node(id)
            let end = offset + UInt64(buffer.count)
            let isUnreadable = node.unreadable.contains { $0.overlaps(offset..<end) }
            guard !state.failsRead(), !isUnreadable else {
                throw DiskError(.read, errno: DiskError.inputOutputErrno)
            }
            let count = node.current.read(into: buffer, at: offset)
            state.counts.reads += 1
            state.counts.bytesRead += UInt64(count)
            return count
        }
    }

    func write(
        _ pieces: [UnsafeRawBufferPointer], at offset: UInt64
    ) async throws(DiskError) {
        let zeros = pieces.reversed().prefix { $0.isAllZero }
        let rest = pieces.dropLast(zeros.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rest.reduce(0) { $0 + $1.count })
        for piece in rest { bytes.append(contentsOf: piece) }
        let written = MemoryDiskState.Written(
            bytes: bytes, zeros: zeros.reduce(0) { $0 + $1.count })
        let id = id
        try await disk.perform(
            .write, failing: { $0.writeHalf(written, to: id, at: offset) },
            { state throws(DiskError) in try state.write(written, to: id, at: offset) })
    }

    func sync() async throws(DiskError) {
        let id = id
        try await disk.perform(
            .sync, failing: { $0.abandonWrites(of: id) },
            { state throws(DiskError) in state.sync(id) })
    }

    func size() async throws(DiskError) -> UInt64 {
        try await disk.perform(.stat) { state throws(DiskError) in state.node(id).current.size }
    }

    func truncate(to size: UInt64) async throws(DiskError) {
        let id = id
        try await disk.perform(.truncate) { state throws(DiskError) in
            state.truncate(id, to: size)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The first byte is zero, and every other one is that before it.
    fileprivate var isAllZero: Bool {
        guard let start = baseAddress, count > 0 else { return true }
        return self[0] == 0 && memcmp(start, start + 1, count - 1) == 0
    }
}
