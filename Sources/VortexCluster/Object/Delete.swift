public import VortexCore

/// Deleting an object: a change of its row like any other.
extension ClusterNode {
    /// A delete is a change like a put; what is gone leaves a tombstone, which is purged later.
    public func delete(
        bucket: String, key: [UInt8], condition: WriteCondition, idempotency: IdempotencyKey?
    ) async throws(ClusterError) -> DeleteResult {
        try await writing(bucket) { (info) async throws(ClusterError) -> DeleteResult in
            try await self.delete(
                try Self.row(info, key), in: info, condition, idempotency)
        }
    }

    private func delete(
        _ row: RowKey, in info: BucketInfo, _ condition: WriteCondition,
        _ idempotency: IdempotencyKey?
    ) async throws(ClusterError) -> DeleteResult {
        let now = now
        let change = Coordinator.Change(
            key: row, id: newChange(), generation: info.generation, looksFirst: condition != .none)
        let result = try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<DeleteResult> in
            var row = try Self.object(found)
            if let idempotency, let owed = row.answer(for: idempotency.keyHash, now: now) {
                return .nothing(
                    .success(try DeleteResult(replaying: owed, idempotency)))
            }
            guard condition.holds(for: row.visible?.tag) else { throw .preconditionFailed }
            let result = DeleteResult(existed: row.visible != nil, replayed: false)
            guard result.existed || idempotency != nil else { return .nothing(.success(result)) }
            if result.existed { row.modifiedMilliseconds = row.nextModified(now) }
            row.versions = []
            row.generation = max(row.generation, info.generation)
            row.forgetAnswers(now)
            if let idempotency { row.owe(result.answer(to: idempotency, now: now)) }
            return .write(.object(row), bodies: [], result)
        }
        if result.existed, !result.replayed { tombstones.add(row, now: now) }
        return result
    }
}
