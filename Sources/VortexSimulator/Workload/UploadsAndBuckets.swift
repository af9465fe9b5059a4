internal import VortexCluster
internal import VortexCore

/// Resumable uploads, many of which are abandoned on the way, and buckets that come and go.
extension SimulatedClient {
    struct UploadPlan: Sendable {
        var place: History.Place
        var content: Content
        var condition: WriteCondition
        /// Goes away behind so many parts; nil: completes.
        var abandonAfter: Int?
        /// Says that it goes away.
        var aborts: Bool
    }

    func upload(_ plan: UploadPlan) async {
        let place = plan.place
        let made = await ask("upload \(place.key)") { (node) throws(ClusterError) in
            try await node.createUpload(
                bucket: place.bucket, key: Array(place.key.utf8),
                attributes: ObjectAttributes(), condition: plan.condition,
                expectedBytes: nil
            ).id
        }
        guard case .value(let id) = made else { return }
        var offset: UInt64 = 0
        for (number, piece) in plan.content.pieces.enumerated() {
            if number == plan.abandonAfter {
                if plan.aborts {
                    _ = await ask("abort") { (node) throws(ClusterError) in
                        try await node.abortUpload(id)
                    }
                }
                return
            }
            guard await append(piece, to: id, at: offset) else { return }
            offset += UInt64(piece.bytes)
        }
        await complete(id, plan)
    }

    /// False where the client does not know how far it got, and gives up.
    private func append(
        _ piece: Content.Piece, to id: UploadID, at offset: UInt64
    ) async -> Bool {
        let (executor, pause) = (executor, entropy.within(0..<3_000_000))
        let part = Content(pieces: [piece])
        let appended = await ask("append") { (node) throws(ClusterError) in
            let body = SimulatedBody(
                part, hasLength: true, breakAt: nil, pauseNanoseconds: pause,
                executor: executor)
            return try await node.append(to: id, offset: offset, body: body).bytes
        }
        guard case .value(let bytes) = appended else { return false }
        if bytes != offset + UInt64(piece.bytes) {
            verdict.fail("an append of \(piece.bytes) at \(offset) ended at \(bytes)")
        }
        return true
    }

    private func complete(_ id: UploadID, _ plan: UploadPlan) async {
        let tag = plan.content.tag(isUpload: true).description
        history.expect(plan.content, behind: tag)
        await change(
            plan.place, .put(tag), plan.condition, attempts: Self.attemptsMax,
            isFinishedByOthers: true
        ) { (node) throws(ClusterError) in
            let result = try await node.completeUpload(id, expectedSHA256: nil)
            return Done(existed: !result.created, tag: result.version.etag)
        }
    }

    // MARK: Buckets

    func createBucket(_ name: String) async {
        let place = History.Place(bucket: name, key: "")
        let start = history.moment()
        let made = await ask("create \(name)") { (node) throws(ClusterError) in
            try await node.createBucket(name)
        }
        switch made {
        case .value(let made) where made.created:
            heard("made \(made.bucket.id)")
            note(place, .put(History.Place.present), .none, .done(existed: false), since: start)
        case .value(let made):
            heard("found \(made.bucket.id) at \(made.bucket.generation)")
            noteRead(place, History.Place.present, since: start)
        case .error(let error) where !error.leavesChangeOpen: break
        case .unsent: break
        case .error, .lost:
            note(place, .put(History.Place.present), .none, .unknown, since: start)
        }
    }

    func deleteBucket(_ name: String) async {
        let place = History.Place(bucket: name, key: "")
        let start = history.moment()
        let answer = await ask("remove \(name)") { (node) throws(ClusterError) in
            try await node.deleteBucket(name)
        }
        switch answer {
        // Of two at once both may say so.
        case .value: note(place, .delete, .none, .done(existed: nil), since: start)
        case .error(.noSuchBucket): noteRead(place, nil, since: start)
        case .error(.bucketNotEmpty): noteRead(place, History.Place.present, since: start)
        case .unsent: break
        // One that was cut short is finished by whoever finds it closing.
        case .error, .lost: note(place, .delete, .none, .unknown, since: start)
        }
    }
}
