public import VortexCore

/// Completing an upload in parts, in steps that whoever finds them half done can finish:
///
///     upload's row   open -> completing(version)      no way back, abort is refused
///     object's row   entry -> version                 or -> refused: the condition failed
///     upload's row   completing -> done | refused
///
/// Where the entry is gone from the object's row, the version has taken effect already.
extension ClusterNode {
    /// Idempotent: a second one gets the same answer.
    public func completeUpload(
        _ id: UploadID, expectedSHA256: [UInt8]?
    ) async throws(ClusterError) -> PutResult {
        let found = try await find(id)
        guard !found.row.isNumbered else { throw .noSuchUpload }
        switch found.row.state {
        case .open: break
        case .completing: return try await finish(found)
        case .done: return try Self.result(of: found.row)
        case .aborted: throw .noSuchUpload
        case .refused: throw .preconditionFailed
        }
        let completing = ActiveUpload(
            id: id, bucket: found.row.bucket, key: found.key.key, isResumable: true,
            expectedBytes: found.row.expectedBytes, startedMilliseconds: now, firstByte: 0)
        try active.begin(completing)
        defer { active.end(completing) }
        var version = try await version(of: found)
        if let expected = found.row.expectedBytes, expected != version.size {
            throw .offsetMismatch(expected: version.size)
        }
        if let expectedSHA256 {
            guard try await sha256(of: version) == expectedSHA256 else { throw .digestMismatch }
            version.sha256 = expectedSHA256
        }
        let row = try await setUpload(found) { (row) throws(ClusterError) in
            guard row.state != .aborted else { throw .noSuchUpload }
            guard row.state == .open else { return }
            row.state = .completing
            row.version = version
        }
        var completed = found
        completed.row = row
        return row.state == .completing ? try await finish(completed) : try Self.result(of: row)
    }

    /// The version that the parts make.
    private func version(of upload: FoundUpload) async throws(ClusterError) -> ObjectVersion {
        let parts = try await finishParts(of: upload)
        var digests = ByteWriter(reserving: 16 * parts.count)
        for part in parts {
            guard let digest = part.row.digest else { throw .damaged }
            digests.write(digest)
        }
        let extents = parts.map(\.row.extent)
        let tag = EntityTag(
            digest: XXH3.hash128(digests.bytes), parts: UInt32(max(1, parts.count)))
        return ObjectVersion(
            id: newChange(), size: extents.reduce(0) { $0 + $1.length }, tag: tag,
            modifiedMilliseconds: now, policy: Self.policy, attributes: upload.row.attributes,
            sha256: nil, body: extents.isEmpty ? .empty : .spread(extents))
    }

    private func sha256(of version: ObjectVersion) async throws(ClusterError) -> [UInt8] {
        guard var digest = options.makeSHA256?() else { throw .digestMismatch }
        try await readThrough(version.body, size: version.size) { digest.update($0) }
        return digest.finish()
    }

    private enum Commit: Sendable {
        case written(PutResult)
        case refused(ClusterError)
    }

    /// From completing on; safe to run any number of times, by anyone.
    func finish(_ upload: FoundUpload) async throws(ClusterError) -> PutResult {
        if omitted.contains(.doneLast), let version = upload.row.version {
            let early = PutResult(version: version, created: true, replayed: false)
            try await setDone(upload, early)
        }
        switch try await commit(upload) {
        case .written(let result): return try Self.result(of: try await setDone(upload, result))
        case .refused(let reason):
            try await setUpload(upload) { (row) throws(ClusterError) in
                guard row.state == .completing else { return }
                // What it named can go: nobody commits it any more.
                row.state = .refused
                row.version?.body = .empty
                row.version?.checksum?.parts = []
            }
            try await closeUpload(.multipart(upload.id), upload.object)
            throw reason
        }
    }

    @discardableResult
    private func setDone(
        _ upload: FoundUpload, _ result: PutResult
    ) async throws(ClusterError) -> UploadRow {
        try await setUpload(upload) { (row) throws(ClusterError) in
            guard row.state == .completing else { return }
            row.state = .done
            row.created = result.created
            row.version = result.version
            row.version?.body = .empty
            row.version?.checksum?.parts = []
        }
    }

    /// The change of the object's row, which decides.
    private func commit(_ upload: FoundUpload) async throws(ClusterError) -> Commit {
        guard let version = upload.row.version else { throw .damaged }
        return try await writing(upload.row.bucket) {
            (bucket) async throws(ClusterError) -> Commit in
            guard bucket.id == upload.object.bucket else { throw .noSuchBucket }
            return try await self.commit(upload, version, in: bucket)
        }
    }

    private func commit(
        _ upload: FoundUpload, _ given: ObjectVersion, in bucket: BucketInfo
    ) async throws(ClusterError) -> Commit {
        var version = given
        let now = now
        let change = Coordinator.Change(
            key: upload.object, id: newChange(), generation: bucket.generation)
        return try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<Commit> in
            var row = try Self.object(found)
            if omitted.contains(.multiEntry), row.visible?.id != version.id {
                let result = try row.add(&version, in: bucket, now: now)
                return .write(.object(row), bodies: [], .written(result))
            }
            guard
                let index = row.openUploads.firstIndex(where: {
                    $0.kind == .multipart(upload.id)
                })
            else { return .nothing(.success(.written(Self.committed(upload, version, in: row)))) }
            guard row.openUploads[index].state == .open else {
                return .nothing(.success(.refused(.preconditionFailed)))
            }
            guard upload.row.condition.holds(for: row.visible?.tag) else {
                row.openUploads[index].state = .refused
                return .write(.object(row), bodies: [], .refused(.preconditionFailed))
            }
            var full = row
            row.openUploads.remove(at: index)
            do throws(ClusterError) {
                let result = try row.add(&version, in: bucket, now: now)
                row.owe(result.answer(to: upload.answerKey, now: now))
                guard row.hasRoomForOthers else { throw .tooManyVersions }
                return .write(.object(row), bodies: [], .written(result))
            } catch {
                // Decided here, like a condition: who is told so can rely on it.
                full.openUploads[index].state = .refused
                return .write(.object(full), bodies: [], .refused(error))
            }
        }
    }

    /// What the change that took effect has answered, told by the object's row: its gateway may
    /// have gone before the upload's row knew, and another version may have come since.
    private static func committed(
        _ upload: FoundUpload, _ version: ObjectVersion, in row: ObjectRow
    ) -> PutResult {
        var version = row.versions.first { $0.id == version.id } ?? version
        var created = upload.row.created
        let owed = row.answers.last { $0.keyHash == upload.answerKey.keyHash }
        if case .put(version.id, _, _, let modified, let wasCreated, let isNull) = owed?.outcome {
            version.modifiedMilliseconds = modified
            version.isNull = isNull
            created = wasCreated
        }
        return PutResult(version: version, created: created, replayed: true)
    }

    /// Of an upload that is over. Whoever finds the object's entry gone takes the commit for done;
    /// the row knows that it was refused.
    static func result(of row: UploadRow) throws(ClusterError) -> PutResult {
        guard row.state != .refused else { throw .preconditionFailed }
        guard let version = row.version else { throw .noSuchUpload }
        return PutResult(version: version, created: row.created, replayed: false)
    }
}

extension ClusterNode.FoundUpload {
    /// Whoever finishes the upload is owed the answer of the one that wrote its version.
    var answerKey: IdempotencyKey {
        var writer = ByteWriter(reserving: 16)
        writer.write(id)
        let hash = XXH3.hash128(writer.bytes)
        return IdempotencyKey(keyHash: hash, requestHash: hash)
    }
}
