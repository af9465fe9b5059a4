internal import VortexCore

/// Entries for open uploads in an object's row: what names a body while it arrives.
extension ClusterNode {
    private static let namesMax = 8
    private static let namingMilliseconds: UInt64 = 5_000

    /// Names a body before its first chunk is sent. An entry is added once; where nobody can tell
    /// whether it was, as when its row's owners change, the body gets a fresh name: no chunk has
    /// the old one. `add` is given all names, the last to be added, and removes the others, which
    /// may turn up as long as nothing is written above them.
    func name(
        _ upload: ActiveUpload, _ add: ([BlobID]) async throws(ClusterError) -> Void
    ) async throws(ClusterError) -> BlobID {
        func fresh() throws(ClusterError) -> BlobID {
            guard !upload.isAborted else { throw .uploadExpired }
            let blob = newBlob()
            active.rename(upload, UploadID(of: blob))
            return blob
        }
        return try await naming(upload.id.blob, fresh: fresh, add: add)
    }

    /// The name that was added, for certain. Tries fresh ones where the outcome is not known, for
    /// as long as a client may be let wait.
    func naming<Name: Sendable>(
        _ first: Name, fresh: () throws(ClusterError) -> Name,
        add: ([Name]) async throws(ClusterError) -> Void
    ) async throws(ClusterError) -> Name {
        let end = clock.monotonicNanoseconds + Self.namingMilliseconds * 1_000_000
        var names = [first]
        while true {
            do throws(ClusterError) {
                try await add(names)
                return names[names.count - 1]
            } catch {
                guard error == .outcomeUnknown, names.count < Self.namesMax,
                    clock.monotonicNanoseconds < end
                else { throw error }
            }
            await coordinator.backOff(names.count)
            names.append(try fresh())
        }
    }

    /// Adds the last of these entries in place of the others; the condition is looked at early, and
    /// counts at the commit. An entry is added once and never again: a retry that does not find it
    /// gives up, before any chunk was sent.
    func openUpload(
        _ kinds: [OpenUpload.Kind], _ order: PutOrder
    ) async throws(ClusterError) {
        let entry = OpenUpload(
            kind: kinds[kinds.count - 1], startedMilliseconds: now, node: node, boot: boot)
        let change = Coordinator.Change(
            key: order.key, id: newChange(), generation: order.bucket.generation, isOnce: true)
        var wasSent = false
        try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard !wasSent else { throw .outcomeUnknown }
            var row = try Self.object(found)
            try Self.check(order, on: row, now: entry.startedMilliseconds)
            row.openUploads.removeAll { kinds.contains($0.kind) }
            guard row.openUploads.count < Limits.openUploadsPerRowMax else {
                throw .tooManyUploads
            }
            guard row.hasRoom(forNull: order.bucket.versioning != .enabled) else {
                throw .tooManyVersions
            }
            row.openUploads.append(entry)
            row.generation = max(row.generation, order.bucket.generation)
            wasSent = true
            return .write(.object(row), bodies: [], ())
        }
    }

    /// Removes the entry, in whatever state it is; true where it was there.
    @discardableResult
    func closeUpload(
        _ kind: OpenUpload.Kind, _ key: RowKey
    ) async throws(ClusterError) -> Bool {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Bool> in
            var row = try Self.object(found)
            guard let index = row.openUploads.firstIndex(where: { $0.kind == kind }) else {
                return .nothing(.success(false))
            }
            row.openUploads.remove(at: index)
            return .write(.object(row), bodies: [], true)
        }
    }
}
