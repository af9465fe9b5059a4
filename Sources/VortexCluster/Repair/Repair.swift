internal import Logging
internal import VortexCore
internal import VortexStore

/// Makes copies whole again. What is known to be missing is owed, and paid by `payDebts`; what
/// nobody remembers is found by walks: over the rows of shared partitions (by digests first, so
/// that the work follows the difference), and over this node's chunks. A walk is due after a start,
/// after a peer's silence, after a change of owners, and every ten minutes; more often while this
/// node is a source.
///
/// A walk under load meets rows that are being written. It neither waits for them nor begins again:
/// how far they must come is owed like everything else, and the node says `verified` once all that
/// was owed when the walk ended is paid.
extension ClusterNode {
    private static let roundMilliseconds: UInt64 = 1_000
    private static let walkMilliseconds: UInt64 = 600_000
    private static let pageRows = 256

    func repair() async {
        var walked: UInt64?
        var epoch = Epoch.zero
        var isDue = true
        var failures: UInt64 = 0
        var nextWalk: UInt64 = 0
        /// Of a walk that found everything, but for what was owed when it ended.
        var ended: (nanoseconds: UInt64, change: Epoch)?
        while !Task.isCancelled {
            await guarded("sync") { () async throws(ClusterError) in try await self.syncOnce() }
            let time = clock.monotonicNanoseconds / 1_000_000
            // Trouble goes first: it may be of the time of the walk.
            if peers.takeReturned() || coordinator.owed.takeOverflow() || epoch != lastChange {
                isDue = true
                failures = 0
                nextWalk = 0
                ended = nil
                progress.update { $0.isVerified = false }
            }
            if let walk = ended, !coordinator.owed.isOwing(before: walk.nanoseconds) {
                verify(walk.change)
                ended = nil
            }
            if walked.map({ time >= $0 + pauseMilliseconds }) ?? true { isDue = true }
            if isDue, time >= nextWalk, !view.isAlone, !layout.isMigrating, !isResting {
                let seen = lastChange
                let isWhole = await walk(under: seen)
                if seen == lastChange { epoch = seen }
                if isWhole, seen == lastChange {
                    isDue = false
                    walked = time
                    ended = (clock.monotonicNanoseconds, seen)
                } else {
                    ended = nil
                    progress.update { $0.isVerified = false }
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

    /// Looks at everything; true where afterwards nothing is missing or in the wrong place, but for
    /// what is owed.
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
        return isWhole
    }

    private func verify(_ change: Epoch) {
        let now = now
        progress.update { state in
            state.isVerified = true
            state.verifiedMilliseconds = now
            state.verifiedEpoch = change
        }
    }

    // MARK: Rows

    /// Rows that were written under another `since`: this node has owned their partition before.
    private func dropFormerRows() async throws(ClusterError) {
        for partition in view.ring.partitions {
            var after: [UInt8]?
            repeat {
                do throws(StoreError) {
                    let page = try store.rows(
                        of: partition.value, after: after, limit: Self.pageRows)
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

    /// True where every owner of every partition of this node has the same rows, but for what is
    /// owed.
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

    /// Settles each row of a partition that the two have differently: what one of them has now, the
    /// others have to reach.
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
        for key in ballots.keys.sorted() {
            let found = ballots[key] ?? []
            guard let target = found.max(), found.count == 1 || found[0] != found[1] else {
                continue
            }
            do throws(ClusterError) {
                let settled = try await coordinator.settle(key, reaching: target)
                if settled.isEqual { progress.update { $0.repairedRows += 1 } }
                if settled.hasReached(target) { continue }
            } catch .noQuorum {
                // Clients fight over it.
            } catch .busy {}
            coordinator.owed.add(row: key, reaching: target)
        }
        return true
    }
}

let repairLog = Logger(label: "vortex.repair")
