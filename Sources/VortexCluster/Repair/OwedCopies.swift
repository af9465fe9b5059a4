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
    }
    struct Owed: Hashable, Sendable {
        var chunk: ChunkID
        var node: NodeID
    }
    private let state = Mutex(State())
    static let entriesMax = 65_536

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
