internal import Synchronization
internal import VortexCore
internal import VortexStore

/// How the next layout is agreed on: single-decree Paxos (Lamport, 2001) among the council of the
/// layout before it, one instance for each layout.
///
///     layout n (council A B C) --instance n+1--> layout n+1 (council A B D) --instance n+2--> ...
///
/// The acceptors of an instance are fixed by the layout that it follows, so a council may change
/// with every layout. Whoever knows layout n+1 answers questions about its instance with the
/// outcome; only an acceptor that still lives in layout n takes part.
final class LayoutRegister: Sendable {
    private struct State {
        /// The layout that the instance follows.
        var base: Epoch
        var promised = Ballot.none
        var accepted = Ballot.none
        var value: [UInt8] = []
    }

    private let store: Store
    private let book: LayoutBook
    private let fence: Fence
    private let peers: Peers
    private let clock: any Clock
    private let entropy: any Entropy
    private let turn = KeyLatch()
    /// The node has compared its journal with what others have seen of it: what it remembers of its
    /// votes is all of them. An old copy of a disk must not vote, also before it enters.
    let remembersVotes = Atomic<Bool>(false)
    private static let turnKey = RowKey(bucket: .zero, key: [1])
    private static let note = "council"
    private static let attemptsMax = 40
    private static let askMilliseconds: UInt64 = 2_000

    init(
        store: Store, book: LayoutBook, fence: Fence, peers: Peers, clock: any Clock,
        entropy: any Entropy
    ) {
        self.store = store
        self.book = book
        self.fence = fence
        self.peers = peers
        self.clock = clock
        self.entropy = entropy
    }

    // MARK: Acceptor

    private func load() throws(StoreError) -> State {
        let base = book.view.epoch
        guard let note = try store.note(Self.note) else { return State(base: base) }
        do throws(CodingError) {
            let state = try ByteReader.decode(note) { (reader) throws(CodingError) in
                State(
                    base: try reader.readEpoch(), promised: try reader.readBallot(),
                    accepted: try reader.readBallot(),
                    value: try reader.readString(max: Limits.wireHeadBytesMax))
            }
            return state.base == base ? state : State(base: base)
        } catch { throw .coding(error) }
    }

    private func save(_ state: State) async throws(StoreError) {
        var writer = ByteWriter(reserving: 64 + state.value.count)
        writer.write(state.base)
        writer.write(state.promised)
        writer.write(state.accepted)
        writer.write(string: state.value)
        try await store.setNote(Self.note, writer.bytes)
    }

    enum Vote: Sendable {
        case promise(accepted: Ballot, value: [UInt8])
        case accepted
        case reject(Ballot)
        case failed(OwnerFailure)
    }

    /// `value` nil: phase 1. The caller has seen that `base` is this node's layout.
    func vote(_ ballot: Ballot, _ value: [UInt8]?, base: Epoch) async -> Vote {
        do throws(ClusterError) { try await turn.acquire(Self.turnKey) } catch {
            return .failed(.busy)
        }
        defer { turn.release(Self.turnKey) }
        // A vote that it has forgotten would be given twice. When the others have chosen a layout
        // in which it has entered, there is none left that it could have voted on before.
        guard !fence.isUnentered, remembersVotes.load(ordering: .acquiring) else {
            return .failed(.fenced)
        }
        do throws(StoreError) {
            guard book.view.epoch == base else { return .failed(.stale) }
            guard book.view.layout.council.contains(book.node) else { return .failed(.notOwner) }
            var state = try load()
            if let value {
                guard ballot >= state.promised else { return .reject(state.promised) }
                state.promised = ballot
                state.accepted = ballot
                state.value = value
            } else {
                guard ballot > state.promised else { return .reject(state.promised) }
                state.promised = ballot
            }
            try await save(state)
            guard book.view.epoch == base else { return .failed(.stale) }
            return value == nil
                ? .promise(accepted: state.accepted, value: state.value) : .accepted
        } catch { return .failed(OwnerFailure(error)) }
    }

    // MARK: Proposer

    /// Applies `change` to the newest layout until it is in effect, or gives nil: nothing to
    /// change. Throws `.noQuorum` where no majority of the council answers.
    ///
    /// `doubted`: a layout in which there is nothing to change counts only when a majority of its
    /// council knows of none after it.
    @discardableResult
    func propose(
        doubted: @Sendable (Layout) -> Bool = { _ in false },
        _ change: @Sendable (Layout) -> Layout?
    ) async throws(ClusterError) -> Layout {
        var highest: UInt64 = 0
        var isTaken = true
        for attempt in 0..<Self.attemptsMax {
            if !isTaken { try await pause(attempt) }
            isTaken = false
            let view = book.view
            let wanted = change(view.layout)?.encoded()
            if wanted == nil, !doubted(view.layout) { return view.layout }
            let clock = max(clock.wallMilliseconds << 16, highest + 1)
            let ballot = Ballot(
                clock: clock, node: book.node,
                boot: UInt32(truncatingIfNeeded: entropy.next()))
            let promises = await gather(view, ballot, nil)
            highest = promises.highest
            if promises.isStale { continue }
            guard Quorum.isMajority(promises.yes, of: view.layout.council) else { continue }
            guard let value = promises.accepted == .none ? wanted : promises.value else {
                return view.layout
            }
            let accepts = await gather(view, ballot, value)
            highest = max(highest, accepts.highest)
            if accepts.isStale { continue }
            guard Quorum.isMajority(accepts.yes, of: view.layout.council) else { continue }
            try await take(value)
            isTaken = true
        }
        throw .noQuorum
    }

    private func pause(_ attempt: Int) async throws(ClusterError) {
        let most: UInt64 = min(500, 10 << UInt64(min(attempt, 6)))
        do throws(CancellationError) {
            try await clock.sleep(milliseconds: 1 + entropy.next() % most)
        } catch { throw .stopped }
    }

    /// A layout that has been chosen: noted here, and told to everybody.
    private func take(_ value: [UInt8]) async throws(ClusterError) {
        let former = book.view.peers
        let layout: Layout
        do throws(CodingError) { layout = try Layout(decoding: value) } catch { throw .damaged }
        do throws(StoreError) { try await book.adopt(layout) } catch { throw ClusterError(error) }
        await tell(Array(Set(former + book.view.peers)).sorted(), value)
    }

    private func tell(_ nodes: [NodeID], _ value: [UInt8]) async {
        let offer = WireMessage(
            kind: WireKind.offerLayout.rawValue, epoch: book.view.epoch, head: value)
        let peers = peers
        await withTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { await Self.tell(peers, node, offer) } }
        }
    }

    private static func tell(_ peers: Peers, _ node: NodeID, _ offer: WireMessage) async {
        // Who misses it learns it from the next question or heartbeat.
        _ = await peers.deliver(node, offer, askMilliseconds)
    }

    private struct Votes {
        var yes: [NodeID] = []
        var accepted = Ballot.none
        var value: [UInt8] = []
        var highest: UInt64 = 0
        var isStale = false
    }

    private func gather(_ view: LayoutView, _ ballot: Ballot, _ value: [UInt8]?) async -> Votes {
        let council = view.layout.council
        return await withTaskGroup(of: (NodeID, Vote).self) { group in
            for node in council {
                group.addTask { await self.vote(of: node, ballot, value, base: view.epoch) }
            }
            var votes = Votes()
            for await (node, vote) in group {
                switch vote {
                case .promise(let accepted, let value):
                    votes.yes.append(node)
                    if accepted > votes.accepted {
                        votes.accepted = accepted
                        votes.value = value
                    }
                case .accepted: votes.yes.append(node)
                case .reject(let promised): votes.highest = max(votes.highest, promised.clock)
                case .failed(.stale): votes.isStale = true
                case .failed: break
                }
                if Quorum.isMajority(votes.yes, of: council) { break }
            }
            group.cancelAll()
            return votes
        }
    }

    private func vote(
        of node: NodeID, _ ballot: Ballot, _ value: [UInt8]?, base: Epoch
    ) async -> (NodeID, Vote) {
        if node == book.node { return (node, await vote(ballot, value, base: base)) }
        var writer = ByteWriter(reserving: 32 + (value?.count ?? 0))
        writer.write(ballot)
        if let value { writer.write(string: value) }
        let asked = await peers.ask(
            node, value == nil ? .councilPrepare : .councilAccept, epoch: base, writer.bytes,
            milliseconds: Self.askMilliseconds)
        let vote = RemoteOwner.result(asked) { (reader) throws(CodingError) -> Vote in
            switch try reader.readByte() {
            case 0:
                return .promise(
                    accepted: try reader.readBallot(),
                    value: try reader.readString(max: Limits.wireHeadBytesMax))
            case 1: return .accepted
            case 2: return .reject(try reader.readBallot())
            case let tag: throw .unknown(tag: UInt64(tag))
            }
        }
        switch vote {
        case .success(let vote): return (node, vote)
        case .failure(let failure): return (node, .failed(failure))
        }
    }
}

extension LayoutRegister.Vote {
    /// nil: the failure goes as such.
    var encoded: [UInt8]? {
        var writer = ByteWriter(reserving: 64)
        switch self {
        case .promise(let accepted, let value):
            writer.write(UInt8(0))
            writer.write(accepted)
            writer.write(string: value)
        case .accepted: writer.write(UInt8(1))
        case .reject(let promised):
            writer.write(UInt8(2))
            writer.write(promised)
        case .failed: return nil
        }
        return writer.bytes
    }
}
