public import VortexCore
internal import VortexStore

/// A bucket's settings: read, and changed.
///
///     change: the row has the new settings, under a new generation
///     -> push: a majority of every partition's owners refuses what is made by older ones
///     -> the answer
///
/// A gateway that died between the first two has acknowledged nothing; who asks for the same again
/// finds it written, and pushes it.
extension ClusterNode {
    /// The bucket's settings, at most five seconds old: what another gateway has changed is in
    /// effect here within that time, what this one has at once.
    public func bucketSettings(_ name: String) async throws(ClusterError) -> BucketSettings {
        let began = clock.monotonicNanoseconds / 1_000_000
        let mark = knownBuckets.mark
        if let known = knownBuckets.settings(name, now: began) { return known }
        guard let row = Self.bucket(in: try await coordinator.read(try Self.bucketKey(name))) else {
            knownBuckets.forget(name)
            throw .noSuchBucket
        }
        if row.state == .open {
            knownBuckets.remember(row.settings, of: name, since: began, mark: mark)
        }
        return row.settings
    }

    /// The settings as they are now.
    public func freshBucketSettings(_ name: String) async throws(ClusterError) -> BucketSettings {
        knownBuckets.forget(name)
        return try await bucketSettings(name)
    }

    /// Applies `compute` to the bucket's settings, linearizably; it may be asked again, on newer
    /// ones. What it returns is why nothing is changed: nil where all is well.
    public func changeBucket<Refusal: Sendable>(
        _ name: String, _ compute: (inout BucketSettings) -> Refusal?
    ) async throws(ClusterError) -> Refusal? {
        var refusal: Refusal?
        let row = try await changeRow(ofBucket: name) { (row) throws(ClusterError) in
            var settings = row.settings
            refusal = compute(&settings)
            guard refusal == nil, settings != row.settings else { return }
            guard settings.isWithinBounds else { throw .settingsTooLarge }
            row.settings = settings
        }
        if refusal == nil { try await announce(row) }
        return refusal
    }

    /// Changes an open bucket's row, under a new generation where `change` makes another of it. To
    /// be announced before it is acknowledged, changed or not: who wrote it may not have come to
    /// that. This gateway looks the bucket up again.
    func changeRow(
        ofBucket name: String, _ change: (inout BucketRow) throws(ClusterError) -> Void
    ) async throws(ClusterError) -> BucketRow {
        let key = try Self.bucketKey(name)
        defer { knownBuckets.forget(name) }
        return try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<BucketRow> in
            guard let old = Self.bucket(in: found) else { throw .noSuchBucket }
            guard old.state == .open else { throw .busy }
            var row = old
            try change(&row)
            guard row != old else { return .nothing(.success(row)) }
            row.generation += 1
            return .write(.bucket(row), bodies: [], row)
        }
    }

    /// Owners refuse whoever does not know the row's settings.
    func announce(_ row: BucketRow) async throws(ClusterError) {
        try await push(row)
        knownBuckets.noteAnnounced(row.id, row.generation)
    }

    /// From when this returns, a majority of every partition's owners refuses what is made by older
    /// settings.
    func push(_ row: BucketRow) async throws(ClusterError) {
        for attempt in 0..<Self.pushAttempts {
            if attempt > 0 { await coordinator.backOff(attempt + 3) }
            let view = view
            var told: [NodeID] = []
            for member in view.members {
                if try await push(row, to: member, view.epoch) { told.append(member) }
            }
            guard view.epoch == self.view.epoch else { continue }
            let isEnough = view.quorums.allSatisfy { $0.isMet(by: told) }
            if isEnough { return }
        }
        throw .noQuorum
    }

    private static let pushAttempts = 4

    private func push(
        _ row: BucketRow, to member: NodeID, _ epoch: Epoch
    ) async throws(ClusterError) -> Bool {
        guard member == node else {
            return await peers.push(
                member, row.id, generation: row.generation, epoch: epoch) == nil
        }
        guard coordinator.owner.fenced == nil else { return false }
        do throws(StoreError) {
            try await coordinator.owner.generations.push(row.id, generation: row.generation)
        } catch { throw ClusterError(error) }
        await coordinator.owner.slots.drain(bucket: row.id)
        return true
    }
}
