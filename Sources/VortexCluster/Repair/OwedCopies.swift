internal import OrderedCollections
internal import Synchronization
internal import VortexCore

/// What this node knows to be missing somewhere: rows that not every owner has accepted, chunks
/// that an owner lacks. Only a shortcut, bounded: what a restart forgets or does not fit, the walks
/// of `Repair` find again.
final class OwedCopies: Sendable {
    private struct State {
        var chunks: OrderedSet<Owed> = []
        var rows: OrderedSet<RowKey> = []
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
    static let entriesMax = 65_536
    /// A copy that has been under way for so long counts as missing.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000

    func add(_ chunk: ChunkID, to node: NodeID) {
        state.withLock { state in
            if state.chunks.count < Self.entriesMax {
                state.chunks.append(Owed(chunk: chunk, node: node))
            } else {
                state.overflowed = true
            }
        }
    }

    func add(row: RowKey) {
        state.withLock { state in
            if state.rows.count < Self.entriesMax {
                state.rows.append(row)
            } else {
                state.overflowed = true
            }
        }
    }

    /// A write is on its way to a peer, until `arrived` is told so: the transport bounds them.
    func expect(row isRow: Bool, nanoseconds now: UInt64) -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            state.underWay[state.lastNumber] = UnderWay(isRow: isRow, sinceNanoseconds: now)
            return state.lastNumber
        }
    }

    /// What comes of it is known, and is owed where it failed.
    func arrived(_ number: UInt64) { state.withLock { $0.underWay[number] = nil } }

    /// What is owed, and what has been under way for too long.
    func missing(nanoseconds now: UInt64) -> (rows: Int, chunks: Int) {
        state.withLock { state in
            var found = (rows: state.rows.count, chunks: state.chunks.count)
            for write in state.underWay.values
            where now > write.sinceNanoseconds + Self.patienceNanoseconds {
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
            let taken = Array(state.rows.prefix(limit))
            state.rows.removeFirst(taken.count)
            return taken
        }
    }

    func takeChunks(_ limit: Int) -> [Owed] {
        state.withLock { state in
            let taken = Array(state.chunks.prefix(limit))
            state.chunks.removeFirst(taken.count)
            return taken
        }
    }
}
