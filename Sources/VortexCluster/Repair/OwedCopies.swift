internal import OrderedCollections
internal import Synchronization
internal import VortexCore

/// What this node knows to be missing somewhere: rows of which an owner is behind, chunks that an
/// owner lacks. Only a shortcut, bounded: what a restart forgets or does not fit, the walks of
/// `Repair` find again.
///
/// A row is owed up to a ballot, and paid once every owner has reached it, by that write or a later
/// one: where clients go on writing, owners are hardly ever equal, and none of them need be behind.
final class OwedCopies: Sendable {
    private struct State {
        var chunks = Debts<OwedChunk>()
        var rows = Debts<RowKey>()
        /// Something was left out: a whole walk is due.
        var overflowed = false
        /// Writes whose askers have gone on, or may: by number, since when.
        var underWay: [UInt64: UnderWay] = [:]
        var lastNumber: UInt64 = 0
    }
    private struct UnderWay {
        var isRow: Bool
        var sinceNanoseconds: UInt64
    }
    struct OwedChunk: Hashable, Sendable {
        var chunk: ChunkID
        var node: NodeID
    }
    /// Of one row or chunk: the oldest that is not paid, and the newest; of those between only
    /// since when they are owed.
    struct Debt: Sendable {
        var first: Demand
        var nextSinceNanoseconds: UInt64?
        var last: Demand

        init(_ demand: Demand) {
            first = demand
            last = demand
        }
    }
    struct Demand: Sendable {
        /// `Ballot.none` for a chunk.
        var ballot: Ballot
        /// 0 where an attempt to make it has failed.
        var sinceNanoseconds: UInt64
    }
    private let state = Mutex(State())
    private let clock: any Clock
    static let entriesMax = 65_536
    /// A copy that has been owed or under way for so long counts as missing: who lost a race for a
    /// row is behind for a moment, all the time.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000

    init(clock: any Clock) { self.clock = clock }

    /// `isKnown`: an attempt to make it has failed.
    func add(_ chunk: ChunkID, to node: NodeID, isKnown: Bool = false) {
        let since = isKnown ? 0 : clock.monotonicNanoseconds
        add(OwedChunk(chunk: chunk, node: node), Demand(ballot: .none, sinceNanoseconds: since))
    }

    /// An owner of the row may not have reached the ballot.
    func add(row: RowKey, reaching ballot: Ballot) {
        let demand = Demand(ballot: ballot, sinceNanoseconds: clock.monotonicNanoseconds)
        state.withLock { state in
            if !state.rows.add(row, demand) { state.overflowed = true }
        }
    }

    private func add(_ chunk: OwedChunk, _ demand: Demand) {
        state.withLock { state in
            if !state.chunks.add(chunk, demand) { state.overflowed = true }
        }
    }

    /// A write is on its way to a peer, until `arrived` is told so: the transport bounds them.
    func expect(row isRow: Bool) -> UInt64 {
        let now = clock.monotonicNanoseconds
        return state.withLock { state in
            state.lastNumber += 1
            state.underWay[state.lastNumber] = UnderWay(isRow: isRow, sinceNanoseconds: now)
            return state.lastNumber
        }
    }

    /// What comes of it is known, and is owed where it failed.
    func arrived(_ number: UInt64) { state.withLock { $0.underWay[number] = nil } }

    /// What has been owed, or under way, for too long.
    var missing: (rows: Int, chunks: Int) {
        let now = clock.monotonicNanoseconds
        func isLate(_ since: UInt64) -> Bool { now > since + Self.patienceNanoseconds }
        return state.withLock { state in
            var found = (
                rows: state.rows.count(where: isLate), chunks: state.chunks.count(where: isLate)
            )
            for write in state.underWay.values where isLate(write.sinceNanoseconds) {
                if write.isRow { found.rows += 1 } else { found.chunks += 1 }
            }
            return found
        }
    }

    /// Whether anything is owed since before the moment.
    func isOwing(before nanoseconds: UInt64) -> Bool {
        func isBefore(_ since: UInt64) -> Bool { since < nanoseconds }
        return state.withLock { state in
            state.rows.count(where: isBefore) + state.chunks.count(where: isBefore) > 0
        }
    }

    var counts: (rows: Int, chunks: Int) {
        state.withLock { ($0.rows.count, $0.chunks.count) }
    }

    func takeOverflow() -> Bool {
        state.withLock { state in
            defer { state.overflowed = false }
            return state.overflowed
        }
    }

    /// The oldest ones, each to be given back by `settle` or `keep`; until then they still count.
    func takeRows(_ limit: Int) -> [(key: RowKey, debt: Debt)] {
        state.withLock { $0.rows.take(limit) }
    }

    func takeChunks(_ limit: Int) -> [OwedChunk] {
        state.withLock { $0.chunks.take(limit).map(\.key) }
    }

    /// Every owner has reached the ballot.
    func settle(row: RowKey, reached ballot: Ballot) {
        state.withLock { $0.rows.settle(row, reached: ballot) }
    }

    /// `isKnown`: its owners cannot be had, or do not take it.
    func keep(row: RowKey, isKnown: Bool) {
        state.withLock { $0.rows.settle(row, reached: nil, isKnown: isKnown) }
    }

    func settle(_ chunk: OwedChunk) {
        state.withLock { $0.chunks.settle(chunk, reached: Ballot.none) }
    }

    func keep(_ chunk: OwedChunk) {
        state.withLock { $0.chunks.settle(chunk, reached: nil, isKnown: true) }
    }
}

/// What is owed by key, the oldest first; those that are being paid right now beside it.
private struct Debts<Key: Hashable & Sendable>: Sendable {
    private var waiting: OrderedDictionary<Key, OwedCopies.Debt> = [:]
    private var inHand: [Key: OwedCopies.Debt] = [:]

    var count: Int { waiting.count + inHand.count }

    /// False where there is no room for more keys.
    mutating func add(_ key: Key, _ demand: OwedCopies.Demand) -> Bool {
        guard waiting.count < OwedCopies.entriesMax || waiting[key] != nil else { return false }
        let fresh = OwedCopies.Debt(demand)
        waiting[key] = waiting[key].map { $0.followed(by: fresh) } ?? fresh
        return true
    }

    func count(where isMeant: (UInt64) -> Bool) -> Int {
        waiting.values.count { isMeant($0.first.sinceNanoseconds) }
            + inHand.values.count { isMeant($0.first.sinceNanoseconds) }
    }

    mutating func take(_ limit: Int) -> [(key: Key, debt: OwedCopies.Debt)] {
        let taken = waiting.elements.prefix(limit).map { (key: $0.key, debt: $0.value) }
        waiting.removeFirst(taken.count)
        for (key, debt) in taken { inHand[key] = debt }
        return taken
    }

    /// What is left of one in hand goes to the end of those that wait.
    mutating func settle(_ key: Key, reached: Ballot?, isKnown: Bool = false) {
        guard var debt = inHand.removeValue(forKey: key) else { return }
        if let reached {
            guard debt.last.ballot > reached else { return }
            if debt.first.ballot <= reached { debt.forgetFirst() }
        }
        if isKnown { debt.first.sinceNanoseconds = 0 }
        waiting[key] = waiting[key].map { debt.followed(by: $0) } ?? debt
    }
}

extension OwedCopies.Debt {
    fileprivate func followed(by next: Self) -> Self {
        var both = self
        both.first.sinceNanoseconds = min(first.sinceNanoseconds, next.first.sinceNanoseconds)
        both.nextSinceNanoseconds = nextSinceNanoseconds ?? next.first.sinceNanoseconds
        if next.last.ballot >= last.ballot { both.last = next.last }
        return both
    }

    fileprivate mutating func forgetFirst() {
        first = last
        first.sinceNanoseconds = nextSinceNanoseconds ?? last.sinceNanoseconds
        nextSinceNanoseconds = nil
    }
}
