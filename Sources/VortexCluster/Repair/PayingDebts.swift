internal import Logging
internal import VortexCore

/// Makes what is known to be missing as soon as its owner answers, beside the walks: a walk over
/// everything takes long, and what clients' writes owe meanwhile must not wait for its end.
extension ClusterNode {
    private static let pauseMilliseconds: UInt64 = 300
    /// What cannot be paid now is tried again less often: its bytes travel each time.
    private static let pauseMillisecondsMax: UInt64 = 4_800
    private static let batch = 256

    func payDebts() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.payRows() }
            group.addTask { await self.payChunks() }
        }
    }

    private func payRows() async {
        let owed = coordinator.owed
        while !Task.isCancelled {
            var before: Int
            repeat {
                before = owed.counts.rows
                let rows = owed.takeRows(Self.batch)
                await guarded("owed rows") { () async throws(ClusterError) in
                    try await self.together(rows, most: 16) { (row) async throws(ClusterError) in
                        await self.pay(row.key, row.debt)
                    }
                }
            } while owed.counts.rows > 0 && owed.counts.rows < before && !Task.isCancelled
            if await !rest(Self.pauseMilliseconds) { return }
        }
    }

    private func payChunks() async {
        let owed = coordinator.owed
        var pause = Self.pauseMilliseconds
        while !Task.isCancelled {
            let before = owed.counts.chunks
            let chunks = owed.takeChunks(Self.batch)
            await guarded("owed chunks") { () async throws(ClusterError) in
                try await self.together(chunks, most: 4) { (chunk) async throws(ClusterError) in
                    await self.pay(chunk)
                }
            }
            let after = owed.counts.chunks
            if after > 0, after < before {
                pause = Self.pauseMilliseconds
                continue
            }
            pause = after > 0 ? min(2 * pause, Self.pauseMillisecondsMax) : Self.pauseMilliseconds
            if await !rest(pause) { return }
        }
    }

    private func rest(_ milliseconds: UInt64) async -> Bool {
        do throws(CancellationError) {
            try await clock.sleep(milliseconds: milliseconds)
        } catch { return false }
        return true
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
