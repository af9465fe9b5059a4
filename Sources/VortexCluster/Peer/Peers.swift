internal import Synchronization
internal import VortexCore
internal import VortexStore

/// The other nodes as this one meets them: asks them, keeps what it learns of their layouts, and
/// remembers how fast they answer, so that requests are steered past those that do not.
final class Peers: Sendable {
    struct Health: Sendable {
        /// Questions in a row that got no answer.
        var misses = 0
        var answeredNanoseconds: UInt64 = 0
        /// Of reads, smoothed: an eighth of each new one.
        var latencyNanoseconds: UInt64 = 1_000_000
        var isSuspect = false
        /// It says that it answers for no rows.
        var isFenced = false
        /// As far as its journal was durable, by its own word: it never goes back.
        var position: UInt64 = 0
        /// The joint epoch for which it says that it has synced.
        var synced = Epoch.zero
        /// It has answered again after a silence: what it may have missed must be looked for.
        var hasReturned = false
    }

    let book: LayoutBook
    let transport: (any Transport)?
    private let clock: any Clock
    private let health: Mutex<[NodeID: Health]>

    /// Registers and chunks: past it the peer counts as silent.
    static let answerMilliseconds: UInt64 = 4_000
    /// Heartbeats. Who answers a question later than this has been silent; a hedge's time-out,
    /// which is much shorter, says nothing about who is only slow.
    static let patienceMilliseconds: UInt64 = 900
    /// Scans look at many rows.
    static let scanMilliseconds: UInt64 = 10_000
    static let suspectAfterMilliseconds: UInt64 = 1_800

    /// `positions`: how far each was seen before this node started.
    init(
        book: LayoutBook, transport: (any Transport)?, clock: any Clock,
        positions: [NodeID: UInt64] = [:]
    ) {
        health = Mutex(positions.mapValues { Health(position: $0) })
        self.book = book
        self.transport = transport
        self.clock = clock
    }

    // MARK: Health

    func health(of node: NodeID) -> Health { health.withLock { $0[node] ?? Health() } }

    func isSuspect(_ node: NodeID) -> Bool { health.withLock { $0[node]?.isSuspect ?? false } }

    /// Healthy ones first, the fastest of them first; order among equals is kept.
    func order(_ nodes: [NodeID]) -> [NodeID] {
        let known = health.withLock { health in nodes.map { health[$0] ?? Health() } }
        let indices = nodes.indices.sorted { left, right in
            let (one, other) = (known[left], known[right])
            if one.isSuspect != other.isSuspect { return other.isSuspect }
            if one.isFenced != other.isFenced { return other.isFenced }
            let (fast, slow) = (
                one.latencyNanoseconds / 500_000, other.latencyNanoseconds / 500_000
            )
            return (fast, left) < (slow, right)
        }
        return indices.map { nodes[$0] }
    }

    /// After so long without an answer another owner is asked as well.
    func hedgeMilliseconds(_ node: NodeID) -> UInt64 {
        let latency = health.withLock { $0[node]?.latencyNanoseconds ?? 1_000_000 }
        return min(500, 15 + 4 * latency / 1_000_000)
    }

    private func answered(_ node: NodeID, since start: UInt64) {
        let now = clock.monotonicNanoseconds
        health.withLock { table in
            var health = table[node] ?? Health()
            if health.misses > 0 || health.answeredNanoseconds == 0 { health.hasReturned = true }
            health.misses = 0
            health.isSuspect = false
            health.answeredNanoseconds = now
            let old = health.latencyNanoseconds
            health.latencyNanoseconds = old - old / 8 + (now - min(now, start)) / 8
            table[node] = health
        }
    }

    private func missed(_ node: NodeID) {
        let now = clock.monotonicNanoseconds
        health.withLock { table in
            var health = table[node] ?? Health()
            if health.answeredNanoseconds == 0 { health.answeredNanoseconds = now }
            health.misses += 1
            let silence = (now - min(now, health.answeredNanoseconds)) / 1_000_000
            if health.misses >= 2, silence >= Self.suspectAfterMilliseconds {
                health.isSuspect = true
            }
            table[node] = health
        }
    }

    /// What a heartbeat says.
    func note(_ node: NodeID, synced: Epoch, isFenced: Bool, position: UInt64) {
        health.withLock { table in
            var health = table[node] ?? Health()
            health.synced = synced
            health.isFenced = isFenced
            health.position = max(health.position, position)
            table[node] = health
        }
    }

    /// Of all members that have said theirs.
    var positions: [NodeID: UInt64] {
        let members = Set(book.view.peers)
        return health.withLock { table in
            table.filter { members.contains($0.key) && $0.value.position > 0 }
                .mapValues { $0.position }
        }
    }

    func synced(_ node: NodeID) -> Epoch { health.withLock { $0[node]?.synced ?? .zero } }

    /// Whether any of them has been silent since it was asked last.
    func takeReturned() -> Bool {
        health.withLock { table in
            var hasAny = false
            for node in table.keys where table[node]?.hasReturned == true {
                table[node]?.hasReturned = false
                hasAny = true
            }
            return hasAny
        }
    }

    // MARK: Asking

    /// The answer of kind `done` that came after the asker had gone on; nil where none did.
    typealias Late = @Sendable (WireMessage?) -> Void

    private static func done(_ answer: Result<WireMessage, TransportError>) -> WireMessage? {
        guard case .success(let message) = answer, WireKind(rawValue: message.kind) == .done else {
            return nil
        }
        return message
    }

    /// Asks and takes care of what every question can meet: a layout that is newer here or there, a
    /// node that is silent. The answer is of kind `done`.
    func ask(
        _ node: NodeID, _ kind: WireKind, epoch: Epoch, _ head: [UInt8] = [],
        bulk: ChunkBuffer? = nil, milliseconds: UInt64 = answerMilliseconds, late: Late? = nil
    ) async -> Result<WireMessage, OwnerFailure> {
        let question = WireMessage(kind: kind.rawValue, epoch: epoch, head: head, bulk: bulk)
        var offered = false
        while true {
            let answer: WireMessage
            switch await deliver(node, question, milliseconds, late) {
            case .failure(let failure): return .failure(failure)
            case .success(let message): answer = message
            }
            switch WireKind(rawValue: answer.kind) {
            case .done: return .success(answer)
            case .behind where !offered:
                offered = true
                let layout = book.view.layout.encoded()
                let offer = WireMessage(
                    kind: WireKind.offerLayout.rawValue, epoch: book.view.epoch, head: layout)
                guard case .success = await deliver(node, offer, milliseconds) else {
                    return .failure(.lost)
                }
            case .stale: return .failure(await adopt(answer.head))
            case .notOwner: return .failure(.notOwner)
            case .failed:
                do throws(CodingError) {
                    return .failure(try OwnerFailure(decoding: answer.head))
                } catch { return .failure(.lost) }
            default: return .failure(.lost)
            }
        }
    }

    /// Takes over a layout that came along.
    @discardableResult
    func adopt(_ bytes: [UInt8]) async -> OwnerFailure {
        do throws(CodingError) {
            let layout = try Layout(decoding: bytes)
            do throws(StoreError) { try await book.adopt(layout) } catch { return .stopped }
        } catch { return .lost }
        return .stale
    }

    /// Which node answers at an address; nil where none does. With `seenFrom`, as seen by that one.
    func identity(
        at address: String, seenFrom other: String? = nil, milliseconds: UInt64
    ) async -> NodeID? {
        var writer = ByteWriter(reserving: 8 + address.utf8.count)
        writer.write(text: other == nil ? "" : address)
        let question = WireMessage(
            kind: WireKind.identity.rawValue, epoch: .zero, head: writer.bytes)
        guard let transport else { return nil }
        do throws(TransportError) {
            let answer = try await transport.ask(
                other ?? address, question, timeoutMilliseconds: milliseconds)
            guard answer.kind == WireKind.done.rawValue else { return nil }
            do throws(CodingError) {
                return NodeID(
                    try ByteReader.decode(answer.head) { (reader) throws(CodingError) in
                        try reader.readOrdered(UInt64.self)
                    })
            } catch { return nil }
        } catch { return nil }
    }

    /// How far others have seen this node's journal reach, and who has answered. What was
    /// written since the last heartbeat they have not seen, and with their restart they forget what
    /// they have not noted yet (`SeenPositions`).
    func positionSeen(milliseconds: UInt64) async -> (position: UInt64, by: [NodeID]) {
        var writer = ByteWriter(reserving: 8)
        writer.write(ordered: book.node.value)
        let (head, epoch, others) = (writer.bytes, book.view.epoch, book.view.peers)
        return await withTaskGroup(of: (NodeID, UInt64)?.self) { group in
            for other in others {
                group.addTask {
                    let asked = await self.ask(
                        other, .lastSeen, epoch: epoch, head, milliseconds: milliseconds)
                    let seen = RemoteOwner.result(asked) { (reader) throws(CodingError) in
                        try reader.readNumber()
                    }
                    if case .success(let position) = seen { return (other, position) }
                    return nil
                }
            }
            return await group.reduce(into: (0, [])) { seen, answer in
                guard let (node, position) = answer else { return }
                seen = (max(seen.position, position), seen.by + [node])
            }
        }
    }

    /// One question to a node by its address in the layout.
    func deliver(
        _ node: NodeID, _ question: WireMessage, _ milliseconds: UInt64, _ late: Late? = nil
    ) async -> Result<WireMessage, OwnerFailure> {
        guard let transport, let address = book.view.address(of: node), !address.isEmpty else {
            return .failure(.unreachable)
        }
        let start = clock.monotonicNanoseconds
        var told: (@Sendable (Result<WireMessage, TransportError>) -> Void)?
        if let late { told = { late(Self.done($0)) } }
        do throws(TransportError) {
            let answer = try await transport.ask(
                address, question, timeoutMilliseconds: milliseconds,
                late: told)
            answered(node, since: start)
            return .success(answer)
        } catch {
            switch error {
            case .unreachable, .refused:
                missed(node)
                return .failure(.unreachable)
            case .busy: return .failure(.busy)
            case .cancelled: return .failure(late == nil ? .lost : .left)
            case .lost:
                let waited = (clock.monotonicNanoseconds - start) / 1_000_000
                if waited < milliseconds || milliseconds >= Self.patienceMilliseconds {
                    missed(node)
                }
                return .failure(.lost)
            }
        }
    }
}
