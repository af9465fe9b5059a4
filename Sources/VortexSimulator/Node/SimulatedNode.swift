internal import Synchronization
internal import VortexCluster
internal import VortexCore
internal import VortexStore

/// What a run gives to all its nodes.
struct Surroundings: Sendable {
    var executor: SimulatedExecutor
    var network: SimulatedNetwork
    var trace: Trace
    var verdict: Verdict
    var options: ClusterOptions
}

/// A machine of the run: disk, clock, address; and on it, one after the other, the lives of its
/// process. This file alone knows how a node is opened.
final class SimulatedNode: Sendable {
    /// How a process ends.
    enum End: Sendable {
        /// What was not synced is lost, kept or torn.
        case powerCut
        /// What was written stays.
        case kill
        /// The machine comes back with the disk that `keepImage` has kept.
        case imageRestored
    }

    /// A copy of the disk as it was at some moment.
    private struct Image {
        var disk: MemoryDisk
        var index: MemoryIndex
        /// Lives that had entered by then.
        var entries: UInt64
        var node: NodeID
        /// Where its journal ended, at the most.
        var position: UInt64
    }

    /// A process that serves.
    struct Process: Sendable {
        var life: Life
        var node: ClusterNode
        var store: Store
    }

    private struct State {
        var disk: MemoryDisk
        var index: MemoryIndex
        var life: Life?
        var process: Process?
        /// It stays down until then, in virtual nanoseconds.
        var downUntil: UInt64 = 0
        /// It stays down until it is released.
        var isHeld = false
        var isOver = false
        var lives: UInt64 = 0
        /// Those that became members, so that the cluster has seen their boot.
        var entries: UInt64 = 0
        var image: Image?
        var past = Past.its
        /// Bits of the disk were flipped, or sectors cannot be read.
        var isDamaged = false
        /// A life with this disk has become a member.
        var hasEntered = false
        /// What its last life durably remembered of the others.
        var noted: [NodeID: UInt64] = [:]
        /// Whom it asks to be let in while its directory is empty; empty: it makes the cluster.
        var joins: [String]
    }

    /// Whose past the disk holds.
    private enum Past {
        /// The node's own.
        case its
        /// An earlier moment of the life that ended last.
        case rolledBack
        /// An earlier life: the cluster knows a later boot.
        case outdated
    }

    let place: Int
    let clock: SimulatedClock
    let latency: DiskLatency
    private let around: Surroundings
    private let entropy: SimulatedEntropy
    private let state: Mutex<State>

    /// The smallest that holds a batch with the largest record: recovery and compaction have work.
    static let segmentBytes: UInt64 = 16 << 20
    static let diskBytes: UInt64 = 4 << 30

    /// `joining`: the nodes that it asks to be let in, at its first start; empty: it makes the
    /// cluster. `startsAt`: when that is, in virtual nanoseconds.
    init(
        place: Int, of count: Int, joining: [Int], startsAt: UInt64, entropy: SimulatedEntropy,
        around: Surroundings
    ) {
        self.place = place
        self.around = around
        self.entropy = entropy
        others = (0..<count).filter { $0 != place }.map { Self.address(of: $0) }
        clock = SimulatedClock(executor: around.executor)
        let latency = DiskLatency(entropy: entropy.fork(), executor: around.executor)
        self.latency = latency
        let disk = Self.emptyDisk(place, latency, around.trace)
        let index = Self.emptyIndex(entropy)
        state = Mutex(
            State(
                disk: disk, index: index, downUntil: startsAt,
                joins: joining.map { Self.address(of: $0) }))
    }

    private static func emptyDisk(
        _ place: Int, _ latency: DiskLatency, _ trace: Trace
    ) -> MemoryDisk {
        MemoryDisk(capacityBytes: diskBytes) { operation in
            trace.note(
                .disk, UInt64(place), UInt64(operation.rawValue), told: "\(operation)")
            await latency.pass(operation)
        }
    }

    private static func emptyIndex(_ entropy: SimulatedEntropy) -> MemoryIndex {
        MemoryIndex(flushesItselfOneIn: 32, seed: entropy.next())
    }

    static func address(of place: Int) -> String { "node\(place):7480" }
    var address: String { Self.address(of: place) }
    private let others: [String]
    private var joins: [String] { state.withLock { $0.joins } }
    var disk: MemoryDisk { state.withLock { $0.disk } }
    var index: MemoryIndex { state.withLock { $0.index } }
    /// nil while it is down or starting.
    var process: Process? { state.withLock { $0.process } }
    var isUp: Bool { process != nil }

    // MARK: Ends

    /// Ends the process now, and keeps it down for so long.
    func end(_ end: End, downNanoseconds: UInt64) {
        let life = state.withLock { state -> Life? in
            state.downUntil = around.executor.now + downNanoseconds
            return state.life
        }
        if let life { finish(life, end) }
    }

    private static let heldNanoseconds: UInt64 = 50_000_000

    /// Ends the process now, and keeps it down until `release`.
    func hold() {
        state.withLock { $0.isHeld = true }
        end(.kill, downNanoseconds: 0)
    }

    func release() { state.withLock { $0.isHeld = false } }

    /// The index is gone, as one that its library finds damaged is: while the node is down.
    func loseIndex() {
        state.withLock { state in
            precondition(state.life == nil, "a running node has its index open")
            state.index = MemoryIndex(flushesItselfOneIn: 32, seed: entropy.next())
        }
    }

    /// Another disk, while the node is down: an empty one, or one that it had before.
    func replaceDisk(by disk: MemoryDisk? = nil) {
        let fresh = disk ?? Self.emptyDisk(place, latency, around.trace)
        state.withLock { state in
            precondition(state.life == nil, "a running node has its disk open")
            state.disk = fresh
            state.isDamaged = false
            state.hasEntered = false
            state.noted = [:]
        }
        loseIndex()
    }

    /// The run is over: the process ends, and none begins.
    func close() {
        state.withLock { $0.isOver = true }
        end(.kill, downNanoseconds: 0)
    }

    /// Keeps what the disk holds now; false where it is kept already.
    func keepImage() -> Bool {
        let seed = entropy.next()
        return state.withLock { state in
            guard state.image == nil, let process = state.process else { return false }
            state.image = Image(
                disk: state.disk.image(seed: seed), index: state.index.crash(),
                entries: state.entries, node: process.store.identity.node,
                position: process.store.position)
            return true
        }
    }

    /// Brings back what `keepImage` has kept, where each of the others has noted that the journal
    /// has got further: a past that nobody remembers cannot be told from the present.
    func restoreImage(knownTo others: [SimulatedNode], downNanoseconds: UInt64) {
        guard let image = state.withLock({ $0.image }),
            others.allSatisfy({ $0.remembers(image.node, beyond: image.position) })
        else { return }
        end(.imageRestored, downNanoseconds: downNanoseconds)
    }

    private func remembers(_ node: NodeID, beyond position: UInt64) -> Bool {
        state.withLock { state in
            guard state.hasEntered else { return true }
            let noted = state.process?.node.notedPositions ?? state.noted
            return noted[node] ?? 0 > position
        }
    }

    func damage(_ bring: (MemoryDisk) -> Void) {
        bring(disk)
        state.withLock { $0.isDamaged = true }
    }

    /// The disk crashes at the very moment at which the life ends.
    private func finish(_ life: Life, _ end: End) {
        guard state.withLock({ $0.life === life }) else { return }
        around.trace.note(.ended, UInt64(place), text: "\(end)")
        around.network.close(address)
        let seed = entropy.next()
        state.withLock { state in
            state.disk = end == .kill ? state.disk.restart() : state.disk.crash(seed: seed)
            state.index = state.index.crash()
            if end == .imageRestored, let image = state.image {
                state.disk = image.disk
                state.index = image.index
                state.past = state.entries > image.entries ? .outdated : .rolledBack
                state.image = nil
            }
            state.noted = state.process?.node.notedPositions ?? state.noted
            state.life = nil
            state.process = nil
        }
        life.end()
    }

    // MARK: Lives

    /// One life after the other, until `close`.
    func run() async {
        while true {
            let wait = state.withLock { state -> UInt64? in
                if state.isOver { return nil }
                if state.isHeld { return Self.heldNanoseconds }
                return state.downUntil - min(state.downUntil, around.executor.now)
            }
            guard let wait else { return }
            if wait > 0 {
                _ = await around.executor.sleep(nanoseconds: wait)
                continue
            }
            let life = Life()
            let (disk, index, number) = state.withLock { state in
                state.life = life
                state.lives += 1
                return (state.disk, state.index, state.lives)
            }
            around.trace.note(.started, UInt64(place), number)
            await live(life, disk, index)
            finish(life, .kill)
            _ = await around.executor.sleep(nanoseconds: entropy.within(10_000_000..<200_000_000))
        }
    }

    private func live(_ life: Life, _ disk: MemoryDisk, _ index: MemoryIndex) async {
        let transport = around.network.transport(of: place, isAlive: { life.isAlive })
        var options = StoreOptions(reserveBytes: 0, segmentBytes: Self.segmentBytes)
        let store: Store
        do throws(StoreError) {
            options.cluster = try await invitation(life, disk, transport)
            guard life.isAlive else { return }
            store = try await Store(
                disk: disk, index: index, options: options, clock: clock, entropy: entropy)
        } catch { return fails(life, error, "the store does not open") }
        guard life.isAlive else { return store.stop() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do throws(StoreError) { try await store.runWriter() } catch {
                    self.fails(life, error, "the journal's writer ends")
                }
            }
            group.addTask { await self.serve(life, store, transport) }
            await group.waitForAll()
        }
    }

    /// The cluster that a new directory is made for: that of the node that was first, of which this
    /// one hears when that is up.
    private func invitation(
        _ life: Life, _ disk: MemoryDisk, _ transport: any Transport
    ) async throws(StoreError) -> ClusterID? {
        let joins = joins
        guard !joins.isEmpty else { return nil }
        do throws(DiskError) {
            guard try await !disk.list().contains(DataIdentity.fileName) else { return nil }
        } catch { throw .disk(error) }
        var attempt = 0
        while life.isAlive {
            do throws(TransportError) {
                return try await ClusterNode.invitation(
                    from: joins[attempt % joins.count], over: transport)
            } catch {
                around.trace.note(.lost, UInt64(place), text: "no invitation: \(error)")
            }
            attempt += 1
            _ = await around.executor.sleep(nanoseconds: 200_000_000)
        }
        return nil
    }

    private func serve(_ life: Life, _ store: Store, _ transport: any Transport) async {
        defer { store.stop() }
        let node: ClusterNode
        do throws(ClusterError) {
            node = try await ClusterNode.open(
                store: store, clock: clock, entropy: entropy, options: around.options,
                place: MemberPlace(
                    address: address, zone: "", host: "machine\(place)",
                    weightBytes: Self.diskBytes),
                transport: transport)
        } catch { return fails(life, error) }
        guard life.isAlive else { return }
        let peers = node.service
        around.network.listen(on: address, place: place) { question, reply in
            life.run {
                let answer = await peers.answer(question)
                if life.isAlive { reply(answer) }
            }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.enter(life, node, store) }
            group.addTask {
                do throws(StoreError) { try await store.runCompaction() } catch {
                    self.fails(life, error, "compaction ends")
                }
            }
            for await job in life.jobs { group.addTask { await job() } }
            group.cancelAll()
        }
    }

    /// Becomes a member, and serves clients from then on.
    private func enter(_ life: Life, _ node: ClusterNode, _ store: Store) async {
        do throws(ClusterError) { try await node.enter(joining: joins) } catch {
            return fails(life, error)
        }
        around.trace.note(.entered, UInt64(place))
        let process = Process(life: life, node: node, store: store)
        let past = state.withLock { state in
            defer {
                state.past = .its
                state.entries += 1
                state.hasEntered = true
            }
            if state.life === life { state.process = process }
            return state.past
        }
        if past == .outdated, !node.isFenced {
            around.verdict.fail("node \(place) serves from an old disk")
        }
        await node.run()
    }

    private func fails(_ life: Life, _ error: ClusterError) {
        guard life.isAlive else { return }
        let (past, isDamaged, hasEntered) = state.withLock {
            ($0.past, $0.isDamaged, $0.hasEntered)
        }
        let isReplaced =
            // What was damaged at the journal's very end looks like a torn tail: the number of its
            // last boot may be gone.
            error == .outdatedDisk && (past != .its || isDamaged)
            // It was damaged before it was let in, and cannot know that it never was a member.
            || error == .replaced && isDamaged && !hasEntered
        if error != .stopped, !isReplaced {
            around.verdict.fail("node \(place) does not start: \(error)")
        }
        finish(life, .kill)
        if isReplaced { startAnew() }
    }

    /// What the operator does where the node says that its disk is an old one, or has lost both
    /// copies of a segment's header: an empty directory, and the same command; a new node takes its
    /// place.
    private func startAnew() {
        around.trace.note(.replaced, UInt64(place))
        replaceDisk()
        state.withLock { state in
            state.past = .its
            state.image = nil
            state.joins = others
        }
    }

    /// A disk that failed ends the process; anything else is a bug of the product.
    private func fails(_ life: Life, _ error: StoreError, _ what: String) {
        guard life.isAlive else { return }
        switch error {
        // A full disk has no room to write a journal's tail again: it starts when it has some.
        case .disk, .stopped, .full: break
        case .refused(.missingSegment), .refused(.indexNewerThanJournal):
            guard state.withLock({ $0.isDamaged }) else { fallthrough }
            finish(life, .kill)
            return startAnew()
        case .damaged, .notFound, .index, .coding, .refused:
            around.verdict.fail("node \(place): \(what): \(error)")
        }
        // After a failed sync as after any other: nobody knows what is durable.
        finish(life, entropy.happens(perMille: 500) ? .powerCut : .kill)
    }
}
