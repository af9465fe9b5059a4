internal import Logging
internal import VortexCore
internal import VortexStore

/// Makes copies whole again. What is known to be missing is made as soon as its owner answers; what
/// nobody remembers is found by walks: over the rows of shared partitions (by digests first, so
/// that the work follows the difference), and over this node's chunks. A walk is due after a start,
/// after a peer's silence, after a change of owners, and every ten minutes; more often while this
/// node is a source.
extension ClusterNode {
    private static let roundMilliseconds: UInt64 = 1_000
    private static let walkMilliseconds: UInt64 = 600_000
    private static let batch = 256

    func repair() async {
        var walked: UInt64?
        var epoch = Epoch.zero
        var isDue = true
        var failures: UInt64 = 0
        var nextWalk: UInt64 = 0
        while !Task.isCancelled {
            await guarded("sync") { () async throws(ClusterError) in try await self.syncOnce() }
            await guarded("owed copies") { () async throws(ClusterError) in
                try await self.payOwed()
            }
            let time = clock.monotonicNanoseconds / 1_000_000
            if peers.takeReturned() || coordinator.owed.takeOverflow() || epoch != lastChange {
                isDue = true
                failures = 0
                nextWalk = 0
                progress.update { $0.isVerified = false }
            }
            if walked.map({ time >= $0 + pauseMilliseconds }) ?? true { isDue = true }
            if isDue, time >= nextWalk, !view.isAlone, !layout.isMigrating, !isResting {
                let seen = lastChange
                let isWhole = await walk(under: seen)
                if seen == lastChange { epoch = seen }
                if isWhole, seen == lastChange {
                    isDue = false
                    walked = time
                } else {
                    failures = min(failures + 1, 3)
                    nextWalk = clock.monotonicNanoseconds / 1_000_000 + (500 << failures)
                }
            }
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.roundMilliseconds)
            } catch { return }
        }
    }

    private var lastChange: Epoch { view.lastChange }

    /// Between two walks; a source that is not empty looks again when what it holds can have been
    /// collected.
    private var pauseMilliseconds: UInt64 {
        guard progress.now.keptPartitions > 0 else { return Self.walkMilliseconds }
        return min(Self.walkMilliseconds, options.collectDelayMilliseconds + 5_000)
    }

    /// This node's rows are not to be relied on, or it has none and keeps its chunks for the time
    /// when it owns them again: its walk would make nothing better.
    private var isResting: Bool {
        fence.isUp(view) || layout.member(node)?.state == .resyncing
    }

    /// Looks at everything; true where nothing is missing or in the wrong place afterwards.
    private func walk(under change: Epoch) async -> Bool {
        var isWhole = true
        do throws(ClusterError) {
            if progress.now.tidiedEpoch != change {
                try await dropFormerRows()
                progress.update { $0.tidiedEpoch = change }
            }
            repairLog.debug("comparing rows")
            let rows = try await compareRows()
            repairLog.debug("looking at chunks")
            let chunks = try await walkChunks()
            isWhole = rows && chunks
            repairLog.debug(
                "a walk has ended",
                metadata: [
                    "rows": "\(rows)", "chunks": "\(chunks)",
                    "owed": "\(coordinator.owed.counts)",
                ])
        } catch {
            repairLog.info("a walk was cut short", metadata: ["error": "\(error)"])
            isWhole = false
        }
        let owed = coordinator.owed.counts
        let verified = isWhole && owed.rows == 0 && owed.chunks == 0
        let now = now
        progress.update { state in
            state.isVerified = verified
            if verified {
                state.verifiedMilliseconds = now
                state.verifiedEpoch = change
            }
        }
        return verified
    }

    // MARK: Known

    private func payOwed() async throws(ClusterError) {
        let owed = coordinator.owed
        let rows = owed.takeRows(Self.batch)
        try await together(rows, most: 16) { (key) async throws(ClusterError) in
            await self.pay(key)
        }
        let chunks = owed.takeChunks(Self.batch)
        try await together(chunks, most: 4) { (entry) async throws(ClusterError) in
            await self.pay(entry)
        }
        let left = owed.missing
        progress.update { state in
            state.missingRows = UInt64(left.rows)
            state.missingChunks = UInt64(left.chunks)
        }
    }

    private func pay(_ key: RowKey) async {
        let isAway = view[key].quorum.members.contains { peers.isSuspect($0) || isFenced($0) }
        do throws(ClusterError) {
            if isAway {
                coordinator.owed.add(row: key, isKnown: true)
            } else if try await coordinator.settle(key) {
                progress.update { $0.repairedRows += 1 }
            } else {
                // Somebody else is writing it: behind for a moment, and not missing.
                repairLog.debug("a row is not settled", metadata: ["key": "\(key)"])
                coordinator.owed.add(row: key)
            }
        } catch { coordinator.owed.add(row: key, isKnown: true) }
    }

    private func isFenced(_ other: NodeID) -> Bool {
        other == node ? fence.isUp(view) : peers.health(of: other).isFenced
    }

    private func pay(_ entry: OwedCopies.Owed) async {
        // Another node has its places, or none: what that one lacks the walks find.
        guard let state = layout.member(entry.node)?.state, state != .replaced else { return }
        if peers.isSuspect(entry.node) {
            return coordinator.owed.add(entry.chunk, to: entry.node, isKnown: true)
        }
        do throws(ClusterError) {
            switch try await chunks.copy(entry.chunk, to: entry.node, naming: self) {
            case .copied, .gone: return
            // A copy of this node's that is owed was found damaged by who read it.
            case .lost where try await isMissed(entry.chunk) ?? (entry.node == node): break
            case .lost: return
            case .failed: break
            }
            repairLog.debug("a copy failed", metadata: ["chunk": "\(entry)"])
            coordinator.owed.add(entry.chunk, to: entry.node, isKnown: true)
        } catch { coordinator.owed.add(entry.chunk, to: entry.node, isKnown: true) }
    }

    // MARK: Rows

    /// Rows that were written under another `since`: this node has owned their partition before.
    private func dropFormerRows() async throws(ClusterError) {
        for partition in view.ring.partitions {
            var after: [UInt8]?
            repeat {
                do throws(StoreError) {
                    let page = try store.rows(
                        of: partition.value, after: after, limit: Self.batch)
                    for row in page.rows {
                        guard let stored = try store.row(row.key),
                            !coordinator.owner.isCurrent(stored)
                        else { continue }
                        _ = try await coordinator.owner.dropFormer(row.key)
                    }
                    after = page.next
                } catch { throw ClusterError(error) }
            } while after != nil
        }
    }

    private static let digestsAtOnce = 256
    /// A row that is being changed differs while it is looked at.
    private static let settleAttempts = 3

    /// True where every owner of every partition of this node has the same rows.
    private func compareRows() async throws(ClusterError) -> Bool {
        var isEqual = true
        let shared = view.ring.partitions.filter { view[$0].isOwner && !view[$0].isMigrating }
        for other in view.peers {
            let both = shared.filter { view[$0].quorum.owners.contains(other) }
            var start = 0
            while start < both.count {
                let some = Array(both[start..<min(start + Self.digestsAtOnce, both.count)])
                start += some.count
                if try await !compare(some, with: other) { isEqual = false }
            }
        }
        return isEqual
    }

    private func compare(
        _ partitions: [Partition], with other: NodeID
    ) async throws(ClusterError) -> Bool {
        repairLog.debug(
            "comparing", metadata: ["with": "\(other)", "from": "\(partitions.first?.value ?? 0)"])
        let asked = await peers.digests(other, of: partitions, epoch: view.epoch)
        repairLog.debug("compared")
        guard case .success(let theirs) = asked else { return false }
        var isEqual = true
        for (partition, sum) in zip(partitions, theirs) {
            guard case .success(let mine) = coordinator.owner.digest(of: partition) else {
                throw .stopped
            }
            if mine != sum, try await !settle(partition, with: other) { isEqual = false }
        }
        return isEqual
    }

    /// Settles each row of a partition that the two have differently.
    private func settle(
        _ partition: Partition, with other: NodeID
    ) async throws(ClusterError) -> Bool {
        var ballots: [RowKey: [Ballot]] = [:]
        for from in [node, other] {
            var after: [UInt8]?
            repeat {
                let asked =
                    from == node
                    ? coordinator.owner.page(of: partition, after: after, limit: 1_024)
                    : await peers.page(
                        from, of: partition, after: after, limit: 1_024, epoch: view.epoch)
                guard case .success(let page) = asked else { return false }
                for row in page.rows { ballots[row.key, default: []].append(row.accepted) }
                after = page.next
            } while after != nil
        }
        var isEqual = true
        for key in ballots.keys.sorted() {
            let found = ballots[key] ?? []
            if found.count == 2, found[0] == found[1] { continue }
            var isSettled = false
            for _ in 0..<Self.settleAttempts where !isSettled {
                isSettled = try await coordinator.settle(key)
            }
            if isSettled {
                progress.update { $0.repairedRows += 1 }
            } else {
                repairLog.debug("a row differs", metadata: ["key": "\(key)"])
                isEqual = false
            }
        }
        return isEqual
    }
}

let repairLog = Logger(label: "vortex.repair")
