public import VortexCore

/// Completing an upload with numbered parts, and ending one; the steps are those of
/// `Complete.swift`.
extension ClusterNode {
    /// What a version is made of.
    public struct ChosenParts: Sendable {
        public var extents: [Extent]
        public var checksum: StoredChecksum?
        public init(extents: [Extent], checksum: StoredChecksum?) {
            self.extents = extents
            self.checksum = checksum
        }
    }

    /// Makes one object of parts, without copying any. `tag` stands for the parts that were asked
    /// for: a repeat with the same ones gets the same answer. `choose` finds them among those that
    /// are there, or throws; bodies that it was shown stay until the upload is over. A condition
    /// that does not hold leaves the upload open, unless it ceased to hold at the last moment.
    public func completeMultipart(
        _ place: UploadPlace, tag: EntityTag, condition: WriteCondition,
        choose: (MultipartInfo, [StoredPart]) throws(ClusterError) -> ChosenParts
    ) async throws(ClusterError) -> PutResult {
        let bucket = try await bucketForReading(place.bucket)
        var found = try await find(place)
        if found.row.state == .open {
            do throws(ClusterError) {
                found.row = try await beginCompleting(
                    place, found, tag, condition, bucket, choose)
            } catch {
                let isOvertaken: [ClusterError] = [
                    .invalidPart, .preconditionFailed, .noSuchUpload,
                ]
                guard isOvertaken.contains(error) else { throw error }
                // Its own first attempt, or another complete, may have gone through meanwhile.
                found = try await find(place)
                if found.row.state == .open { throw error }
            }
        }
        var result: PutResult
        do throws(ClusterError) {
            switch found.row.state {
            case .completing: result = try await finish(found)
            case .done, .refused: result = try Self.result(of: found.row)
            case .open, .aborted: throw .noSuchUpload
            }
        } catch .preconditionFailed where condition == .none {
            // Another's complete, under a condition: the upload has gone with it.
            throw .noSuchUpload
        }
        guard result.version.tag == tag else { throw .noSuchUpload }
        result.isVersioned = bucket.isVersioned
        return result
    }

    private func beginCompleting(
        _ place: UploadPlace, _ found: FoundUpload, _ tag: EntityTag,
        _ condition: WriteCondition, _ bucket: BucketInfo,
        _ choose: (MultipartInfo, [StoredPart]) throws(ClusterError) -> ChosenParts
    ) async throws(ClusterError) -> UploadRow {
        let (info, parts, _) = try await storedParts(
            place, after: 0, limit: Limits.partsPerUploadMax)
        let chosen = try choose(info, parts)
        if condition != .none || bucket.isVersioned {
            let object = try await readObject(found.object)
            guard condition.holds(for: object.visible?.tag) else { throw .preconditionFailed }
            guard object.hasRoom(forNull: bucket.versioning != .enabled) else {
                throw .tooManyVersions
            }
        }
        let size = chosen.extents.reduce(0) { $0 + $1.length }
        guard size <= Limits.objectBytesMax else {
            throw .tooLarge(limitBytes: Limits.objectBytesMax)
        }
        var version = ObjectVersion(
            id: newChange(), size: size, tag: tag, modifiedMilliseconds: now,
            policy: Self.policy, attributes: found.row.attributes, sha256: nil,
            body: chosen.extents.isEmpty ? .empty : .spread(chosen.extents))
        version.checksum = chosen.checksum
        let made = version
        return try await setUpload(found) { (row) throws(ClusterError) in
            guard row.state == .open else { return }
            row.state = .completing
            row.version = made
            row.condition = condition
        }
    }

    /// Ends the upload without an object. Once it is completing there is no way back: it is
    /// finished then, and is no upload any more.
    public func abortMultipart(_ place: UploadPlace) async throws(ClusterError) {
        var found = try await find(place)
        if found.row.state == .open || found.row.state == .aborted {
            do throws(ClusterError) { return try await abort(found) } catch {
                guard error == .uploadBusy || error == .noSuchUpload else { throw error }
                // Completing since then, or over.
                found = try await find(place)
            }
        }
        do throws(ClusterError) {
            if found.row.state == .completing { _ = try await finish(found) }
        } catch {
            guard error == .preconditionFailed || error == .tooManyVersions else { throw error }
            return
        }
        if found.row.state == .refused { return }
        throw .noSuchUpload
    }
}
