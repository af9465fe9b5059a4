public import VortexCore

/// Deleting an object: a change of its row like any other.
extension ClusterNode {
    /// A delete is a change like a put. Where the bucket keeps no versions, what is gone leaves a
    /// tombstone, which is purged later; where it does, a delete marker becomes the newest version,
    /// and a delete of one version by its name removes that for good. The condition is one on what
    /// is to be deleted: the visible version, or the one that is named.
    public func delete(
        bucket: String, key: [UInt8], version: VersionName? = nil, condition: WriteCondition,
        idempotency: IdempotencyKey?
    ) async throws(ClusterError) -> DeleteResult {
        try await writing(bucket) { (info) async throws(ClusterError) -> DeleteResult in
            let order = DeleteOrder(
                bucket: info, key: try Self.row(info, key), version: version,
                condition: condition, idempotency: idempotency)
            return try await self.delete(order)
        }
    }

    private struct DeleteOrder: Sendable {
        var bucket: BucketInfo
        var key: RowKey
        var version: VersionName?
        var condition: WriteCondition
        var idempotency: IdempotencyKey?
    }

    private struct Deleted: Sendable {
        var result: DeleteResult
        /// Nothing is left of the object.
        var isTombstone = false
    }

    private func delete(_ order: DeleteOrder) async throws(ClusterError) -> DeleteResult {
        let now = now
        let change = Coordinator.Change(
            key: order.key, id: newChange(), generation: order.bucket.generation,
            looksFirst: order.condition != .none)
        let marker = ObjectVersion.marker(
            newChange(), isNull: order.bucket.versioning != .enabled, policy: Self.policy)
        let deleted = try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<Deleted> in
            var row = try Self.object(found)
            if let key = order.idempotency, let owed = row.answer(for: key.keyHash, now: now) {
                let replay = try DeleteResult(replaying: owed, key)
                return .nothing(.success(Deleted(result: replay)))
            }
            let before = row.versions
            let result = try row.delete(
                order.version, order.condition, in: order.bucket, marker, now)
            guard row.versions != before || order.idempotency != nil else {
                return .nothing(.success(Deleted(result: result)))
            }
            row.forgetAnswers(now)
            if let key = order.idempotency { row.owe(result.answer(to: key, now: now)) }
            let isTombstone = row.isTombstone && !before.isEmpty
            return .write(
                .object(row), bodies: [], Deleted(result: result, isTombstone: isTombstone))
        }
        if deleted.isTombstone { tombstones.add(order.key, now: now) }
        return deleted.result
    }
}

extension ObjectRow {
    fileprivate mutating func delete(
        _ name: VersionName?, _ condition: WriteCondition, in bucket: BucketInfo,
        _ given: ObjectVersion, _ now: UInt64
    ) throws(ClusterError) -> DeleteResult {
        if let name {
            let found = index(of: name).map { versions[$0] }
            guard condition.holds(for: found.flatMap { $0.isMarker ? nil : $0.tag }) else {
                throw .preconditionFailed
            }
            let removed = remove(name, generation: bucket.generation)
            return DeleteResult(
                existed: removed != nil, replayed: false, version: name,
                isMarker: removed?.isMarker ?? false)
        }
        guard condition.holds(for: visible?.tag) else { throw .preconditionFailed }
        var marker = given
        marker.modifiedMilliseconds = nextModified(now)
        let existed = visible != nil
        guard delete(by: marker, bucket.versioning, generation: bucket.generation) else {
            throw .tooManyVersions
        }
        let isMarked = newest?.id == marker.id
        return DeleteResult(
            existed: existed, replayed: false, version: isMarked ? marker.name : nil,
            isMarker: isMarked)
    }
}
