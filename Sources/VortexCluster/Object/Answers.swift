internal import VortexCore

/// Answers owed to retries with an idempotency key: made with the change that they speak of, in the
/// same row, so that the one is durable exactly when the other is.

extension IdempotencyKey {
    /// The request is the same only with the same body.
    func with(body: Digest128) -> IdempotencyKey {
        var writer = ByteWriter(reserving: 32)
        writer.write(requestHash)
        writer.write(body)
        return IdempotencyKey(keyHash: keyHash, requestHash: XXH3.hash128(writer.bytes))
    }

    func check(_ owed: OwedAnswer) throws(ClusterError) {
        guard owed.requestHash == requestHash else { throw .idempotencyMismatch }
    }
}

extension PutResult {
    init(
        replaying owed: OwedAnswer, _ key: IdempotencyKey, _ attributes: ObjectAttributes
    ) throws(ClusterError) {
        try key.check(owed)
        guard
            case .put(let change, let size, let tag, let modified, let created, let isNull) = owed
                .outcome
        else { throw .idempotencyMismatch }
        var version = ObjectVersion(
            id: change, size: size, tag: tag, modifiedMilliseconds: modified,
            policy: ClusterNode.policy, attributes: attributes, sha256: nil, body: .empty)
        version.isNull = isNull
        self.init(version: version, created: created, replayed: true)
    }

    func answer(to key: IdempotencyKey, now: UInt64) -> OwedAnswer {
        OwedAnswer(
            keyHash: key.keyHash, requestHash: key.requestHash, madeMilliseconds: now,
            outcome: .put(
                change: version.id, size: version.size, tag: version.tag,
                modified: version.modifiedMilliseconds, created: created,
                isNull: version.isNull))
    }
}

extension DeleteResult {
    init(replaying owed: OwedAnswer, _ key: IdempotencyKey) throws(ClusterError) {
        try key.check(owed)
        guard case .deleted(let existed, let version, let isMarker) = owed.outcome else {
            throw .idempotencyMismatch
        }
        self.init(existed: existed, replayed: true, version: version, isMarker: isMarker)
    }

    func answer(to key: IdempotencyKey, now: UInt64) -> OwedAnswer {
        OwedAnswer(
            keyHash: key.keyHash, requestHash: key.requestHash, madeMilliseconds: now,
            outcome: .deleted(existed: existed, version: version, isMarker: isMarker))
    }
}
