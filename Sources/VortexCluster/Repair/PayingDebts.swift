internal import Logging
internal import VortexCore

/// Makes what is known to be missing as soon as its owner answers, beside the walks: a walk over
/// everything takes long, and what clients' writes owe meanwhile must not wait for its end.
extension ClusterNode {
    private static let pauseMilliseconds: UInt64 = 300
    private static let batch = 256

    func payDebts() async {
        while !Task.isCancelled {
            var isMore = true
            while isMore, !Task.isCancelled { isMore = await payOnce() }
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.pauseMilliseconds)
            } catch { return }
        }
    }

    /// The oldest debts; true where more wait, and some of these could be paid.
    private func payOnce() async -> Bool {
        let owed = coordinator.owed
        let before = owed.counts
        let rows = owed.takeRows(Self.batch)
        let chunks = owed.takeChunks(Self.batch)
        await guarded("owed rows") { () async throws(ClusterError) in
            try await self.together(rows, most: 16) { (row) async throws(ClusterError) in
                await self.pay(row.key, row.debt)
            }
        }
        await guarded("owed chunks") { () async throws(ClusterError) in
            try await self.together(chunks, most: 4) { (chunk) async throws(ClusterError) in
                await self.pay(chunk)
            }
        }
        let after = owed.counts
        return after.rows + after.chunks > 0
            && (after.rows < before.rows || after.chunks < before.chunks)
    }

    private func pay(_ key: RowKey, _ debt: OwedCopies.Debt) async {
        let owed = coordinator.owed
        let isAway = view[key].quorum.members.contains { peers.isSuspect($0) || isFenced($0) }
        guard !isAway else { return owed.keep(row: key, isKnown: true) }
        do throws(ClusterError) {
            let settled = try await coordinator.settle(key, reaching: debt.last.ballot)
            if settled.isEqual {
                progress.update { $0.repairedRows += 1 }
                owed.settle(row: key, reached: debt.last.ballot)
            } else if let reached = settled.reached, reached >= debt.first.ballot {
                owed.settle(row: key, reached: reached)
            } else {
                // An owner does not take it, or somebody else is writing it.
                repairLog.debug("a row is not settled", metadata: ["key": "\(key)"])
                owed.keep(row: key, isKnown: settled.reached == nil)
            }
        } catch { owed.keep(row: key, isKnown: true) }
    }

    private func isFenced(_ other: NodeID) -> Bool {
        other == node ? fence.isUp(view) : peers.health(of: other).isFenced
    }

    private func pay(_ entry: OwedCopies.OwedChunk) async {
        let owed = coordinator.owed
        // Another node has its places, or none: what that one lacks the walks find.
        guard let state = layout.member(entry.node)?.state, state != .replaced else {
            return owed.settle(entry)
        }
        guard !peers.isSuspect(entry.node) else { return owed.keep(entry) }
        do throws(ClusterError) {
            switch try await chunks.copy(entry.chunk, to: entry.node, naming: self) {
            case .copied, .gone: return owed.settle(entry)
            // A copy of this node's that is owed was found damaged by who read it.
            case .lost where try await isMissed(entry.chunk) ?? (entry.node == node): break
            case .lost: return owed.settle(entry)
            case .failed: break
            }
            repairLog.debug("a copy failed", metadata: ["chunk": "\(entry)"])
            owed.keep(entry)
        } catch { owed.keep(entry) }
    }
}
