internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// A new layout's owners bring themselves up to date before the old ones let go:
/// register-protocol.md, Owner changes, step 2. All answers are given at the joint epoch, so that
/// nothing older can be chosen any more.
///
///     for each migrating partition that this node owns, from a majority of `previous`:
///       the buckets' generations and the highest horizon are taken over
///       each register that they or this node have:
///         they agree on a ballot, ours is below      install it, with its body
///         they agree, ours is the same               nothing
///         they differ, ours is above, or refused     a read with write-back
extension ClusterNode {
    private static let pageRows = 512
    private static let partitionsTogether = 8

    /// Syncs whatever migrates; returns when there is nothing left that this node has not reported.
    func syncOnce() async throws(ClusterError) {
        let view = view
        guard !fence.isUp(view) else { return }
        let mine = view.layout.migrating.filter { view[$0].isOwner }
        guard let joint = mine.map({ view[$0].epoch }).max(),
            answers.synced.withLock({ $0 }) != joint
        else { return }
        try await takeGenerations(view)
        try await together(mine, most: Self.partitionsTogether) {
            (partition) async throws(ClusterError) in
            try await self.sync(partition, at: joint)
        }
        // Reported for this very epoch, or not at all.
        guard mine.allSatisfy({ self.view[$0].epoch == joint }) else { return }
        answers.synced.withLock { $0 = joint }
        syncLog.info("synced", metadata: ["epoch": "\(joint.number)"])
    }

    /// From every former owner that answers; a majority of each partition's must.
    private func takeGenerations(_ view: LayoutView) async throws(ClusterError) {
        let former = Set(view.layout.migrating.flatMap { view[$0].quorum.previous }).sorted()
        var told: [NodeID] = former.contains(node) ? [node] : []
        for other in former where other != node {
            guard
                case .success(let entries) = await peers.generations(other, epoch: view.epoch)
            else { continue }
            do throws(StoreError) {
                for entry in entries {
                    try await coordinator.owner.generations.push(
                        entry.bucket, generation: entry.generation)
                }
            } catch { throw ClusterError(error) }
            told.append(other)
        }
        for partition in view.layout.migrating where view[partition].isOwner {
            guard Quorum.isMajority(told, of: view[partition].quorum.previous) else {
                throw .noQuorum
            }
        }
    }

    private struct Heard {
        var ballots: [RowKey: [(node: NodeID, accepted: Ballot)]] = [:]
        var nodes: [NodeID] = []
        var horizon = Ballot.none
    }

    private func sync(_ partition: Partition, at joint: Epoch) async throws(ClusterError) {
        let place = view[partition]
        guard place.epoch == joint else { return }
        var heard = Heard()
        for other in place.quorum.previous {
            guard let pages = try await pages(of: partition, at: other, joint) else { continue }
            heard.nodes.append(other)
            for page in pages {
                heard.horizon = max(heard.horizon, page.horizon)
                for row in page.rows {
                    heard.ballots[row.key, default: []].append((other, row.accepted))
                }
            }
        }
        guard
            Quorum.isMajority(heard.nodes, of: place.quorum.previous)
                || omitted.contains(.syncMajority)
        else { throw .noQuorum }
        for page in try await pages(of: partition, at: node, joint) ?? [] {
            for row in page.rows where heard.ballots[row.key] == nil {
                heard.ballots[row.key] = []
            }
        }
        let known = heard
        try await together(heard.ballots.keys.sorted(), most: 16) {
            (key) async throws(ClusterError) in
            try await self.sync(key, known.ballots[key] ?? [], from: known.nodes, joint)
        }
        if omitted.contains(.syncHorizon) { return }
        do throws(StoreError) {
            try await coordinator.owner.takeHorizon(heard.horizon, of: partition)
        } catch { throw ClusterError(error) }
    }

    /// All pages of one owner at the joint epoch; nil where it does not answer.
    private func pages(
        of partition: Partition, at other: NodeID, _ joint: Epoch
    ) async throws(ClusterError) -> [LocalOwner.PartitionPage]? {
        var pages: [LocalOwner.PartitionPage] = []
        var after: [UInt8]?
        repeat {
            let asked =
                other == node
                ? await coordinator.owner.settledPage(
                    of: partition, after: after, limit: Self.pageRows)
                : await peers.page(
                    other, of: partition, after: after, limit: Self.pageRows, epoch: view.epoch)
            guard view[partition].epoch == joint else { throw .noQuorum }
            switch asked {
            case .success(let page):
                pages.append(page)
                after = page.next
            // Half a partition is none: the round comes again, under the layout that there is then.
            case .failure(.stale): throw .noQuorum
            case .failure: return nil
            }
        } while after != nil
        return pages
    }

    private func sync(
        _ key: RowKey, _ reports: [(node: NodeID, accepted: Ballot)], from nodes: [NodeID],
        _ joint: Epoch
    ) async throws(ClusterError) {
        let place = view[key]
        guard place.epoch == joint else { throw .noQuorum }
        let mine: Ballot
        switch coordinator.owner.readNow(key, epoch: joint) {
        case .row(let accepted, _, _): mine = accepted
        case .staleGeneration, .failed: throw .noQuorum
        }
        // Who did not list it has nothing.
        let all = nodes.map { node in
            (node: node, accepted: reports.first { $0.node == node }?.accepted ?? .none)
        }
        var agreed = all.first { report in
            Quorum.isMajority(
                all.filter { $0.accepted == report.accepted }.map(\.node),
                of: place.quorum.previous)
        }?.accepted
        if omitted.contains(.syncSettle) || omitted.contains(.syncMajority) {
            agreed = all.map(\.accepted).max()
        }
        guard let agreed, mine <= agreed || omitted.contains(.syncOwn) else {
            return try await coordinator.writeBack(key)
        }
        if mine >= agreed { return }
        guard let holder = all.first(where: { $0.accepted == agreed })?.node,
            case .row(agreed, let value?, _) = await coordinator.anOwner(holder).read(
                key, generation: nil, epoch: joint)
        else { return try await coordinator.writeBack(key) }
        let request = AcceptRequest(
            key: key, ballot: agreed, value: value, bodies: [], generation: nil,
            milliseconds: now)
        switch await coordinator.install(request, at: node, place) {
        case .installed, .isThere: return
        case .refused where omitted.contains(.syncRefused): return
        case .refused, .missing: try await coordinator.writeBack(key)
        case .failed(let failure): throw failure.clusterError
        }
    }
}

private let syncLog = Logger(label: "vortex.sync")
