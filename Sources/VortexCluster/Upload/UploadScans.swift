internal import VortexCore
internal import VortexStore

/// Rows of uploads and parts, which no order of keys leads to: asked of their owners and settled
/// like a listing.
extension ClusterNode {
    private static let rowsPerPage = 1_000

    /// An upload's own row and its parts', the tombstones among them.
    func rows(of id: UploadID) async throws(ClusterError) -> [FoundRow] {
        var rows: [FoundRow] = []
        var after: UInt32? = 0
        while let start = after {
            let page = try await page(of: id, after: start, limit: Self.rowsPerPage)
            rows += page.rows
            after = page.end.flatMap(Self.partNumber)
        }
        return rows
    }

    /// A page of the rows of an upload's parts behind `after`; behind 0, its own row before them.
    func page(
        of id: UploadID, after: UInt32, limit: Int
    ) async throws(ClusterError) -> FoundPage {
        for attempt in 0..<8 {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let view = view
            let quorum = view[view.ring.partition(of: id)].quorum
            let asked = quorum.members
            let gathered = await gather(asked, until: [quorum]) {
                (member) async -> Result<FoundPage, OwnerFailure> in
                await self.parts(of: id, after, limit, at: member, view.epoch)
            }
            guard let reports = try gathered.get() else { continue }
            return try await settled(reports, view)
        }
        throw .noQuorum
    }

    /// A page of the rows of uploads behind `after`, in order of their ids.
    func uploadsEverywhere(
        after: UploadID?, limit: Int
    ) async throws(ClusterError) -> FoundPage {
        for attempt in 0..<8 {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let view = view
            let gathered = await gather(view.members, until: view.quorums) {
                (member) async -> Result<FoundPage, OwnerFailure> in
                await self.uploads(after, limit, at: member, view.epoch)
            }
            guard let reports = try gathered.get() else { continue }
            return try await settled(reports, view)
        }
        throw .noQuorum
    }

    private static func partNumber(_ key: RowKey) -> UInt32? {
        if case .part(_, let number) = key.kind { number } else { nil }
    }

    private struct Report: Sendable {
        var node: NodeID
        var page: FoundPage
    }

    private func parts(
        of id: UploadID, _ after: UInt32, _ limit: Int, at member: NodeID, _ epoch: Epoch
    ) async -> Result<FoundPage, OwnerFailure> {
        member == node
            ? coordinator.owner.parts(of: id, after: after, limit: limit)
            : await peers.parts(member, of: id, after: after, limit: limit, epoch: epoch)
    }

    private func uploads(
        _ after: UploadID?, _ limit: Int, at member: NodeID, _ epoch: Epoch
    ) async -> Result<FoundPage, OwnerFailure> {
        member == node
            ? coordinator.owner.uploads(after: after, limit: limit)
            : await peers.uploads(member, after: after, limit: limit, epoch: epoch)
    }

    /// nil: the layout has changed.
    private func gather(
        _ members: [NodeID], until quorums: [Quorum],
        _ ask: @escaping @Sendable (NodeID) async -> Result<FoundPage, OwnerFailure>
    ) async -> Result<[Report]?, ClusterError> {
        await withTaskGroup(of: (NodeID, Result<FoundPage, OwnerFailure>).self) { group in
            for member in members { group.addTask { await Self.tagged(member, ask) } }
            var reports: [Report] = []
            for await (member, answer) in group {
                switch answer {
                case .success(let page): reports.append(Report(node: member, page: page))
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
        _ ask: @Sendable (NodeID) async -> Result<FoundPage, OwnerFailure>
    ) async -> (NodeID, Result<FoundPage, OwnerFailure>) {
        (member, await ask(member))
    }

    /// One row for each key: what a majority has, else what a read decides. What lies behind the
    /// smallest end of an answer that was cut is not complete.
    private func settled(
        _ reports: [Report], _ view: LayoutView
    ) async throws(ClusterError) -> FoundPage {
        guard reports.count > 1 else { return reports.first?.page ?? FoundPage() }
        let end = reports.compactMap(\.page.end).min(by: Self.isBefore)
        func isIn(_ row: FoundRow) -> Bool { end.map { !Self.isBefore($0, row.key) } ?? true }
        var ballots: [RowKey: [(node: NodeID, accepted: Ballot)]] = [:]
        var best: [RowKey: FoundRow] = [:]
        for report in reports {
            for row in report.page.rows where isIn(row) {
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
        return FoundPage(rows: rows, end: end)
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
