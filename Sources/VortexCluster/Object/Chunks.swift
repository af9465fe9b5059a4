internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Chunks of spread bodies over the owners of their arcs.
final class Chunks: Sendable {
    let coordinator: Coordinator
    private var owed: OwedCopies { coordinator.owed }
    private var book: LayoutBook { coordinator.book }
    private var peers: Peers { coordinator.peers }
    private var owner: LocalOwner { coordinator.owner }
    private var omitted: Omissions { coordinator.omitted }
    private let store: Store

    private static let attemptsMax = 8

    init(coordinator: Coordinator, store: Store) {
        self.coordinator = coordinator
        self.store = store
    }

    // MARK: Storing

    /// Returns when a majority of the chunk's owners has it durably, at one epoch.
    func put(_ chunk: ChunkWrite) async throws(ClusterError) {
        for attempt in 0..<Self.attemptsMax {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let place = book.view[chunk.id]
            if place.quorum.owners == [book.node] {
                guard let failure = await owner.put(chunk, epoch: place.epoch) else { return }
                if failure == .stale { continue }
                throw failure.clusterError
            }
            let tally = await gather(chunk, place)
            let isEnough =
                Quorum.isMajority(tally.stored, of: place.quorum.owners)
                || !tally.stored.isEmpty && omitted.contains(.chunkQuorum)
            if isEnough {
                for node in tally.failed { owed.add(chunk.id, to: node) }
                return
            }
            if tally.isStale { continue }
            // A copy more does no harm: a chunk is immutable.
            if attempt + 1 < Self.attemptsMax / 2, tally.error == .noQuorum { continue }
            throw tally.error
        }
        throw .noQuorum
    }

    private struct Tally {
        var stored: [NodeID] = []
        var failed: [NodeID] = []
        var isStale = false
        var error = ClusterError.noQuorum
    }

    private func gather(_ chunk: ChunkWrite, _ place: LayoutView.Place) async -> Tally {
        let owners = place.quorum.owners
        return await withTaskGroup(of: (NodeID, OwnerFailure?).self) { group in
            for node in owners where node != book.node {
                group.addTask { await self.put(chunk, at: node, place.epoch) }
            }
            if owners.contains(book.node) {
                group.addTask { await self.put(chunk, at: self.book.node, place.epoch) }
            }
            var tally = Tally()
            for await (node, failure) in group {
                switch failure {
                case nil: tally.stored.append(node)
                case .left: break
                case .some(let failure):
                    if failure == .stale { tally.isStale = true }
                    tally.failed.append(node)
                    if failure.clusterError != .noQuorum { tally.error = failure.clusterError }
                }
                // Who is only slow gets it all the same: `put` hears of it.
                if Quorum.isMajority(tally.stored, of: owners) { group.cancelAll() }
            }
            return tally
        }
    }

    private func put(
        _ chunk: ChunkWrite, at node: NodeID, _ epoch: Epoch
    ) async -> (NodeID, OwnerFailure?) {
        guard node != book.node else { return (node, await owner.put(chunk, epoch: epoch)) }
        let (id, owed) = (chunk.id, owed)
        let number = owed.expect(row: false)
        let failure = await RemoteOwner(node: node, peers: peers).put(
            chunk, epoch: epoch,
            late: { isDone in
                if !isDone { owed.add(id, to: node) }
                owed.arrived(number)
            })
        if failure != .left { owed.arrived(number) }
        return (node, failure)
    }

    // MARK: Reading

    /// What this node itself has, without asking anybody.
    func local(_ id: ChunkID) throws(ClusterError) -> StoredChunk? {
        do throws(StoreError) { return try store.chunk(id) } catch { throw ClusterError(error) }
    }

    /// False where it has to come from somewhere else.
    func readLocal(
        _ chunk: StoredChunk, _ range: Range<Int>, _ buffer: UnsafeMutableRawBufferPointer
    ) async -> Bool {
        do throws(StoreError) {
            try await store.read(chunk, range: range, into: buffer)
            return true
        } catch {
            if case .damaged = error { owed.add(chunk.id, to: book.node) }
            return false
        }
    }

    /// Fills `buffer` with the chunk's bytes from `start`: from this node, else from the healthiest
    /// owner, the next one after a failure or a slow answer. `row` says whose body it is where the
    /// body lives with its row.
    func read(
        _ id: ChunkID, length: Int, start: Int, row: RowKey?,
        into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) {
        let range = start..<start + buffer.count
        var isDamaged = false
        do throws(StoreError) {
            if let chunk = try store.chunk(id), chunk.length == length {
                try await store.read(chunk, range: range, into: buffer)
                return
            }
        } catch .damaged {
            isDamaged = true
        } catch .notFound {
            // Dropped or collected between the two look-ups.
        } catch { throw ClusterError(error) }
        if isDamaged { owed.add(id, to: book.node) }
        var known = book.view.epoch
        for _ in 0..<(omitted.contains(.readAgain) ? 1 : 3) {
            switch await readRemote(id, range, row) {
            case .found(let bytes):
                buffer.copyMemory(from: bytes.bytes)
                return
            case .absent:
                // Its owners may have changed meanwhile; and a stray may have moved between the
                // two questions.
                await refreshLayout()
                let now = book.view.epoch
                if now == known, book.view.members.count == 1 { throw .damaged }
                known = now
            case .silent: break
            }
        }
        throw isDamaged ? .damaged : .noQuorum
    }

    private enum Remote {
        case found(ChunkBuffer)
        case absent
        /// Somebody who may have it did not answer.
        case silent
    }

    private func holders(_ id: ChunkID, _ row: RowKey?) -> [NodeID] {
        let view = book.view
        let partition = row.map { view.ring.partition(of: $0) } ?? view.ring.partition(of: id)
        let place = view[partition]
        var nodes = peers.order(place.quorum.owners.filter { $0 != book.node })
        let sources = omitted.contains(.sources) ? [] : view.layout.sources(of: partition)
        for node in place.quorum.previous + sources
        where node != book.node && !nodes.contains(node) { nodes.append(node) }
        return nodes
    }

    private func readRemote(_ id: ChunkID, _ range: Range<Int>, _ row: RowKey?) async -> Remote {
        var isSilent = false
        let nodes = holders(id, row)
        // First with little patience, then with all of it.
        for patience in [true, false] {
            for (place, node) in nodes.enumerated() {
                let isLast = place + 1 == nodes.count
                let wait =
                    patience && !isLast
                    ? peers.hedgeMilliseconds(node) + UInt64(range.count >> 14)
                    : Peers.answerMilliseconds
                if patience, peers.isSuspect(node), nodes.count > 1 { continue }
                let answer = await RemoteOwner(node: node, peers: peers).chunk(id, range, wait)
                switch answer {
                case .success(let bytes?): return .found(bytes)
                case .success(nil): continue
                case .failure(.damaged): owed.add(id, to: node)
                case .failure: isSilent = true
                }
            }
            if !isSilent, nodes.allSatisfy({ !peers.isSuspect($0) }) { break }
        }
        return isSilent ? .silent : .absent
    }

    /// Asks a peer for a newer layout: a gateway that slept may be the last to know.
    private func refreshLayout() async {
        if omitted.contains(.readLayout) { return }
        for node in peers.order(book.view.peers).prefix(2) {
            let asked = await peers.ask(node, .layout, epoch: book.view.epoch)
            guard case .success(let message) = asked else { continue }
            await peers.adopt(message.head)
        }
    }

    // MARK: Finding

    /// The chunk's length where a majority of its owners has it, made so where fewer do; 0 where it
    /// is nowhere. Throws where too few owners answer to tell.
    func durableLength(
        _ id: ChunkID, of owner: RowKey
    ) async throws(ClusterError) -> Int {
        let place = book.view[id]
        var having: [NodeID] = []
        var length = 0
        var answered: [NodeID] = []
        for node in place.quorum.owners {
            guard case .success(let lengths) = await coordinator.anOwner(node).lengths(of: [id]),
                let found = lengths.first
            else { continue }
            answered.append(node)
            guard found > 0, found != ChunkLength.deleted else { continue }
            having.append(node)
            length = found
        }
        guard Quorum.isMajority(answered, of: place.quorum.owners) else { throw .noQuorum }
        if having.isEmpty || Quorum.isMajority(having, of: place.quorum.owners) { return length }
        // Not acknowledged, so it need not count; but more of the upload is kept this way.
        for node in answered where !having.contains(node) {
            guard let source = having.first,
                let buffer = await coordinator.whole(id, from: source)
            else { return 0 }
            let copy = ChunkWrite(
                id: id, owner: owner, receivedMilliseconds: coordinator.clock.wallMilliseconds,
                checksums: CRC32C.blocks(of: buffer.bytes, chunk: id), buffer: buffer)
            if await coordinator.anOwner(node).put(copy, epoch: place.epoch) == nil {
                having.append(node)
            }
            if Quorum.isMajority(having, of: place.quorum.owners) { return length }
        }
        return 0
    }

    // MARK: Copying

    enum Copying: Sendable {
        case copied
        /// It has been collected meanwhile, or nobody has it.
        case gone
        /// This node's copy cannot be read, and no other node has one that can: all have said so.
        case lost
        case failed
    }

    /// Makes an owner's missing or damaged copy from another one. The row that owns the chunk says
    /// in the copy's record what the chunk belongs to.
    func copy(
        _ id: ChunkID, to node: NodeID, naming cluster: ClusterNode
    ) async throws(ClusterError) -> Copying {
        let known: Description
        switch try await description(of: id, except: node) {
        case .known(let found): known = found
        case .gone: return .gone
        case .silent: return try await isLost(id) ? .lost : .failed
        }
        let place = try place(of: id, known.row)
        guard place.quorum.owners.contains(node) else { return .gone }
        // Only slow, and there by now: nobody need read it, and its journal need not hold it twice.
        if node != book.node,
            case .success([known.length]) = await coordinator.anOwner(node).lengths(of: [id])
        {
            return .copied
        }
        guard let whole = try await whole(id, known, except: node) else {
            return try await isLost(id) ? .lost : .failed
        }
        let failure = await coordinator.anOwner(node).put(whole, epoch: place.epoch)
        guard failure == nil else { return .failed }
        cluster.progress.update { $0.copiedChunks += 1 }
        return .copied
    }

    /// All members have to say so, owners or not, and again: a stray may move between questions.
    private func isLost(_ id: ChunkID) async throws(ClusterError) -> Bool {
        let epoch = book.view.epoch
        guard try await isNowhere(id), try await isNowhere(id) else { return false }
        return book.view.epoch == epoch
    }

    private func isNowhere(_ id: ChunkID) async throws(ClusterError) -> Bool {
        let members = book.view.peers
        guard let stored = try local(id), !members.contains(where: peers.isSuspect),
            await isUnreadable(id, stored.length, at: owner)
        else { return false }
        for member in members {
            let remote = RemoteOwner(node: member, peers: peers)
            guard case .success(let lengths) = await remote.lengths(of: [id]),
                let length = lengths.first, length != ChunkLength.deleted
            else { return false }
            if length > 0, await !isUnreadable(id, length, at: remote) { return false }
        }
        return true
    }

    private func isUnreadable(_ id: ChunkID, _ length: Int, at owner: some Owner) async -> Bool {
        if case .failure(.damaged) = await owner.chunk(id, 0..<length) { true } else { false }
    }

    private func place(
        of id: ChunkID, _ row: RowKey
    ) throws(ClusterError) -> LayoutView.Place {
        do throws(StoreError) { return book.view[try owner.home(of: id, row)] } catch {
            throw ClusterError(error)
        }
    }

    /// What a chunk is, without its bytes.
    private enum Known {
        case known(Description)
        /// None of those that should have it has it.
        case gone
        /// Somebody who may have it does not say.
        case silent
    }
    private struct Description {
        var length: Int
        var row: RowKey
        var isHere: Bool
    }

    /// As this node knows it, which knows the owning row; or, where its record here is damaged, or
    /// this node has only passed it on, as others do.
    private func description(
        of id: ChunkID, except node: NodeID
    ) async throws(ClusterError) -> Known {
        if let stored = try local(id) {
            guard let row = try await origin(of: stored) else { return .silent }
            return .known(Description(length: stored.length, row: row, isHere: true))
        }
        var isSilent = false
        for other in holders(id, nil) where other != node {
            let remote = RemoteOwner(node: other, peers: peers)
            guard case .success(let lengths) = await remote.lengths(of: [id]),
                let length = lengths.first
            else {
                isSilent = true
                continue
            }
            guard (1...Limits.chunkBytes).contains(length) else { continue }
            guard case .success(let row?) = await remote.origin(of: id) else {
                isSilent = true
                continue
            }
            return .known(Description(length: length, row: row, isHere: false))
        }
        return isSilent ? .silent : .gone
    }

    private func whole(
        _ id: ChunkID, _ known: Description, except node: NodeID
    ) async throws(ClusterError) -> ChunkWrite? {
        let (row, range) = (known.row, 0..<known.length)
        var found: ChunkBuffer?
        if known.isHere, node != book.node, case .success(let buffer) = await owner.chunk(id, range)
        {
            found = buffer
        }
        if found == nil {
            let partition: Partition
            do throws(StoreError) { partition = try owner.home(of: id, row) } catch {
                throw ClusterError(error)
            }
            let isRowBody = partition != book.view.ring.partition(of: id)
            for other in holders(id, isRowBody ? row : nil) where other != node && found == nil {
                let answer = await RemoteOwner(node: other, peers: peers).chunk(id, range)
                if case .success(let buffer) = answer { found = buffer }
            }
        }
        guard let found else { return nil }
        return ChunkWrite(
            id: id, owner: row, receivedMilliseconds: coordinator.clock.wallMilliseconds,
            checksums: CRC32C.blocks(of: found.bytes, chunk: id), buffer: found)
    }

    private func origin(of chunk: StoredChunk) async throws(ClusterError) -> RowKey? {
        do throws(StoreError) { return try await store.origin(of: chunk).owner } catch {
            guard case .damaged = error else { return nil }
        }
        for node in peers.order(book.view.peers) {
            let asked = await RemoteOwner(node: node, peers: peers).origin(of: chunk.id)
            if case .success(let row?) = asked { return row }
        }
        return nil
    }
}
