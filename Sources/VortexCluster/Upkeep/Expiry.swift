internal import VortexCore
internal import VortexStore

/// Uploads that are over or idle.
extension ClusterNode {
    private static let batch = 256

    func tidyUploads() async throws(ClusterError) {
        var after: UploadID?
        while !Task.isCancelled {
            let found = try uploadRows(after: after, limit: Self.batch)
            for upload in found where active.find(upload.id) == nil {
                try await tidy(upload)
            }
            guard found.count == Self.batch, let last = found.last else { return }
            after = last.id
        }
    }

    private func tidy(_ upload: FoundUpload) async throws(ClusterError) {
        switch upload.row.state {
        case .open:
            let last = info(upload, parts: try parts(of: upload)).lastProgressMilliseconds
            guard now > last + options.uploadIdleMilliseconds else { return }
            try await abortUpload(upload.id)
        case .completing:
            // Its gateway died on the way; one that is alive is in `active`.
            do throws(ClusterError) { _ = try await finish(upload) } catch {
                guard error == .preconditionFailed else { throw error }
            }
        case .done, .aborted, .refused:
            if upload.row.state != .done {
                try await closeUpload(.multipart(upload.id), upload.object)
            }
            for part in try partRows(of: upload.id) {
                try await removePart(part.key)
                try await purge(part.key)
            }
            let age = Limits.answerLifetimeMilliseconds
            guard now > upload.row.changedMilliseconds + age else { return }
            try await remove(upload)
        }
    }

    /// Long over: a repeat of its complete is not to be expected any more.
    private func remove(_ upload: FoundUpload) async throws(ClusterError) {
        try await coordinator.change(.init(key: upload.key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard case .upload(let row) = found, row.isOver else { return .nothing(.success(())) }
            return .write(.nothing, bodies: [], ())
        }
        try await purge(upload.key)
    }

    /// Removes the row of a tombstone, where it is one: every owner, which is this node, has it.
    func purge(_ key: RowKey) async throws(ClusterError) {
        try await coordinator.latch.acquire(key)
        defer { coordinator.latch.release(key) }
        guard case .row(let accepted, let value?, _) = coordinator.owner.read(key),
            value.isTombstone
        else { return }
        if case .object(let row) = try Coordinator.content(value, of: key) {
            let now = now
            guard row.answers.allSatisfy({ $0.isOver(now) }) else { return }
        }
        do throws(StoreError) {
            _ = try await coordinator.owner.purge(key, accepted)
        } catch { throw ClusterError(error) }
    }
}
