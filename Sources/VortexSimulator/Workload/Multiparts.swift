internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// Uploads with numbered parts: sent in any order and at once, some twice with other bytes, some
/// broken off; listed; completed, under conditions, by two at once, against an abort; abandoned.
extension SimulatedClient {
    struct MultipartPlan: Sendable {
        enum Ending: Sendable {
            case completes
            /// Two at once, through two gateways.
            case races
            case racesAbort
            case aborts
            case abandons
        }
        var place: History.Place
        /// What each part is in the end.
        var content: Content
        /// The parts in the order in which they are sent, some at once.
        var batches: [[Sending]]
        var condition: WriteCondition
        var ending: Ending
    }

    struct Sending: Sendable {
        var number: UInt32
        var piece: Content.Piece
        /// The client goes away behind so many bytes.
        var breakAt: Int?
    }

    func multipart(_ plan: MultipartPlan) async {
        let key = Array(plan.place.key.utf8)
        let made = await ask("create parts \(plan.place.key)") { (node) throws(ClusterError) in
            try await node.createMultipart(
                bucket: plan.place.bucket, key: key, attributes: ObjectAttributes(),
                checksum: nil)
        }
        guard case .value(let id) = made else { return }
        let upload = UploadPlace(bucket: plan.place.bucket, key: key, id: id)
        await expectListed(upload)
        let parts = SentParts()
        for batch in plan.batches {
            await withTaskGroup(of: Void.self) { group in
                for sending in batch {
                    let pause = entropy.within(0..<3_000_000)
                    group.addTask { await self.send(sending, of: upload, pause, parts) }
                }
            }
        }
        await list(upload, parts)
        // One that could not be sent: the client gives up.
        guard parts.isAll(of: plan.content) else { return }
        await end(plan, upload, parts)
    }

    /// An acknowledged upload is in the list of its bucket's.
    private func expectListed(_ upload: UploadPlace) async {
        guard entropy.happens(perMille: 250) else { return }
        let listed = await ask("list uploads") { (node) throws(ClusterError) in
            try await node.multipartUploads(
                bucket: upload.bucket, UploadQuestion(prefix: upload.key, limit: 1_000))
        }
        guard case .value(let page) = listed,
            !page.items.contains(where: { $0.upload?.id == upload.id })
        else { return }
        await failIfOpen(upload, "upload \(upload.id) is not in the list of its bucket's")
    }

    /// An upload without progress may have expired meanwhile; one that is open now was so before.
    private func failIfOpen(_ upload: UploadPlace, _ reason: String) async {
        let state = await ask("upload") { (node) throws(ClusterError) in
            try await node.multipart(upload)
        }
        if case .value = state { verdict.fail(reason) }
    }

    // MARK: Parts

    /// What is known of an upload's parts: the digest acknowledged last, and those of attempts that
    /// may yet take effect.
    private final class SentParts: Sendable {
        private struct State {
            var acknowledged: [UInt32: Digest128] = [:]
            var open: [UInt32: Set<Digest128>] = [:]
        }
        private let state = Mutex(State())

        var whole: Set<UInt32> { state.withLock { Set($0.acknowledged.keys) } }
        var isSure: Bool { state.withLock { $0.open.isEmpty } }

        func isAll(of content: Content) -> Bool {
            state.withLock { state in
                content.pieces.enumerated().allSatisfy { index, piece in
                    state.acknowledged[UInt32(index + 1)]
                        == Content(pieces: [piece]).tag(isUpload: false).digest
                }
            }
        }

        func acknowledge(_ number: UInt32, _ digest: Digest128) {
            state.withLock { $0.acknowledged[number] = digest }
        }

        func leaveOpen(_ number: UInt32, _ digest: Digest128) {
            state.withLock { _ = $0.open[number, default: []].insert(digest) }
        }

        /// Whether a listing may show this.
        func explains(_ part: StoredPart) -> Bool {
            state.withLock { state in
                state.acknowledged[part.number] == part.digest
                    || state.open[part.number]?.contains(part.digest) == true
            }
        }
    }

    private func send(
        _ sending: Sending, of upload: UploadPlace, _ pause: UInt64, _ parts: SentParts
    ) async {
        let content = Content(pieces: [sending.piece])
        let digest = content.tag(isUpload: false).digest
        let executor = executor
        for attempt in 0..<Self.attemptsMax {
            if attempt > 0 { _ = await executor.sleep(nanoseconds: 20_000_000 + pause * 8) }
            let sent = await ask("part \(sending.number)") { (node) throws(ClusterError) in
                let body = SimulatedBody(
                    content, hasLength: true, breakAt: sending.breakAt, pauseNanoseconds: pause,
                    executor: executor)
                return try await node.putPart(upload, number: sending.number, body: body)
            }
            switch sent {
            case .value(let part):
                if part.digest != digest || part.extent.length != UInt64(content.bytes) {
                    verdict.fail("part \(sending.number) was stored as something else")
                }
                return parts.acknowledge(sending.number, digest)
            case .error(let error):
                if error.leavesChangeOpen { parts.leaveOpen(sending.number, digest) }
                guard error.isPassing || error == .outcomeUnknown else { return }
                moveOn()
            case .lost: parts.leaveOpen(sending.number, digest)
            case .unsent: return
            }
        }
    }

    /// Every acknowledged part is there, as it was sent last.
    private func list(_ upload: UploadPlace, _ parts: SentParts) async {
        guard entropy.happens(perMille: 500) else { return }
        let limit = 1 + entropy.below(4)
        var found: [StoredPart] = []
        while true {
            let after = found.last?.number ?? 0
            let page = await ask("list parts") { (node) throws(ClusterError) in
                try await node.storedParts(upload, after: after, limit: limit)
            }
            guard case .value(let page) = page else { return }
            found += page.parts
            guard page.more else { break }
        }
        let numbers = found.map(\.number)
        if !parts.whole.isSubset(of: numbers) {
            await failIfOpen(
                upload, "of parts \(parts.whole.sorted()) there are \(numbers)")
        }
        for part in found where !parts.explains(part) {
            verdict.fail("part \(part.number) is not what was acknowledged last")
        }
    }

    // MARK: Endings

    private func end(
        _ plan: MultipartPlan, _ upload: UploadPlace, _ parts: SentParts
    ) async {
        switch plan.ending {
        case .abandons: return
        case .aborts: await abort(upload)
        case .completes: _ = await complete(plan, upload, parts)
        case .races:
            let tag = plan.content.tag(isUpload: true)
            let start = history.moment()
            history.expect(plan.content, behind: tag.description)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = await self.complete(plan, upload, parts) }
                group.addTask {
                    _ = await self.ask("complete too") { (node) throws(ClusterError) in
                        try await Self.complete(node, upload, plan, tag)
                    }
                }
            }
            // One of the two is enough, and the other may be heard of alone.
            note(plan.place, .put(tag.description), plan.condition, .unknown, since: start)
        case .racesAbort:
            let isAborted = Outcome<Bool>()
            let isCompleted = await withTaskGroup(of: Bool.self) { group in
                group.addTask { await self.complete(plan, upload, parts) }
                group.addTask {
                    if await self.abort(upload) { isAborted.settle(true) }
                    return false
                }
                var isCompleted = false
                for await done in group where done { isCompleted = true }
                return isCompleted
            }
            if isCompleted, isAborted.isSettled {
                verdict.fail("\(plan.place.key): an upload was completed and aborted")
            }
        }
    }

    /// True where that was acknowledged.
    @discardableResult
    private func abort(_ upload: UploadPlace) async -> Bool {
        let answer = await ask("abort parts") { (node) throws(ClusterError) in
            try await node.abortMultipart(upload)
        }
        if case .value = answer { return true }
        return false
    }

    private static func complete(
        _ node: ClusterNode, _ upload: UploadPlace, _ plan: MultipartPlan, _ tag: EntityTag
    ) async throws(ClusterError) -> PutResult {
        let digests = plan.content.pieces.map { Content(pieces: [$0]).tag(isUpload: false).digest }
        return try await node.completeMultipart(upload, tag: tag, condition: plan.condition) {
            (_, stored) throws(ClusterError) in
            guard stored.map(\.digest) == digests else { throw .invalidPart }
            return ClusterNode.ChosenParts(extents: stored.map(\.extent), checksum: nil)
        }
    }

    /// True where it was done, heard of or not.
    private func complete(
        _ plan: MultipartPlan, _ upload: UploadPlace, _ parts: SentParts
    ) async -> Bool {
        let tag = plan.content.tag(isUpload: true)
        history.expect(plan.content, behind: tag.description)
        let isDone = Outcome<Bool>()
        let isSure = parts.isSure
        await change(
            plan.place, .put(tag.description), plan.condition, attempts: Self.attemptsMax,
            isFinishedByOthers: true
        ) { (node) throws(ClusterError) in
            do throws(ClusterError) {
                let result = try await Self.complete(node, upload, plan, tag)
                isDone.settle(true)
                return Done(existed: !result.created, tag: result.version.etag)
            } catch {
                // A part that was sent before and not heard of may have come meanwhile.
                throw error == .invalidPart && !isSure ? .noSuchUpload : error
            }
        }
        return isDone.isSettled
    }
}
