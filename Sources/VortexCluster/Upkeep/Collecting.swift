internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Bodies that no row names any more. Those of one object are asked about together: an object of
/// 10,000 parts has a row of hundreds of kilobytes, and it is written once for all of them.
extension ClusterNode {
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
                let due = candidates.filter { self.isDue($0, now) }
                try await self.together(Self.byObject(due)) { (group) async throws(ClusterError) in
                    try await self.collect(group)
                }
                if candidates.count < Self.collectBatch { return }
            }
        }
    }

    /// In the order in which each object comes first.
    private static func byObject(_ candidates: [UnnamedBlob]) -> [[UnnamedBlob]] {
        var groups: [[UnnamedBlob]] = []
        var places: [RowKey: Int] = [:]
        for candidate in candidates {
            if let place = places[candidate.object] {
                groups[place].append(candidate)
            } else {
                places[candidate.object] = groups.count
                groups.append([candidate])
            }
        }
        return groups
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

    /// Candidates of one object.
    private func collect(_ group: [UnnamedBlob]) async throws(ClusterError) {
        var asked: [UnnamedBlob] = []
        for candidate in group {
            guard let away = owedDeletes.nodes(of: candidate.blob) else {
                asked.append(candidate)
                continue
            }
            guard !away.contains(where: { peers.isSuspect($0) }),
                await delete(candidate.blob, at: away).isEmpty
            else { continue }
            owedDeletes.forget(candidate.blob)
            try await settle(candidate, isNamed: false)
        }
        let named = try await names(of: asked)
        for candidate in asked {
            let isNamed = named.contains(candidate.blob)
            if isNamed || view.isAlone {
                try await settle(candidate, isNamed: isNamed)
            } else if await deleteEverywhere(candidate.blob) {
                owedDeletes.forget(candidate.blob)
                try await settle(candidate, isNamed: false)
            }
        }
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

    // MARK: Asking

    /// Which of some blobs of one object a row names. The rows are asked in the order in which a
    /// name moves: all parts, all uploads, the object.
    private func names(of candidates: [UnnamedBlob]) async throws(ClusterError) -> Set<BlobID> {
        var rows: [[RowKey]] = []
        for candidate in candidates {
            // The object is the last for each.
            for (place, key) in candidate.rowsToAsk.reversed().enumerated() {
                if place == rows.count { rows.append([]) }
                if rows[place].last != key, !rows[place].contains(key) { rows[place].append(key) }
            }
        }
        let named = Mutex<Set<BlobID>>([])
        let ordered = omitted.contains(.collectOrder) ? rows : rows.reversed()
        for keys in ordered {
            let found = named.withLock { $0 }
            if candidates.allSatisfy({ found.contains($0.blob) }) { break }
            try await together(keys) { (key) async throws(ClusterError) in
                let blobs = try await self.names(in: key)
                named.withLock { $0.formUnion(blobs) }
            }
        }
        // Where nothing was, asking has written that.
        for key in Set(rows.dropFirst().flatMap { $0 }).sorted() { try await purge(key) }
        return named.withLock { $0 }
    }

    /// A change behind all others of the row, so that none that names a blob can be under way.
    /// With one owner what phase 1 finds is chosen, and there is nothing to write; with several
    /// something must be written above whatever was sent and not chosen.
    private func names(in key: RowKey) async throws(ClusterError) -> [BlobID] {
        if omitted.contains(.collectRow) { return try ownCopy(of: key).blobs }
        if omitted.contains(.collectWrites) { return try await coordinator.read(key).blobs }
        let isAlone = view.isAlone
        let change = Coordinator.Change(key: key, id: newChange(), isForced: !isAlone)
        return try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<[BlobID]> in
            found == .nothing && !isAlone
                ? .write(.nothing, bodies: [], []) : .nothing(.success(found.blobs))
        }
    }

    private func ownCopy(of key: RowKey) throws(ClusterError) -> RowContent {
        let row: StoredRow?
        do throws(StoreError) { row = try coordinator.owner.stored(key) } catch {
            throw ClusterError(error)
        }
        return try Coordinator.content(row?.value, of: key)
    }

    /// Asks the rows that can name the blob, and where none does, deletes it on every node. True
    /// where it is deleted everywhere.
    func collectEverywhere(_ candidate: UnnamedBlob) async throws(ClusterError) -> Bool {
        guard try await !names(of: [candidate]).contains(candidate.blob) else {
            try await settle(candidate, isNamed: true)
            return false
        }
        return await deleteEverywhere(candidate.blob)
    }

    /// What is owed to nodes that are away stays a candidate.
    private func deleteEverywhere(_ blob: BlobID) async -> Bool {
        let away = await delete(blob, at: view.members)
        if !away.isEmpty { owedDeletes.note(blob, away) }
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

extension UnnamedBlob {
    var object: RowKey { RowKey(bucket: owner.bucket, key: owner.key) }

    /// Every row that can name the blob, in the order in which a name moves.
    var rowsToAsk: [RowKey] {
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
