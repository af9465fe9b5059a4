internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// What a node does by itself: every few seconds it collects bodies that no row names and tidies
/// uploads that are over or idle; at the start and every hour it sweeps all objects for open
/// uploads that nobody feeds, and for tombstones. Everything it must know it finds again after a
/// restart.
extension ClusterNode {
    private static let roundMilliseconds: UInt64 = 5_000
    private static let sweepMilliseconds: UInt64 = 3_600_000

    /// Heartbeats, repair, expiry of uploads, collecting, purging. Ends when its task is cancelled.
    public func run() async {
        guard peers.transport != nil else { return await upkeep() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.beat() }
            group.addTask { await self.repair() }
            group.addTask { await self.upkeep() }
        }
    }

    private func upkeep() async {
        var swept: UInt64 = 0
        var hasFinished = false
        while !Task.isCancelled {
            await guarded("closing buckets") { () async throws(ClusterError) in
                guard !hasFinished else { return }
                try await self.finishClosingBuckets()
                hasFinished = true
            }
            await collectOnce()
            await guarded("uploads") { () async throws(ClusterError) in
                try await self.tidyUploads()
            }
            await guarded("tombstones") { () async throws(ClusterError) in
                try await self.purgeTombstones()
            }
            let time = clock.monotonicNanoseconds / 1_000_000
            if swept == 0 || time >= swept + Self.sweepMilliseconds {
                await guarded("sweep") { () async throws(ClusterError) in try await self.sweep() }
                swept = max(1, time)
            }
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.roundMilliseconds)
            } catch { return }
        }
    }

    /// A round that fails is logged and comes again: nothing of it is owed to a client.
    func guarded(
        _ what: Logger.Message, _ body: () async throws(ClusterError) -> Void
    ) async {
        do throws(ClusterError) { try await body() } catch {
            upkeepLog.warning(what, metadata: ["error": "\(error)"])
        }
    }

    /// So many rounds of upkeep share an fsync.
    static let togetherMax = 32

    /// Runs `body` for each, some at a time; the first failure ends it.
    func together<Item: Sendable>(
        _ items: [Item], most: Int = togetherMax,
        _ body: @escaping @Sendable (Item) async throws(ClusterError) -> Void
    ) async throws(ClusterError) {
        let failure = await withTaskGroup(of: ClusterError?.self) { group -> ClusterError? in
            var failure: ClusterError?
            for (index, item) in items.enumerated() where failure == nil {
                if index >= most, let done = await group.next() { failure = done }
                group.addTask { await Self.failure(of: item, body) }
            }
            for await done in group { failure = failure ?? done }
            return failure
        }
        if let failure { throw failure }
    }

    /// A function of its own: swiftc 6.3.1 miscompiles a typed catch with an early return in a
    /// closure that is given to a task group (-O).
    private static func failure<Item: Sendable>(
        of item: Item, _ body: @Sendable (Item) async throws(ClusterError) -> Void
    ) async -> ClusterError? {
        do throws(ClusterError) { try await body(item) } catch { return error }
        return nil
    }

    // MARK: Collecting

    private static let collectBatch = 256

    /// Removes bodies that no row names any more, once a GET in flight can have ended; at once
    /// where the disk is nearly full.
    func collectOnce() async {
        await guarded("collecting") { () async throws(ClusterError) in
            let delay = self.store.usage.isFull ? 0 : self.options.collectDelayMilliseconds
            let now = self.now
            guard now > delay else { return }
            var after: UnnamedBlob?
            while !Task.isCancelled {
                let candidates = try self.unnamed(before: now - delay, after: after)
                after = candidates.last
                try await self.together(candidates) { (candidate) async throws(ClusterError) in
                    try await self.collect(candidate)
                }
                if candidates.count < Self.collectBatch { return }
            }
        }
    }

    private func unnamed(
        before moment: UInt64, after: UnnamedBlob?
    ) throws(ClusterError) -> [UnnamedBlob] {
        do throws(StoreError) {
            return try store.unnamed(before: moment, after: after, limit: Self.collectBatch)
        } catch { throw ClusterError(error) }
    }

    /// One owner of the row does it for all; the others come in where it has not for a while.
    private func isDue(_ candidate: UnnamedBlob, _ now: UInt64) -> Bool {
        let owners = view[candidate.owner].quorum.owners
        guard let place = owners.firstIndex(of: node), place > 0 else { return true }
        let patience = UInt64(place) * Self.patienceMilliseconds
        return now > candidate.sinceMilliseconds + options.collectDelayMilliseconds + patience
            || owners[..<place].allSatisfy { peers.isSuspect($0) }
    }

    private static let patienceMilliseconds: UInt64 = 60_000

    private func collect(_ candidate: UnnamedBlob) async throws(ClusterError) {
        guard isDue(candidate, now) else { return }
        if view.isAlone {
            var isNamed = false
            for key in candidate.rowsToAsk where !isNamed {
                isNamed = try await names(key, candidate.blob)
            }
            return try await settle(candidate, isNamed: isNamed)
        }
        if let away = owedDeletes.nodes(of: candidate.blob) {
            guard !away.contains(where: { peers.isSuspect($0) }),
                await delete(candidate.blob, at: away).isEmpty
            else { return }
        } else {
            guard try await collectEverywhere(candidate) else { return }
        }
        owedDeletes.forget(candidate.blob)
        try await settle(candidate, isNamed: false)
    }

    private func settle(
        _ candidate: UnnamedBlob, isNamed: Bool
    ) async throws(ClusterError) {
        do throws(StoreError) {
            if isNamed {
                try await store.keep(candidate)
            } else {
                try await store.collect(candidate, milliseconds: now)
                progress.update { $0.collectedBlobs += 1 }
            }
        } catch { throw ClusterError(error) }
    }

    /// A change behind all others of the row, so that none that names the blob can be under way.
    /// With one owner what phase 1 finds is chosen, and there is nothing to write; with several
    /// something must be written above whatever was sent and not chosen.
    private func names(_ key: RowKey, _ blob: BlobID) async throws(ClusterError) -> Bool {
        if omitted.contains(.collectRow) { return try ownCopy(of: key).names(blob) }
        if omitted.contains(.collectWrites) { return try await coordinator.read(key).names(blob) }
        let isAlone = view.isAlone
        let change = Coordinator.Change(key: key, id: newChange(), isForced: !isAlone)
        return try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<Bool> in
            found == .nothing && !isAlone
                ? .write(.nothing, bodies: [], false) : .nothing(.success(found.names(blob)))
        }
    }

    private func ownCopy(of key: RowKey) throws(ClusterError) -> RowContent {
        let row: StoredRow?
        do throws(StoreError) { row = try coordinator.owner.stored(key) } catch {
            throw ClusterError(error)
        }
        return try Coordinator.content(row?.value, of: key)
    }

    /// Asks the rows that can name the blob, in the order in which a name moves (part, upload,
    /// object), and where none does, deletes it on every node. True where it is deleted everywhere.
    func collectEverywhere(_ candidate: UnnamedBlob) async throws(ClusterError) -> Bool {
        let rows = candidate.rowsToAsk
        let ordered = omitted.contains(.collectOrder) ? rows.reversed() : rows
        for key in ordered where try await names(key, candidate.blob) {
            try await settle(candidate, isNamed: true)
            return false
        }
        for key in candidate.rowsToAsk where key.kind != .object { try await purge(key) }
        // What is owed to nodes that are away stays a candidate.
        let away = await delete(candidate.blob, at: view.members)
        if !away.isEmpty { owedDeletes.note(candidate.blob, away) }
        return away.isEmpty
    }

    /// A node that has been replaced has no copies any more.
    private func isListed(_ node: NodeID) -> Bool {
        layout.member(node).map { $0.state != .replaced } ?? false
    }

    /// Those that did not answer.
    private func delete(_ blob: BlobID, at nodes: [NodeID]) async -> [NodeID] {
        var away: [NodeID] = []
        let now = now
        for node in nodes where isListed(node) {
            if await coordinator.anOwner(node).collect(blob, milliseconds: now) != nil {
                away.append(node)
            }
        }
        return away
    }
}

private let upkeepLog = Logger(label: "vortex.upkeep")

extension UnnamedBlob {
    var rowsToAsk: [RowKey] {
        let object = RowKey(bucket: owner.bucket, key: owner.key)
        switch owner.kind {
        case .object, .page: return [object]
        case .upload: return [owner, object]
        case .part(let upload, _):
            let uploadRow = RowKey(
                bucket: owner.bucket, key: owner.key, kind: .upload(upload))
            return [owner, uploadRow, object]
        }
    }
}
