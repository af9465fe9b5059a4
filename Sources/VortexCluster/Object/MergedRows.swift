internal import VortexCore
internal import VortexStore

/// The rows of a bucket in order, settled: what a majority of each row's owners has.
/// object-protocol.md, Listing.
extension ClusterNode {
    struct MergedPage: Sendable {
        var rows: [ListedRow] = []
        /// The first key that was not looked at; nil at the end.
        var next: [UInt8]?
    }

    /// One page. Nothing is given beyond the smallest last key among answers that were cut.
    func rows(_ question: ListQuestion) async throws(ClusterError) -> MergedPage {
        for attempt in 0..<8 {
            if attempt > 0 { await coordinator.backOff(attempt + 2) }
            let view = view
            let answers: [(node: NodeID, answer: ListAnswer)]
            switch await gather(question, view) {
            case .answers(let all): answers = all
            case .again: continue
            case .failed(let error): throw error
            }
            return try await merge(answers, question, view)
        }
        throw .noQuorum
    }

    private enum Gathered: Sendable {
        case answers([(node: NodeID, answer: ListAnswer)])
        case again
        case failed(ClusterError)
    }

    /// Answers of enough nodes for a majority in every partition.
    private func gather(_ question: ListQuestion, _ view: LayoutView) async -> Gathered {
        if view.isAlone {
            switch coordinator.owner.list(question) {
            case .success(let answer): return .answers([(node, answer)])
            case .failure(let failure): return .failed(failure.clusterError)
            }
        }
        let first = enough(peers.order(view.peers), view)
        return await withTaskGroup(of: (NodeID, Result<ListAnswer, OwnerFailure>).self) { group in
            for member in first {
                group.addTask { await self.list(member, question, view.epoch) }
            }
            var asked = first
            var answers: [(node: NodeID, answer: ListAnswer)] = []
            while let (member, answer) = await group.next() {
                switch answer {
                case .success(let answer): answers.append((member, answer))
                case .failure(.stale): return .again
                case .failure(.busy): return .failed(.staleBucket)
                case .failure(.damaged) where member == self.node: return .failed(.damaged)
                case .failure:
                    // Everybody else then.
                    for other in view.members where !asked.contains(other) {
                        asked.append(other)
                        group.addTask { await self.list(other, question, view.epoch) }
                    }
                }
                if Self.isEnough(answers.map(\.node), view) {
                    group.cancelAll()
                    return .answers(answers)
                }
            }
            return .failed(.noQuorum)
        }
    }

    private func list(
        _ member: NodeID, _ question: ListQuestion, _ epoch: Epoch
    ) async -> (NodeID, Result<ListAnswer, OwnerFailure>) {
        guard member == node else {
            return (member, await peers.list(member, question, epoch: epoch))
        }
        let answer = coordinator.owner.list(question)
        return (member, view.epoch == epoch ? answer : .failure(.stale))
    }

    private static func isEnough(_ nodes: [NodeID], _ view: LayoutView) -> Bool {
        if nodes.count == view.layout.members.count { return true }
        return view.quorums.allSatisfy { $0.isMet(by: nodes) }
    }

    /// This node and as many of the others, the healthiest first, as make a majority everywhere.
    private func enough(_ others: [NodeID], _ view: LayoutView) -> [NodeID] {
        var nodes = [node]
        for other in others where !Self.isEnough(nodes, view) { nodes.append(other) }
        return nodes
    }

    // MARK: Merging

    private func merge(
        _ answers: [(node: NodeID, answer: ListAnswer)], _ question: ListQuestion,
        _ view: LayoutView
    ) async throws(ClusterError) -> MergedPage {
        var page = MergedPage()
        // What lies behind the smallest last key of a cut answer is not complete.
        var end: [UInt8]?
        for (_, answer) in answers where answer.isCut {
            guard let last = answer.rows.last?.key else { continue }
            if end.map({ last.lexicographicallyPrecedes($0) }) ?? true { end = last }
        }
        if answers.count == 1 {
            page.rows = answers[0].answer.rows
            page.next = end.map { $0 + [0] }
            return page
        }
        var places = [Int](repeating: 0, count: answers.count)
        while true {
            var key: [UInt8]?
            for (index, answer) in answers.enumerated() {
                guard places[index] < answer.answer.rows.count else { continue }
                let candidate = answer.answer.rows[places[index]].key
                if key.map({ candidate.lexicographicallyPrecedes($0) }) ?? true { key = candidate }
            }
            guard let key else { break }
            if let end, end.lexicographicallyPrecedes(key) { break }
            var reports: [(node: NodeID, accepted: Ballot)] = []
            var found: ListedRow?
            var quorum: Quorum?
            for (index, answer) in answers.enumerated() {
                guard places[index] < answer.answer.rows.count,
                    answer.answer.rows[places[index]].key == key
                else { continue }
                let row = answer.answer.rows[places[index]]
                places[index] += 1
                quorum = quorum ?? view[Partition(row.partition)].quorum
                reports.append((answer.node, row.accepted))
                if row.accepted > found?.accepted ?? .none { found = row }
            }
            guard let quorum, let top = found else { continue }
            for (node, _) in answers
            where quorum.members.contains(node) && !reports.contains(where: { $0.node == node }) {
                reports.append((node, .none))
            }
            if quorum.agreed(reports) == top.accepted {
                page.rows.append(top)
                continue
            }
            let settled = try await settled(top, question)
            if let settled { page.rows.append(settled) }
            if !question.delimiter.isEmpty, try !Self.folds(settled, question) {
                // Others may have passed by what this row stood for: look again behind it.
                page.next = key + [0]
                return page
            }
        }
        page.next = end.map { $0 + [0] }
        return page
    }

    private static func folds(
        _ row: ListedRow?, _ question: ListQuestion
    ) throws(ClusterError) -> Bool {
        guard let row else { return false }
        do throws(CodingError) { return try row.folds(question) } catch { throw .damaged }
    }

    /// A row on which its owners differ: a read decides. nil: there is nothing.
    private func settled(
        _ row: ListedRow, _ question: ListQuestion
    ) async throws(ClusterError) -> ListedRow? {
        var settled = row
        let key = RowKey(bucket: question.bucket, key: row.key)
        let content = try await coordinator.read(key)
        if question.wantsValues {
            guard content != .nothing else { return nil }
            settled.value?.content = content.encoded
            settled.value?.isTombstone = content.isTombstone
            return settled
        }
        guard case .object(let object) = content, let visible = object.visible else {
            if case .object(let object) = content, !object.isTombstone {
                settled.glance = .hidden(isTombstone: false)
                return settled
            }
            return nil
        }
        settled.glance = .visible(
            ObjectSummary(
                size: visible.size, tag: visible.tag,
                modifiedMilliseconds: visible.modifiedMilliseconds))
        return settled
    }
}
