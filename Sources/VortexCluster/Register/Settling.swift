internal import VortexCore
internal import VortexStore

/// Making owners equal: anti-entropy, purging, and bringing bodies that live with rows.
extension Coordinator {
    /// Bodies that an owner lacks, from whichever owner has them. A request carries one: where
    /// there are more, of a row with many versions, all are brought ahead of it, one at a time.
    /// Returns the request to be made again; `.damaged` where a body is nowhere.
    func bring(
        _ blobs: [BlobID], for request: AcceptRequest, to node: NodeID,
        _ place: LayoutView.Place
    ) async -> Result<AcceptRequest, OwnerFailure> {
        var whole = request
        for blob in blobs {
            guard let body = await body(blob, of: request.key, place) else {
                return .failure(.damaged)
            }
            if blobs.count == 1, request.bodies.isEmpty {
                whole.bodies = [body]
            } else if let failure = await anOwner(node).putRowBody(body, epoch: place.epoch) {
                return .failure(failure)
            }
        }
        return .success(whole)
    }

    private func body(
        _ blob: BlobID, of key: RowKey, _ place: LayoutView.Place
    ) async -> ChunkWrite? {
        let id = ChunkID(blob: blob, index: 0)
        for node in place.quorum.members {
            guard let found = await whole(id, from: node) else { continue }
            return ChunkWrite(
                id: id, owner: key, receivedMilliseconds: clock.wallMilliseconds,
                checksums: CRC32C.blocks(of: found.bytes, chunk: id), buffer: found)
        }
        return nil
    }

    /// All of a chunk from one node.
    func whole(_ id: ChunkID, from node: NodeID) async -> ChunkBuffer? {
        let owner = anOwner(node)
        guard case .success(let lengths) = await owner.lengths(of: [id]),
            let length = lengths.first, (1...Limits.chunkBytes).contains(length),
            case .success(let buffer) = await owner.chunk(id, 0..<length)
        else { return nil }
        return buffer
    }

    private struct Reports: Sendable {
        var rows: [(node: NodeID, accepted: Ballot, value: RegisterValue?, horizon: Ballot)] = []
        var isWhole = false
    }

    /// What every owner says, all at one epoch.
    private func reports(_ key: RowKey, _ place: LayoutView.Place) async -> Reports {
        await withTaskGroup(of: (NodeID, ReadAnswer).self) { group in
            for node in place.quorum.members {
                group.addTask { await self.report(node, key, place.epoch) }
            }
            var reports = Reports()
            for await (node, answer) in group {
                if case .row(let accepted, let value, let horizon) = answer {
                    reports.rows.append((node, accepted, value, horizon))
                }
            }
            reports.isWhole = reports.rows.count == place.quorum.members.count
            reports.rows.sort { $0.node < $1.node }
            return reports
        }
    }

    private func report(
        _ node: NodeID, _ key: RowKey, _ epoch: Epoch
    ) async -> (NodeID, ReadAnswer) {
        (node, await anOwner(node).read(key, generation: nil, epoch: epoch))
    }

    /// How far the owners of a register are.
    struct Settled: Sendable {
        /// Every owner has the same.
        var isEqual = false
        /// What every owner has reached; nil where one did not say.
        var reached: Ballot?

        func hasReached(_ ballot: Ballot) -> Bool {
            isEqual || reached.map { $0 >= ballot } ?? false
        }
    }

    /// Anti-entropy for one register of a stable partition: where a quorum agrees, the owners below
    /// get it; where none does, or an owner is above it, or one refuses, it is written back.
    /// Nothing of that where every owner has reached `target` by itself: what was written after it
    /// is its writer's.
    func settle(
        _ key: RowKey, reaching target: Ballot? = nil
    ) async throws(ClusterError) -> Settled {
        let place = book.view[key]
        guard !place.isMigrating else { return Settled() }
        let reports = await reports(key, place)
        guard place.quorum.isMet(by: reports.rows.map(\.node)) else { throw .noQuorum }
        var settled = Settled()
        if reports.isWhole {
            settled.reached = reports.rows.map(\.accepted).min()
            if let target, settled.hasReached(target) { return settled }
        }
        // All have the same, and the target's accept may be on its way yet to one of them: what is
        // written now rejects it.
        if let target, let reached = settled.reached, reached < target,
            let row = reports.rows.first, row.value != nil,
            reports.rows.allSatisfy({ $0.accepted == reached })
        {
            try await writeBack(key)
            return settled
        }
        let agreed =
            omitted.contains(.installChosen)
            ? reports.rows.map(\.accepted).max()
            : place.quorum.agreed(reports.rows.map { ($0.node, $0.accepted) })
        guard let agreed, !reports.rows.contains(where: { $0.accepted > agreed }) else {
            try await writeBack(key)
            return settled
        }
        settled.isEqual = reports.isWhole
        guard let value = reports.rows.first(where: { $0.accepted == agreed })?.value else {
            return settled
        }
        for report in reports.rows where report.accepted < agreed {
            let request = AcceptRequest(
                key: key, ballot: agreed, value: value, bodies: [], generation: nil,
                milliseconds: clock.wallMilliseconds)
            switch await install(request, at: report.node, place) {
            case .installed, .isThere: break
            case .refused:
                if !value.isTombstone {
                    try await writeBack(key)
                    settled.isEqual = false
                    return settled
                }
            case .missing, .failed: settled.isEqual = false
            }
        }
        return settled
    }

    func install(
        _ request: AcceptRequest, at node: NodeID, _ place: LayoutView.Place
    ) async -> InstallAnswer {
        let answer = await anOwner(node).install(request, epoch: place.epoch)
        guard case .missing(let blobs) = answer else { return answer }
        switch await bring(blobs, for: request, to: node, place) {
        case .failure(.damaged): return answer
        case .failure(let failure): return .failed(failure)
        case .success(let whole): return await anOwner(node).install(whole, epoch: place.epoch)
        }
    }

    /// A read whose phase 2 is never left out: every owner that hears of it has the same row.
    func writeBack(_ key: RowKey) async throws(ClusterError) {
        try await change(Change(key: key, id: nil, isForced: true)) {
            (_) throws(ClusterError) -> Computed<Void> in .nothing(.success(()))
        }
    }

    enum Purge: Sendable {
        case purged
        /// No tombstone any more, or an owner is away: later, or never.
        case kept
    }

    /// register-protocol.md, Purging tombstones. `isDue` looks at the content.
    func purge(
        _ key: RowKey, isDue: (RowContent) -> Bool
    ) async throws(ClusterError) -> Purge {
        let place = book.view[key]
        guard !place.isMigrating || omitted.contains(.purgeStable) else { return .kept }
        let reports = await reports(key, place)
        guard reports.isWhole || omitted.contains(.purgeAll),
            let top = reports.rows.max(by: { $0.accepted < $1.accepted }),
            let value = top.value, value.isTombstone,
            isDue(try Self.content(value, of: key))
        else { return .kept }
        let isReady = reports.rows.allSatisfy {
            $0.accepted == top.accepted || ($0.value == nil && $0.horizon >= top.accepted)
        }
        guard isReady else {
            try await writeBack(key)
            return .kept
        }
        for report in reports.rows where report.value != nil {
            guard await anOwner(report.node).purge(key, top.accepted, epoch: place.epoch) == nil
            else { return .kept }
        }
        return .purged
    }
}
