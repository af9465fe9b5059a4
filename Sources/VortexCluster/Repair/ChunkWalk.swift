internal import Logging
internal import VortexCore
internal import VortexStore

/// A walk over this node's chunks: every owner has each, nobody else has any, and each is named by
/// the row that owns it.
extension ClusterNode {
    private static let pageChunks = 512

    private struct Walk {
        /// The blob asked about last, and whether a row names it.
        var blob: BlobID?
        var isNamed = false
        /// As a body that lives with its row.
        var isRowBody = false
        /// The object whose row was read last for a part, and what it named then: parts of one
        /// object lie beside each other. That it names no more what it did costs a copy at most.
        var object: (key: RowKey, blobs: Set<BlobID>)?
        var isWhole = true
        var strays: UInt64 = 0
        var lost: UInt64 = 0
        /// Partitions in which a stray was found.
        var kept: Set<Partition> = []
    }

    /// True where every chunk of this node is where it belongs, with all its copies.
    func walkChunks() async throws(ClusterError) -> Bool {
        let layout = layout
        var walk = Walk()
        var after: ChunkID?
        while !Task.isCancelled {
            let page: [StoredChunk]
            do throws(StoreError) {
                page = try store.chunks(after: after, limit: Self.pageChunks)
            } catch { throw ClusterError(error) }
            try await visit(page, &walk)
            guard page.count == Self.pageChunks, let last = page.last else { break }
            after = last.id
        }
        let (strays, lost) = (walk.strays, walk.lost)
        let kept = walk.kept.count
        progress.update { state in
            state.strays = strays
            state.lostChunks = lost
            state.keptPartitions = kept
        }
        try await reportEmptied(of: layout, except: walk.kept)
        return walk.isWhole
    }

    private struct Visited {
        var chunk: StoredChunk
        var owner: RowKey

        /// Of a PUT of one chunk or less, or the first chunk of a larger one.
        var mayBeRowBody: Bool { chunk.id.index == 0 && owner.kind == .object }
        var isRowBody: Bool { mayBeRowBody && chunk.length < Limits.chunkBytes }
        /// A whole chunk: only a second one, if there is any, tells what it is.
        var second: ChunkID? {
            guard mayBeRowBody, !isRowBody else { return nil }
            return ChunkID(blob: chunk.id.blob, index: 1)
        }
    }

    private func visit(_ page: [StoredChunk], _ walk: inout Walk) async throws(ClusterError) {
        var spread: [Visited] = []
        var bodies: [Visited] = []
        for chunk in page {
            let owner: RowKey
            do throws(StoreError) { owner = try await store.origin(of: chunk).owner } catch {
                try await visit(unreadable: chunk, &walk)
                continue
            }
            let visited = Visited(chunk: chunk, owner: owner)
            if try livesWithRow(chunk, owner) {
                bodies.append(visited)
            } else {
                spread.append(visited)
            }
        }
        var lengths: [NodeID: [Int]] = [:]
        let ids = (spread + bodies).map(\.chunk.id) + spread.compactMap(\.second)
        guard !ids.isEmpty else { return }
        for other in view.peers {
            let asked = await RemoteOwner(node: other, peers: peers).lengths(of: ids)
            if case .success(let found) = asked { lengths[other] = found }
        }
        var second = spread.count + bodies.count
        for (place, visited) in spread.enumerated() {
            var isUnsure = false
            if let id = visited.second {
                isUnsure = try !isAnywhere(id, at: second, lengths)
                second += 1
            }
            try await visit(visited, at: place, lengths, isUnsure, &walk)
        }
        for (place, visited) in bodies.enumerated() {
            try await compare(visited, at: spread.count + place, lengths, &walk)
        }
    }

    /// Its record does not verify, so nothing tells what it belongs to: it is made again from
    /// another node's copy. Where no node has one it cannot ever be: then it is of an upload that
    /// was never acknowledged, or more than one disk is damaged.
    private func visit(
        unreadable chunk: StoredChunk, _ walk: inout Walk
    ) async throws(ClusterError) {
        walk.kept.insert(view.ring.partition(of: chunk.id))
        switch try await chunks.copy(chunk.id, to: node, naming: self) {
        case .copied: return
        case .lost:
            walk.lost += 1
            repairLog.error("a chunk is lost", metadata: ["chunk": "\(chunk.id)"])
        case .gone, .failed:
            coordinator.owed.add(chunk.id, to: node)
            walk.isWhole = false
        }
    }

    private func isAnywhere(
        _ id: ChunkID, at index: Int, _ lengths: [NodeID: [Int]]
    ) throws(ClusterError) -> Bool {
        do throws(StoreError) { if try store.chunk(id) != nil { return true } } catch {
            throw ClusterError(error)
        }
        return lengths.values.contains { (1...Limits.chunkBytes).contains($0[index]) }
    }

    /// A body whose row is here and names it: the row's other owners have it too, those that have
    /// the same row.
    private func compare(
        _ visited: Visited, at index: Int, _ lengths: [NodeID: [Int]], _ walk: inout Walk
    ) async throws(ClusterError) {
        for owner in view[visited.owner].quorum.owners where owner != node {
            let found = lengths[owner]?[index]
            if found == visited.chunk.length || found == ChunkLength.deleted { continue }
            guard found != nil else {
                walk.isWhole = false
                continue
            }
            switch try await chunks.copy(visited.chunk.id, to: owner, naming: self) {
            case .copied, .gone: break
            case .failed: coordinator.owed.add(visited.chunk.id, to: owner, isKnown: true)
            case .lost: walk.isWhole = false
            }
        }
    }

    /// The row body of an object whose row is here.
    private func livesWithRow(_ chunk: StoredChunk, _ owner: RowKey) throws(ClusterError) -> Bool {
        guard chunk.id.index == 0, owner.kind == .object else { return false }
        do throws(StoreError) {
            guard let row = try store.row(owner) else { return false }
            return row.value.bodies.contains(chunk.id.blob)
        } catch { throw ClusterError(error) }
    }

    private func visit(
        _ visited: Visited, at index: Int, _ lengths: [NodeID: [Int]], _ isUnsure: Bool,
        _ walk: inout Walk
    ) async throws(ClusterError) {
        let id = visited.chunk.id
        let place = view[id]
        let partition = view.ring.partition(of: id)
        if lengths.values.contains(where: { $0[index] == ChunkLength.deleted }) {
            if let failure = await coordinator.owner.collect(id.blob, milliseconds: now) {
                throw failure.clusterError
            }
            return
        }
        // Replaced bodies wait here for their collector, as many as there were writes: a question
        // to the row's owners about each would take a walk's whole time.
        let isAtRowOwner = view[visited.owner].since != nil
        if visited.isRowBody, isAtRowOwner, !isLongUnnamed(id.blob) { return }
        if visited.isRowBody || isUnsure {
            // What no row names is its collector's.
            guard try await isNamed(visited, &walk) else { return }
            if walk.isRowBody { return try await visitBody(visited, at: index, lengths, &walk) }
        }
        let lacking = place.quorum.owners.filter { owner in
            owner != node && lengths[owner]?[index] != visited.chunk.length
        }
        let isDroppedEarly =
            omitted.contains(.strayAll) && lacking.count < place.quorum.owners.count
        let isAtRow = visited.mayBeRowBody && isAtRowOwner
        if lacking.isEmpty && !isAtRow || isDroppedEarly {
            if !place.isOwner { try await drop(visited, place, &walk, partition) }
            return
        }
        // A body that no row names is copied nowhere; but a node that has it is not empty.
        if try await !isNamed(visited, &walk) {
            if !place.isOwner { walk.kept.insert(partition) }
            return
        }
        if walk.isRowBody { return try await visitBody(visited, at: index, lengths, &walk) }
        if lacking.isEmpty {
            if !place.isOwner { try await drop(visited, place, &walk, partition) }
            return
        }
        var isEverywhere = true
        for owner in lacking {
            guard lengths[owner] != nil else {
                // It is silent: nothing is known of what it has.
                isEverywhere = false
                walk.isWhole = false
                continue
            }
            switch try await chunks.copy(id, to: owner, naming: self) {
            case .copied: continue
            case .lost: return try await lose(id, partition, &walk)
            // Deleted since it was asked about.
            case .gone: break
            case .failed: coordinator.owed.add(id, to: owner, isKnown: true)
            }
            isEverywhere = false
        }
        guard !place.isOwner else { return }
        if isEverywhere {
            try await drop(visited, place, &walk, partition)
        } else {
            repairLog.debug("a stray lacks copies", metadata: ["chunk": "\(id)"])
            walk.isWhole = false
            walk.strays += 1
            walk.kept.insert(partition)
        }
    }

    /// No node can read it. What somebody was told to be durable is missing for good; what was only
    /// on its way is missed by nobody, and goes with its upload.
    private func lose(
        _ id: ChunkID, _ partition: Partition, _ walk: inout Walk
    ) async throws(ClusterError) {
        walk.lost += 1
        walk.kept.insert(partition)
        let isMissed = try await isMissed(id) ?? true
        if isMissed { walk.isWhole = false }
        repairLog.error(
            "a chunk is lost", metadata: ["chunk": "\(id)", "acknowledged": "\(isMissed)"])
    }

    /// Whether anybody was told that the chunk is durable; nil where its record here does not say
    /// what it belongs to.
    func isMissed(_ id: ChunkID) async throws(ClusterError) -> Bool? {
        guard let chunk = try chunks.local(id) else { return nil }
        let owner: RowKey
        do throws(StoreError) { owner = try await store.origin(of: chunk).owner } catch {
            return nil
        }
        let blob = UnnamedBlob(blob: id.blob, owner: owner, sinceMilliseconds: 0)
        for key in blob.rowsToAsk where try await coordinator.read(key).rests(on: id) {
            return true
        }
        return false
    }

    /// A body that lives with its row, which is not here, or does not name it here yet: the row's
    /// owners get it together with the row, and nobody else keeps it.
    private func visitBody(
        _ visited: Visited, at index: Int, _ lengths: [NodeID: [Int]], _ walk: inout Walk
    ) async throws(ClusterError) {
        let partition = view.ring.partition(of: visited.owner)
        let place = view[partition]
        guard place.since == nil else { return }
        let isEverywhere = place.quorum.owners.allSatisfy { owner in
            lengths[owner]?[index] == visited.chunk.length
        }
        if isEverywhere { return try await drop(visited, place, &walk, partition) }
        walk.isWhole = false
        walk.strays += 1
        walk.kept.insert(partition)
    }

    /// Lets go of a stray that all owners have, at the epoch at which they were asked.
    private func drop(
        _ visited: Visited, _ place: LayoutView.Place, _ walk: inout Walk, _ partition: Partition
    ) async throws(ClusterError) {
        let now = view[partition]
        let isCurrent = now.epoch == place.epoch || omitted.contains(.strayEpoch)
        guard isCurrent, !now.isOwner, !now.isMigrating else {
            walk.kept.insert(partition)
            walk.isWhole = false
            return
        }
        do throws(StoreError) { try await store.drop(visited.chunk) } catch {
            throw ClusterError(error)
        }
    }

    /// Whether its row names the blob. One that no row names is left to the collector of its row,
    /// which lets GETs in flight finish; where nobody has collected it for long after it was first
    /// met like this, it is collected here.
    private func isNamed(
        _ visited: Visited, _ walk: inout Walk
    ) async throws(ClusterError) -> Bool {
        let blob = visited.chunk.id.blob
        if walk.blob == blob { return walk.isNamed }
        let unnamed = UnnamedBlob(blob: blob, owner: visited.owner, sinceMilliseconds: 0)
        var isNamed = active.find(UploadID(of: blob)) != nil
        var isRowBody = false
        let isOfPart = unnamed.object != visited.owner
        if isOfPart, let object = walk.object, object.key == unnamed.object {
            isNamed = isNamed || object.blobs.contains(blob)
        }
        for key in unnamed.rowsToAsk where !isNamed {
            let content = try await coordinator.read(key)
            isNamed = content.names(blob)
            isRowBody = content.rowBodies.contains(blob)
            if isOfPart, key == unnamed.object {
                walk.object = (key, Set(content.blobs))
            }
        }
        if !isNamed, isLongUnnamed(blob) {
            isNamed = try await !collectEverywhere(unnamed)
        }
        walk.blob = blob
        walk.isNamed = isNamed
        walk.isRowBody = isRowBody
        return isNamed
    }

    /// Whether the blob was met without a name long enough ago; the first time it is noted.
    private func isLongUnnamed(_ blob: BlobID) -> Bool {
        guard let since = owedDeletes.unnamed(blob, now: now) else { return false }
        return now > since + 2 * options.collectDelayMilliseconds
    }

    /// A source's word that it holds no chunk of the partition, as of the layout when the walk
    /// began.
    private func reportEmptied(
        of layout: Layout, except kept: Set<Partition>
    ) async throws(ClusterError) {
        let node = node
        let reports = layout.ring.partitions.compactMap { partition -> Layout.Emptied? in
            let isEmpty = !kept.contains(partition) || book.omitted.contains(.emptyTrue)
            guard layout.sources(of: partition).contains(node), isEmpty else { return nil }
            return .init(node: node, partition: partition, epoch: layout.epoch(of: partition))
        }
        guard !reports.isEmpty else { return }
        let omitted = book.omitted
        try await council.propose { $0.emptied(reports, omitted: omitted) }
    }
}
