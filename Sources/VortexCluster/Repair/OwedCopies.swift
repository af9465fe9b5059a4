internal import OrderedCollections
internal import Synchronization
internal import VortexCore

/// What this node knows to be missing somewhere: rows that not every owner has accepted, chunks
/// that an owner lacks. Only a shortcut, bounded: what a restart forgets or does not fit, the walks
/// of `Repair` find again.
final class OwedCopies: Sendable {
    private struct State {
        /// Since when.
        var chunks: OrderedDictionary<Owed, UInt64> = [:]
        var rows: OrderedDictionary<RowKey, UInt64> = [:]
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
    struct Owed: Hashable, Sendable {
        var chunk: ChunkID
        var node: NodeID
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
        state.withLock { state in
            if state.chunks.count < Self.entriesMax {
                let owed = Owed(chunk: chunk, node: node)
                state.chunks[owed] = min(since, state.chunks[owed] ?? since)
            } else {
                state.overflowed = true
            }
        }
    }

    func add(row: RowKey, isKnown: Bool = false) {
        let since = isKnown ? 0 : clock.monotonicNanoseconds
        state.withLock { state in
            if state.rows.count < Self.entriesMax {
                state.rows[row] = min(since, state.rows[row] ?? since)
            } else {
                state.overflowed = true
            }
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
                rows: state.rows.values.count(where: isLate),
                chunks: state.chunks.values.count(where: isLate)
            )
            for write in state.underWay.values where isLate(write.sinceNanoseconds) {
                if write.isRow { found.rows += 1 } else { found.chunks += 1 }
            }
            return found
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

    /// Takes out the oldest ones; what cannot be made now comes back by `add`.
    func takeRows(_ limit: Int) -> [RowKey] {
        state.withLock { state in
            let taken = Array(state.rows.keys.prefix(limit))
            state.rows.removeFirst(taken.count)
            return taken
        }
    }

    func takeChunks(_ limit: Int) -> [Owed] {
        state.withLock { state in
            let taken = Array(state.chunks.keys.prefix(limit))
            state.chunks.removeFirst(taken.count)
            return taken
        }
    }
}
