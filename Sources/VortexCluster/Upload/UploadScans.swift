internal import VortexCore
internal import VortexStore

/// Rows of uploads and parts, which no order of keys leads to: asked of their owners and settled
/// like a listing.
extension ClusterNode {
    /// An upload's own row and its parts', the tombstones among them.
    func rows(of id: UploadID) async throws(ClusterError) -> [FoundRow] {
        for attempt in 0..<8 {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let view = view
            let quorum = view[view.ring.partition(of: id)].quorum
            let asked = quorum.members
            let gathered = await gather(asked, until: [quorum]) {
                (member) async -> Result<[FoundRow], OwnerFailure> in
                await self.parts(of: id, at: member, view.epoch)
            }
            guard let reports = try gathered.get() else { continue }
            return try await settled(reports, view)
        }
        throw .noQuorum
    }

    /// Rows of uploads behind `after`, at most `limit`, in order of their ids.
    func uploadsEverywhere(
        after: UploadID?, limit: Int
    ) async throws(ClusterError) -> [FoundRow] {
        for attempt in 0..<8 {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let view = view
            let gathered = await gather(view.members, until: view.quorums) {
                (member) async -> Result<[FoundRow], OwnerFailure> in
                await self.uploads(after, limit, at: member, view.epoch)
            }
            guard let reports = try gathered.get() else { continue }
            // What lies behind the smallest last id of a full answer is not complete.
            let ends = reports.filter { $0.rows.count == limit }.compactMap {
                $0.rows.last.flatMap { Self.uploadID($0.key) }
            }
            let rows = try await settled(reports, view)
            guard let end = ends.min() else { return Array(rows.prefix(limit)) }
            return Array(
                rows.filter { (Self.uploadID($0.key) ?? .zero) <= end }.prefix(limit))
        }
        throw .noQuorum
    }

    private static func uploadID(_ key: RowKey) -> UploadID? {
        if case .upload(let id) = key.kind { id } else { nil }
    }

    private struct Report: Sendable {
        var node: NodeID
        var rows: [FoundRow]
    }

    private func parts(
        of id: UploadID, at member: NodeID, _ epoch: Epoch
    ) async -> Result<[FoundRow], OwnerFailure> {
        member == node
            ? coordinator.owner.parts(of: id) : await peers.parts(member, of: id, epoch: epoch)
    }

    private func uploads(
        _ after: UploadID?, _ limit: Int, at member: NodeID, _ epoch: Epoch
    ) async -> Result<[FoundRow], OwnerFailure> {
        member == node
            ? coordinator.owner.uploads(after: after, limit: limit)
            : await peers.uploads(member, after: after, limit: limit, epoch: epoch)
    }

    /// nil: the layout has changed.
    private func gather(
        _ members: [NodeID], until quorums: [Quorum],
        _ ask: @escaping @Sendable (NodeID) async -> Result<[FoundRow], OwnerFailure>
    ) async -> Result<[Report]?, ClusterError> {
        await withTaskGroup(of: (NodeID, Result<[FoundRow], OwnerFailure>).self) { group in
            for member in members { group.addTask { await Self.tagged(member, ask) } }
            var reports: [Report] = []
            for await (member, answer) in group {
                switch answer {
                case .success(let rows): reports.append(Report(node: member, rows: rows))
                case .failure(.stale): return .success(nil)
                case .failure: continue
                }
                let nodes = reports.map(\.node)
                if quorums.allSatisfy({ $0.isMet(by: nodes) }) {
                    group.cancelAll()
                    return .success(reports.sorted { $0.node < $1.node })
                }
            }
            return .failure(.noQuorum)
        }
    }

    private static func tagged(
        _ member: NodeID,
        _ ask: @Sendable (NodeID) async -> Result<[FoundRow], OwnerFailure>
    ) async -> (NodeID, Result<[FoundRow], OwnerFailure>) {
        (member, await ask(member))
    }

    /// One row for each key: what a majority has, else what a read decides.
    private func settled(
        _ reports: [Report], _ view: LayoutView
    ) async throws(ClusterError) -> [FoundRow] {
        guard reports.count > 1 else { return reports.first?.rows ?? [] }
        var ballots: [RowKey: [(node: NodeID, accepted: Ballot)]] = [:]
        var best: [RowKey: FoundRow] = [:]
        for report in reports {
            for row in report.rows {
                ballots[row.key, default: []].append((report.node, row.accepted))
                if row.accepted > best[row.key]?.accepted ?? .none { best[row.key] = row }
            }
        }
        var rows: [FoundRow] = []
        for key in ballots.keys.sorted(by: Self.isBefore) {
            guard var row = best[key], var found = ballots[key] else { continue }
            let quorum = view[key].quorum
            for report in reports
            where quorum.members.contains(report.node)
                && !found.contains(where: { $0.node == report.node })
            { found.append((report.node, .none)) }
            if quorum.agreed(found) != row.accepted {
                let content = try await coordinator.read(key)
                row.value.content = content.encoded
                row.value.isTombstone = content.isTombstone
            }
            rows.append(row)
        }
        return rows
    }

    /// By upload, the upload's own row first, then its parts by number.
    private static func isBefore(_ left: RowKey, _ right: RowKey) -> Bool {
        func order(_ key: RowKey) -> (UploadID, UInt64) {
            switch key.kind {
            case .upload(let id): (id, 0)
            case .part(let id, let number): (id, UInt64(number) + 1)
            case .object, .page: (.zero, 0)
            }
        }
        return order(left) < order(right)
    }
}
