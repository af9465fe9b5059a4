internal import VortexCore
internal import VortexStore

/// Uploads that are over or idle.
extension ClusterNode {
    private static let batch = 256

    /// One that cannot be tidied now holds up no other; why is said at the end.
    func tidyUploads() async throws(ClusterError) {
        var after: UploadID?
        var failure: ClusterError?
        while !Task.isCancelled {
            let page = try await uploadRows(after: after, limit: Self.batch)
            for upload in page.uploads
            where active.find(upload.id) == nil && isFirst(of: upload.key) {
                do throws(ClusterError) { try await tidy(upload) } catch { failure = error }
            }
            guard let next = page.next else { break }
            after = next
        }
        if let failure { throw failure }
    }

    private func tidy(_ upload: FoundUpload) async throws(ClusterError) {
        switch upload.row.state {
        case .open:
            // Its parts can only be younger than what its own row says.
            guard now > upload.row.changedMilliseconds + options.uploadIdleMilliseconds else {
                return
            }
            let last = try await lastProgress(of: upload)
            guard now > last + options.uploadIdleMilliseconds else { return }
            try await abortUpload(upload.id)
        case .completing:
            // Its gateway died on the way; one that is alive is in `active`.
            if omitted.contains(.finish) { return }
            do throws(ClusterError) { _ = try await finish(upload) } catch {
                switch error {
                // Refused for good, as its client is told.
                case .preconditionFailed, .tooManyVersions: return
                case .noSuchBucket: try await finishWithoutBucket(upload)
                default: throw error
                }
            }
        case .done, .aborted, .refused:
            if upload.row.state != .done {
                try await closeUpload(.multipart(upload.id), upload.object)
            }
            let isOld =
                now > upload.row.changedMilliseconds + Limits.answerLifetimeMilliseconds
            guard isOld || overUploads.isDue(upload.id, now: now) else { return }
            let count = try await removeParts(of: upload)
            overUploads.note(upload.id, hadParts: count > 0, now: now)
            if isOld { try await remove(upload) }
        }
    }

    private func removeParts(of upload: FoundUpload) async throws(ClusterError) -> Int {
        let parts = omitted.contains(.partOrphan) ? [] : try await partRows(of: upload.id)
        try await together(parts.map(\.key)) { (key) async throws(ClusterError) in
            try await self.removePart(key)
            try await self.purge(key)
        }
        return parts.count
    }

    /// A numbered part that is still arriving counts as well.
    private func lastProgress(of upload: FoundUpload) async throws(ClusterError) -> UInt64 {
        guard upload.row.isNumbered else {
            return info(upload, parts: try await parts(of: upload)).lastProgressMilliseconds
        }
        let changed = try await partRows(of: upload.id).map { part in
            if case .part(let row) = part.content { row.changedMilliseconds } else { UInt64(0) }
        }
        return max(upload.row.changedMilliseconds, changed.max() ?? 0)
    }

    /// Its bucket is gone, so its object was empty then: the version had taken effect and was
    /// deleted, or what is left of the object goes with `sweepLostBuckets`.
    private func finishWithoutBucket(_ upload: FoundUpload) async throws(ClusterError) {
        let row = try await readObject(upload.object)
        guard !row.openUploads.contains(where: { $0.kind == .multipart(upload.id) }) else { return }
        try await setUpload(upload) { (row) throws(ClusterError) in
            guard row.state == .completing else { return }
            row.state = .done
            row.version?.body = .empty
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
        overUploads.forget(upload.id)
    }

    /// Whether this node is the first owner of the row that answers: it does what one must do.
    func isFirst(of key: RowKey) -> Bool {
        view[key].quorum.owners.first { $0 == node || !peers.isSuspect($0) } == node
    }

    /// Removes the row of a tombstone, where it is one on every owner.
    func purge(_ key: RowKey) async throws(ClusterError) {
        let now = now
        let isAlone = view.isAlone
        if isAlone {
            try await coordinator.latch.acquire(key)
        }
        defer { if isAlone { coordinator.latch.release(key) } }
        // What is kept for now the sweep meets again.
        _ = try await coordinator.purge(key) { content in
            guard case .object(let row) = content else { return true }
            return row.answers.allSatisfy { $0.isOver(now) }
        }
    }
}
