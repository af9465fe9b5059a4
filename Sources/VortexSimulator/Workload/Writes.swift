internal import VortexCluster
internal import VortexCore

/// Puts and deletes, with retries of what carries an idempotency key.
extension SimulatedClient {
    static let attemptsMax = 4

    struct PutPlan: Sendable {
        var place: History.Place
        var content: Content
        var condition: WriteCondition
        var isIdempotent: Bool
        /// The client goes away behind so many bytes.
        var breakAt: Int?
    }

    func put(_ plan: PutPlan) async {
        let tag = plan.content.tag(isUpload: false).description
        history.expect(plan.content, behind: tag)
        let key = plan.isIdempotent ? newIdempotencyKey() : nil
        let (hasLength, pause) = (entropy.happens(perMille: 700), entropy.within(0..<3_000_000))
        let executor = executor
        await change(
            plan.place, .put(tag), plan.condition, attempts: key == nil ? 1 : Self.attemptsMax
        ) { (node) throws(ClusterError) in
            let body = SimulatedBody(
                plan.content, hasLength: hasLength, breakAt: plan.breakAt,
                pauseNanoseconds: pause, executor: executor)
            let result = try await node.put(
                bucket: plan.place.bucket, key: Array(plan.place.key.utf8),
                attributes: ObjectAttributes(), condition: plan.condition, idempotency: key,
                body: body)
            return Done(
                existed: !result.created, tag: result.version.etag,
                version: result.isVersioned || plan.place.isKept ? result.version.name : nil)
        }
    }

    func delete(
        _ place: History.Place, _ condition: WriteCondition, isIdempotent: Bool
    ) async {
        let key = isIdempotent ? newIdempotencyKey() : nil
        await change(
            place, .delete, condition, attempts: key == nil ? 1 : Self.attemptsMax
        ) { (node) throws(ClusterError) in
            let result = try await node.delete(
                bucket: place.bucket, key: Array(place.key.utf8), condition: condition,
                idempotency: key)
            return Done(existed: result.existed, tag: nil, version: result.version)
        }
    }

    private func newIdempotencyKey() -> IdempotencyKey {
        IdempotencyKey(
            keyHash: Digest128(high: entropy.next(), low: entropy.next()),
            requestHash: Digest128(high: 0, low: UInt64(number)))
    }

    struct Done: Sendable {
        var existed: Bool?
        var tag: String?
        /// Of a bucket that keeps versions: the one that was made.
        var version: VersionName?
    }

    /// One change, asked for until its outcome is known or the attempts are used up. It takes
    /// effect once at most: if it is acknowledged, between its first attempt and that answer. Where
    /// the bucket may go and another of its name come meanwhile, that is so in each of them: the
    /// answers that are owed to retries go with the bucket.
    ///
    /// `isFinishedByOthers`: the completing of an upload, which whoever finds it half done goes on
    /// with: a refusal may be that of an attempt before, and one that found no quorum leaves it
    /// open.
    func change(
        _ place: History.Place, _ action: RegisterOperation.Action, _ condition: WriteCondition,
        attempts: Int, isFinishedByOthers: Bool = false,
        _ body: @escaping @Sendable (ClusterNode) async throws(ClusterError) -> Done
    ) async {
        let start = history.moment()
        var isOpen = false
        var behind: [UInt64] = []
        defer { for began in behind { leaveBehind(place, action, condition, since: began) } }
        for attempt in 0..<attempts {
            if attempt > 0 {
                _ = await executor.sleep(nanoseconds: entropy.within(1_000_000..<200_000_000))
            }
            let began = history.moment()
            switch await ask("\(action) \(place.key)", body) {
            case .value(var done):
                // What a complete that was cut short found, its retry does not know.
                if isFinishedByOthers, attempt > 0 { done.existed = nil }
                if case .put(let tag) = action, done.tag != tag {
                    verdict.fail("\(place.key): stored \(tag), acknowledged \(done.tag ?? "")")
                }
                if let version = done.version, place.isKept {
                    noteVersion(version, of: place, action, since: start)
                }
                note(place, action, condition, .done(existed: done.existed), since: start)
                return noteBucket(place, isThere: true, since: start)
            case .error(let error):
                refused(
                    place, action, condition, error, since: isFinishedByOthers ? start : began)
                let leavesOpen =
                    error.leavesChangeOpen || isFinishedByOthers && error.isPassing
                isOpen = isOpen || leavesOpen
                if !leavesOpen, !error.isPassing {
                    return leaveOpen(isOpen, place, action, condition, since: start)
                }
                moveOn()
                if leavesOpen { behind.append(began) }
            case .lost:
                isOpen = true
                behind.append(began)
            case .unsent: return leaveOpen(isOpen, place, action, condition, since: start)
            }
        }
        leaveOpen(isOpen, place, action, condition, since: start)
    }

    /// The attempt may have taken effect in a bucket that is gone when the next one is made.
    private func leaveBehind(
        _ place: History.Place, _ action: RegisterOperation.Action, _ condition: WriteCondition,
        since start: UInt64
    ) {
        history.leaveBehind(
            place,
            RegisterOperation(
                client: number, start: start, end: history.moment(), action: action,
                condition: RegisterOperation.Condition(condition), result: .unknown))
    }

    private func leaveOpen(
        _ isOpen: Bool, _ place: History.Place, _ action: RegisterOperation.Action,
        _ condition: WriteCondition, since start: UInt64
    ) {
        guard isOpen else { return }
        note(place, action, condition, .unknown, since: start)
        if place.isKept { leaveVersionOpen(of: place, action, since: start) }
    }

    /// What an attempt's failure says about the key.
    private func refused(
        _ place: History.Place, _ action: RegisterOperation.Action, _ condition: WriteCondition,
        _ error: ClusterError, since start: UInt64
    ) {
        switch error {
        case .preconditionFailed:
            note(place, action, condition, .conditionFailed, since: start)
            noteBucket(place, isThere: true, since: start)
        case .noSuchBucket:
            noteRead(place, nil, since: start)
            noteBucket(place, isThere: false, since: start)
        case .noQuorum, .busy, .full, .outcomeUnknown, .stopped, .damaged, .bodyAborted,
            .bodyEndedEarly, .uploadExpired, .uploadBusy, .tooManyUploads, .tooManyVersions,
            .noSuchUpload:
            break
        default: verdict.fail("\(place.key): \(action) answered \(error)")
        }
    }
}
