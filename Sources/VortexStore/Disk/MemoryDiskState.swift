internal import VortexCore

/// All that a disk in memory holds: files by number, names now and names that are durable, and
/// between them what a power cut decides about.
struct MemoryDiskState: Sendable {
    /// A change of the directory that is not durable yet.
    private enum NameChange {
        case create(String, Int)
        case remove(String, Int)
        case rename(String, Int, to: String)
    }

    /// What one write writes: bytes, and behind them zeros, which the journal writes by the
    /// hundred thousand.
    struct Written: Sendable {
        var bytes: [UInt8]
        var zeros = 0
        var count: Int { bytes.count + zeros }

        func prefix(_ count: Int) -> Written {
            if count == self.count { return self }
            return Written(
                bytes: Array(bytes.prefix(count)), zeros: max(0, count - bytes.count))
        }

        /// Writes what lies in `range` of it to its place, where all of it begins at `offset`.
        func write(_ range: Range<Int>, to target: inout SparseBytes, at offset: UInt64) {
            let split = min(bytes.count, range.upperBound)
            if range.lowerBound < split {
                bytes.withUnsafeBytes { bytes in
                    target.write(
                        UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound..<split]),
                        at: offset + UInt64(range.lowerBound))
                }
            }
            let start = max(bytes.count, range.lowerBound)
            if start < range.upperBound {
                target.writeZeros(range.upperBound - start, at: offset + UInt64(start))
            }
        }
    }

    /// A file, whatever its names.
    struct Node: Sendable {
        /// What happened to the file since its last sync.
        enum Change {
            case write(Written, at: UInt64)
            case truncate(UInt64)
        }
        var current = SparseBytes()
        var durable = SparseBytes()
        var unsynced: [Change] = []
        var unreadable: [Range<UInt64>] = []
        var handles = 0

        mutating func flip(_ bit: UInt8, at offset: UInt64) {
            precondition(offset < current.size, "only stored bytes rot")
            current.flip(bit, at: offset)
            durable.flip(bit, at: offset)
        }
    }

    static let sectorBytes: UInt64 = 512
    private static let existsErrno: Int32 = 17

    var capacityBytes: UInt64
    var counts = MemoryDisk.Counts()
    var operations: UInt64 = 0
    /// By the number of the operation.
    var failures: [UInt64: Int32] = [:]
    /// Reads still to come before the one that fails; nil: none does.
    var readsUntilFailure: UInt64?
    private(set) var names: [String: Int] = [:]
    private(set) var nodes: [Int: Node] = [:]
    private var durableNames: [String: Int] = [:]
    private var nameChanges: [NameChange] = []
    private var lastNode = 0
    private var ended = false

    init(capacityBytes: UInt64) { self.capacityBytes = capacityBytes }

    /// Bytes of all files, unlinked ones that are still open with them.
    var usedBytes: UInt64 { nodes.values.reduce(0) { $0 + $1.current.size } }

    /// Counts the operation; its errno where it is to fail.
    mutating func beginOperation() -> Int32? {
        operations += 1
        return ended ? DiskError.inputOutputErrno : failures.removeValue(forKey: operations)
    }

    mutating func end() { ended = true }

    /// Whether this read is the one that fails.
    mutating func failsRead() -> Bool {
        guard let left = readsUntilFailure else { return false }
        readsUntilFailure = left > 1 ? left - 1 : nil
        return left <= 1
    }

    /// A stored byte of a file whose name begins so: where somebody has written something.
    func somePlace(
        prefix: String, _ random: inout SeededGenerator
    ) -> (name: String, offset: UInt64)? {
        var places: [(name: String, range: Range<UInt64>)] = []
        for name in names.keys.sorted() where name.hasPrefix(prefix) {
            guard let id = names[name] else { continue }
            let node = node(id)
            for range in node.durable.writtenRanges
            where range.upperBound <= node.current.size { places.append((name, range)) }
        }
        guard let place = places.randomElement(using: &random) else { return nil }
        return (place.name, UInt64.random(in: place.range, using: &random))
    }

    func node(_ id: Int) -> Node {
        guard let node = nodes[id] else { preconditionFailure("an open file stays") }
        return node
    }

    mutating func withFile(_ name: String, _ body: (inout Node) -> Void) {
        guard let id = names[name] else { preconditionFailure("no file \(name)") }
        withNode(id, body)
    }

    private mutating func withNode(_ id: Int, _ body: (inout Node) -> Void) {
        guard nodes[id] != nil else { preconditionFailure("an open file stays") }
        body(&nodes[id]!)
    }

    // MARK: Names

    mutating func open(_ name: String) throws(DiskError) -> Int {
        let id = try existing(name, .open)
        withNode(id) { $0.handles += 1 }
        counts.opens += 1
        return id
    }

    private func existing(
        _ name: String, _ operation: DiskError.Operation
    ) throws(DiskError) -> Int {
        guard let id = names[name] else {
            throw DiskError(operation, errno: DiskError.notFoundErrno)
        }
        return id
    }

    mutating func create(_ name: String, allocatedBytes: UInt64) throws(DiskError) -> Int {
        guard names[name] == nil else { throw DiskError(.create, errno: Self.existsErrno) }
        guard usedBytes + allocatedBytes <= capacityBytes else {
            throw DiskError(.allocate, errno: DiskError.noSpaceErrno)
        }
        lastNode += 1
        var node = Node()
        node.current.resize(allocatedBytes)
        node.durable.resize(allocatedBytes)
        node.handles = 1
        nodes[lastNode] = node
        names[name] = lastNode
        nameChanges.append(.create(name, lastNode))
        counts.creations += 1
        return lastNode
    }

    mutating func remove(_ name: String) throws(DiskError) {
        let id = try existing(name, .remove)
        names[name] = nil
        nameChanges.append(.remove(name, id))
        counts.removals += 1
        collect()
    }

    mutating func rename(_ name: String, to target: String) throws(DiskError) {
        let id = try existing(name, .rename)
        counts.renames += 1
        if name == target { return }
        names[name] = nil
        names[target] = id
        nameChanges.append(.rename(name, id, to: target))
        collect()
    }

    mutating func syncDirectory() {
        durableNames = names
        nameChanges = []
        counts.directorySyncs += 1
        collect()
    }

    mutating func closeHandle(_ id: Int) {
        withNode(id) { $0.handles -= 1 }
        collect()
    }

    /// Forgets the files that neither a name, now or after a crash, nor an open handle leads to.
    private mutating func collect() {
        var reachable = Set(names.values).union(durableNames.values)
        for change in nameChanges {
            switch change {
            case .create(_, let id), .remove(_, let id), .rename(_, let id, _):
                reachable.insert(id)
            }
        }
        nodes = nodes.filter { $0.value.handles > 0 || reachable.contains($0.key) }
    }

    // MARK: Bytes

    mutating func write(
        _ written: Written, to id: Int, at offset: UInt64
    ) throws(DiskError) {
        if written.count == 0 { return }
        let size = node(id).current.size
        let end = offset + UInt64(written.count)
        let room = capacityBytes - min(capacityBytes, usedBytes)
        // What fits is written, as by a real file system.
        let fitting = end > size + room ? max(offset, size + room) - offset : end - offset
        store(written.prefix(Int(fitting)), in: id, at: offset)
        counts.writes += 1
        counts.bytesWritten += fitting
        guard fitting == end - offset else {
            throw DiskError(.write, errno: DiskError.noSpaceErrno)
        }
    }

    /// What a failed write leaves.
    mutating func writeHalf(_ written: Written, to id: Int, at offset: UInt64) {
        if !ended { store(written.prefix(written.count / 2), in: id, at: offset) }
    }

    private mutating func store(_ written: Written, in id: Int, at offset: UInt64) {
        if written.count == 0 { return }
        let range = offset..<offset + UInt64(written.count)
        withNode(id) { node in
            written.write(0..<written.count, to: &node.current, at: offset)
            node.unsynced.append(.write(written, at: offset))
            if !node.unreadable.isEmpty {
                node.unreadable = node.unreadable.flatMap { $0.without(range) }
            }
        }
    }

    mutating func truncate(_ id: Int, to size: UInt64) {
        withNode(id) { node in
            node.current.resize(size)
            node.unsynced.append(.truncate(size))
        }
    }

    mutating func sync(_ id: Int) {
        withNode(id) { node in
            for change in node.unsynced {
                switch change {
                case .write(let written, let offset):
                    written.write(0..<written.count, to: &node.durable, at: offset)
                case .truncate(let size): node.durable.resize(size)
                }
            }
            node.unsynced = []
        }
        counts.syncs += 1
    }

    /// What a failed sync leaves: pages marked clean that never reached the device.
    mutating func abandonWrites(of id: Int) { withNode(id) { $0.unsynced = [] } }

    // MARK: Afterwards

    func afterKill() -> MemoryDiskState {
        var next = MemoryDiskState(capacityBytes: capacityBytes)
        next.names = names
        next.durableNames = durableNames
        next.nameChanges = nameChanges
        next.lastNode = lastNode
        next.nodes = nodes.mapValues { node in
            var node = node
            node.handles = 0
            return node
        }
        next.collect()
        return next
    }

    func afterPowerCut(_ random: inout SeededGenerator) -> MemoryDiskState {
        var next = MemoryDiskState(capacityBytes: capacityBytes)
        next.lastNode = lastNode
        next.names = namesAfterPowerCut(&random)
        next.durableNames = next.names
        for id in nodes.keys.sorted() {
            let old = node(id)
            var node = Node()
            node.durable = old.durable
            for change in old.unsynced {
                switch change {
                case .write(let bytes, let offset):
                    Self.decide(bytes, at: offset, for: &node.durable, &random)
                case .truncate(let size):
                    if Bool.random(using: &random) { node.durable.resize(size) }
                }
            }
            node.current = node.durable
            node.unreadable = old.unreadable.filter { $0.upperBound <= node.current.size }
            next.nodes[id] = node
        }
        next.collect()
        return next
    }

    private func namesAfterPowerCut(_ random: inout SeededGenerator) -> [String: Int] {
        var names = durableNames
        for change in nameChanges where Bool.random(using: &random) {
            switch change {
            case .create(let name, let id): names[name] = id
            case .remove(let name, let id): if names[name] == id { names[name] = nil }
            case .rename(let name, let id, let target):
                if names[name] == id { names[name] = nil }
                names[target] = id
            }
        }
        return names
    }

    /// Keeps the write, drops it, or keeps some of its sectors.
    private static func decide(
        _ written: Written, at offset: UInt64, for bytes: inout SparseBytes,
        _ random: inout SeededGenerator
    ) {
        switch UInt64.random(in: 0..<3, using: &random) {
        case 0: return
        case 1: written.write(0..<written.count, to: &bytes, at: offset)
        default:
            let end = offset + UInt64(written.count)
            var start = offset
            while start < end {
                let next = min(end, (start / sectorBytes + 1) * sectorBytes)
                if Bool.random(using: &random) {
                    let piece = Int(start - offset)..<Int(next - offset)
                    written.write(piece, to: &bytes, at: offset)
                }
                start = next
            }
        }
    }
}

extension Range<UInt64> {
    /// What is left of the range on both sides of another.
    fileprivate func without(_ other: Range<UInt64>) -> [Range<UInt64>] {
        guard overlaps(other) else { return [self] }
        let below = lowerBound..<Swift.max(lowerBound, other.lowerBound)
        let above = Swift.min(upperBound, other.upperBound)..<upperBound
        return [below, above].filter { !$0.isEmpty }
    }
}
