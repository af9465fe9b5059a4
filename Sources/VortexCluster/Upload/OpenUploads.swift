internal import Logging
internal import VortexCore

/// Entries for open uploads in an object's row: what names a body while it arrives.
extension ClusterNode {
    private static let namesMax = 8
    private static let namingMilliseconds: UInt64 = 5_000

    /// Names a body before its first chunk is sent. An entry is added once; where nobody can tell
    /// whether it was, as when its row's owners change, the body gets a fresh name in its place: no
    /// chunk has the old one.
    func name(
        _ upload: ActiveUpload, _ add: (BlobID) async throws(ClusterError) -> Void,
        dropping drop: (BlobID) async throws(ClusterError) -> Void
    ) async throws(ClusterError) -> BlobID {
        try await naming { () throws(ClusterError) in
            let blob = upload.id.blob
            do throws(ClusterError) { try await add(blob) } catch {
                guard error == .outcomeUnknown else { throw error }
                active.rename(upload, UploadID(of: newBlob()))
                // What stays names nothing, and expires by itself.
                do throws(ClusterError) { try await drop(blob) } catch {
                    upkeepLog.debug("a name stays", metadata: ["error": "\(error)"])
                }
                throw error
            }
            return blob
        }
    }

    /// Tries again where the outcome is not known, for as long as a client may be let wait.
    func naming<Name: Sendable>(
        _ add: () async throws(ClusterError) -> Name
    ) async throws(ClusterError) -> Name {
        let end = clock.monotonicNanoseconds + Self.namingMilliseconds * 1_000_000
        for attempt in 1..<Self.namesMax {
            do throws(ClusterError) { return try await add() } catch {
                guard error == .outcomeUnknown, clock.monotonicNanoseconds < end else {
                    throw error
                }
                await coordinator.backOff(attempt)
            }
        }
        return try await add()
    }

    /// Adds the entry; the condition is looked at early, and counts at the commit. An entry is
    /// added once and never again: a retry that does not find it gives up, before any chunk was
    /// sent.
    func openUpload(
        _ kind: OpenUpload.Kind, _ order: PutOrder
    ) async throws(ClusterError) {
        let entry = OpenUpload(
            kind: kind, startedMilliseconds: now, node: node, boot: boot)
        let change = Coordinator.Change(
            key: order.key, id: newChange(), generation: order.bucket.generation, isOnce: true)
        var wasSent = false
        try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard !wasSent else { throw .outcomeUnknown }
            var row = try Self.object(found)
            try Self.check(order, on: row, now: entry.startedMilliseconds)
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
