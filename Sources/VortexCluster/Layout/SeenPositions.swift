internal import Synchronization
internal import VortexCore
internal import VortexStore

/// How far this node has seen the others' journals reach, kept through its own restarts: a disk
/// that was put back to an earlier state while the whole cluster was down is known by that.
///
/// Written when others have gone on by more than they do for the sake of each other's notes, and
/// else every ten minutes, so that an idle cluster is idle.
final class SeenPositions: Sendable {
    private struct State {
        var noted: [NodeID: UInt64] = [:]
        var atMilliseconds: UInt64 = 0
    }
    private let store: Store
    private let state: Mutex<State>
    private static let note = "seen"
    private static let pauseMilliseconds: UInt64 = 2_000
    private static let idleMilliseconds: UInt64 = 600_000
    /// A note is one record.
    private static let fewRecords: UInt64 = 8

    private init(_ store: Store, _ noted: [NodeID: UInt64]) {
        self.store = store
        state = Mutex(State(noted: noted))
    }

    static func open(_ store: Store) throws(StoreError) -> SeenPositions {
        guard let bytes = try store.note(note) else { return SeenPositions(store, [:]) }
        do throws(CodingError) {
            let noted = try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                var noted: [NodeID: UInt64] = [:]
                for _ in 0..<(try reader.readCount(max: Layout.membersMax)) {
                    let node = NodeID(try reader.readOrdered())
                    noted[node] = try reader.readNumber()
                }
                return noted
            }
            return SeenPositions(store, noted)
        } catch { throw .coding(error) }
    }

    /// What is durable here, by node.
    var noted: [NodeID: UInt64] { state.withLock { $0.noted } }

    /// Notes what the heartbeats have told, where it is time to.
    func keep(_ seen: [NodeID: UInt64], milliseconds now: UInt64) async throws(StoreError) {
        let isDue = state.withLock { state in
            let grown = seen.map { $0.value - min($0.value, state.noted[$0.key] ?? 0) }.max() ?? 0
            let pause = grown > Self.fewRecords ? Self.pauseMilliseconds : Self.idleMilliseconds
            return grown > 0 && now >= state.atMilliseconds + pause
        }
        guard isDue else { return }
        var writer = ByteWriter(reserving: 16 * seen.count)
        writer.write(number: UInt64(seen.count))
        for node in seen.keys.sorted() {
            writer.write(ordered: node.value)
            writer.write(number: seen[node] ?? 0)
        }
        try await store.setNote(Self.note, writer.bytes)
        state.withLock { $0 = State(noted: seen, atMilliseconds: now) }
    }
}
