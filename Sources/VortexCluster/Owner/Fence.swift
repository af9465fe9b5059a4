internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// What a node must not say after its journal was damaged where rows, ceilings or horizons may have
/// been that the index lacks: a lost row looks like one that never was, and a forgotten promise is
/// given twice. object-protocol.md, Nodes and their past.
///
///     damage is found, or a journal that ends before what others have seen of it
///                                it votes on no layout and answers nothing about rows
///     it has entered, epoch E    it votes: what it may have forgotten was about layouts before E;
///                                rows of partitions that it has held since E or before stay fenced
///     it holds them again, since an epoch behind E: it has synced them, and answers
///
/// Nothing lifts the fence but the layout, so nothing can lift it too early. A cluster of one has
/// nobody to learn from: there the fence stands at epoch zero, which hides nothing.
final class Fence: Sendable {
    private struct State {
        /// The damage that the fence stands for; more of it raises the fence again.
        var regions: [DamagedRegion] = []
        /// nil: not entered since it was found.
        var epoch: Epoch?

        /// Partitions that the node has held since then or before are fenced; nil where none is.
        var bound: Epoch? { regions.isEmpty ? nil : epoch ?? Epoch.last }
    }

    private let store: Store
    private let state: Mutex<State>
    /// Looked at for every row.
    private let isNeeded: Atomic<Bool>
    private static let note = "fence"
    private static let regionsMax = 1_100
    /// Segments begin with 1: what is missing behind the journal's end, by positions.
    private static let noSegment: UInt32 = 0

    private init(_ store: Store, _ state: State) {
        self.store = store
        self.state = Mutex(state)
        isNeeded = Atomic(!state.regions.isEmpty)
    }

    /// What the store says of its journal; durable before it returns.
    static func open(_ store: Store) async throws(StoreError) -> Fence {
        let found = store.hiding
        var state = State()
        if let note = try store.note(note) {
            do throws(CodingError) { state = try decode(note) } catch { throw .coding(error) }
        }
        guard !found.allSatisfy(state.regions.contains) else { return Fence(store, state) }
        let missing = state.regions.filter { $0.segment == noSegment }.suffix(1)
        let fence = Fence(store, State(regions: missing + found, epoch: nil))
        try await fence.write()
        fenceLog.warning(
            """
            the journal is damaged where rows may have been: this node answers for none \
            until it has synced with the others again
            """,
            metadata: ["segments": "\(Set(found.map(\.segment)).sorted())"])
        return fence
    }

    /// Damage was found, now or once.
    var isRaised: Bool { isNeeded.load(ordering: .acquiring) }

    /// Damage was found, and the node has not entered the cluster since: what it says of its layout
    /// may be old.
    var isUnentered: Bool {
        state.withLock { !$0.regions.isEmpty && $0.epoch == nil }
    }

    /// Its notes may be hidden too: that they are older than its last start does not tell then that
    /// the disk went back in time.
    var hidesNotes: Bool {
        isUnentered && state.withLock { $0.regions.contains { $0.segment != Self.noSegment } }
    }

    /// The node has entered with that layout, which was chosen without its vote.
    func entered(at epoch: Epoch) async throws(StoreError) {
        guard isUnentered else { return }
        state.withLock { $0.epoch = epoch }
        try await write()
    }

    /// An earlier fence already stands for a journal that others saw reach so far: positions below
    /// are used once more.
    func covers(journalUpTo position: UInt64) -> Bool {
        state.withLock { state in
            state.regions.contains {
                $0.segment == Self.noSegment && $0.offset + $0.length >= position
            }
        }
    }

    /// The journal ends before what others have seen of it; nothing was damaged that recovery could
    /// see.
    func raise(endingAt position: UInt64, seenAt seen: UInt64) async throws(StoreError) {
        state.withLock { state in
            state.regions.removeAll { $0.segment == Self.noSegment }
            state.regions.append(
                DamagedRegion(
                    segment: Self.noSegment, offset: position, length: seen - position,
                    mayHideRows: true))
            state.epoch = nil
        }
        isNeeded.store(true, ordering: .releasing)
        try await write()
        fenceLog.warning(
            "the journal ends before what others have seen of it: rows are lost",
            metadata: ["position": "\(position)", "seen": "\(seen)"])
    }

    /// There is nobody who knows more.
    func accept() async throws(StoreError) { try await entered(at: .zero) }

    /// Rows of a partition that the node has held since `since` may be lost.
    func hides(_ since: Epoch?) -> Bool {
        guard isNeeded.load(ordering: .acquiring), let since,
            let bound = state.withLock({ $0.bound })
        else { return false }
        return since <= bound
    }

    /// Some partition is fenced: questions about several are not answered.
    func isUp(_ view: LayoutView) -> Bool { hides(view.oldestSince) }

    /// The damage was made good, by others' rows.
    func isHealed(_ view: LayoutView) -> Bool {
        !isUp(view) && state.withLock { ($0.epoch ?? .zero) > .zero }
    }

    private func write() async throws(StoreError) {
        let state = state.withLock { $0 }
        var writer = ByteWriter(reserving: 32 + 24 * state.regions.count)
        writer.write(UInt8(state.epoch == nil ? 0 : 1))
        writer.write(state.epoch ?? .zero)
        writer.write(number: UInt64(state.regions.count))
        for region in state.regions {
            writer.write(number: UInt64(region.segment))
            writer.write(number: region.offset)
            writer.write(number: region.length)
        }
        try await store.setNote(Self.note, writer.bytes)
    }

    private static func decode(_ note: [UInt8]) throws(CodingError) -> State {
        try ByteReader.decode(note) { (reader) throws(CodingError) in
            let hasEntered = try reader.readByte() == 1
            let epoch = try reader.readEpoch()
            var regions: [DamagedRegion] = []
            for _ in 0..<(try reader.readCount(max: regionsMax)) {
                let segment = try reader.readNumber()
                guard let segment = UInt32(exactly: segment) else { throw .outOfRange(segment) }
                regions.append(
                    DamagedRegion(
                        segment: segment, offset: try reader.readNumber(),
                        length: try reader.readNumber(), mayHideRows: true))
            }
            return State(regions: regions, epoch: hasEntered ? epoch : nil)
        }
    }
}

extension Epoch {
    /// Behind every other one.
    static let last = Epoch(generation: .max, number: .max)
}

private let fenceLog = Logger(label: "vortex.fence")
