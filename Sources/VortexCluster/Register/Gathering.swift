internal import VortexCore
internal import VortexStore

/// The answers of a partition's owners to one question, collected until they decide it: nobody
/// waits for the slowest.
extension Coordinator {
    enum GatheredPromises: Sendable {
        case found(Promises)
        /// Rejected, or the layout changed: again from phase 1 with a fresh ballot.
        case again
        case failed(ClusterError)
    }

    enum GatheredAccepts: Sendable {
        case accepted
        case again(mayTakeEffect: Bool)
        case failed(ClusterError, mayTakeEffect: Bool)

        var mayTakeEffect: Bool {
            switch self {
            case .accepted: true
            case .again(let mayTakeEffect), .failed(_, let mayTakeEffect): mayTakeEffect
            }
        }
    }

    enum GatheredReads: Sendable {
        case agreed(RegisterValue?)
        case differ
        case again
        case staleGeneration
        case failed(ClusterError)
    }

    func isMine(_ place: LayoutView.Place) -> Bool {
        place.quorum.owners == [node] && place.quorum.previous.isEmpty
    }

    func anOwner(_ node: NodeID) -> any Owner {
        node == self.node ? owner : RemoteOwner(node: node, peers: peers)
    }

    // MARK: Phase 1

    /// `waits`: for all, for a moment: what only the slowest has is to be found, too.
    func gatherPromises(
        _ key: RowKey, _ ballot: Ballot, _ generation: UInt64?, _ place: LayoutView.Place,
        waits: Bool
    ) async -> GatheredPromises {
        if isMine(place) {
            return onlyPromise(
                await owner.prepare(key, ballot, generation: generation, epoch: place.epoch))
        }
        return await withTaskGroup(of: (NodeID, PrepareAnswer)?.self) { group in
            for node in place.quorum.members {
                group.addTask { await self.prepare(node, key, ballot, generation, place.epoch) }
            }
            var promises:
                [(node: NodeID, accepted: Ballot, value: RegisterValue?, horizon: Ballot)] =
                    []
            var isAgain = false
            var isMet = false
            var answered = 0
            while answered < place.quorum.members.count, let next = await group.next(),
                let (node, answer) = next
            {
                answered += 1
                let (wasAgain, wasMet) = (isAgain, isMet)
                switch answer {
                case .promise(let accepted, let value, let horizon):
                    promises.append((node, accepted, value, horizon))
                case .reject(let promised):
                    self.observe(promised)
                    isAgain = true
                // Not an owner yet, for its own knowledge: it is only just entering.
                case .failed(.stale), .failed(.notOwner): isAgain = true
                case .staleGeneration:
                    group.cancelAll()
                    return .failed(.staleBucket)
                case .tooFarAhead, .failed: break
                }
                isMet = place.quorum.isMet(by: promises.map(\.node))
                if isMet, !waits { break }
                if isAgain && !wasAgain || isMet && !wasMet {
                    group.addTask { await self.grace() }
                }
            }
            group.cancelAll()
            if isMet { return .found(Promises(promises, quorum: place.quorum)) }
            return isAgain ? .again : .failed(.noQuorum)
        }
    }

    /// Once it is plain that a question must be asked again, or that the answers differ, who is
    /// silent is waited for no longer than this.
    private static let graceMilliseconds: UInt64 = 20

    private func grace<Answer>() async -> (NodeID, Answer)? {
        do throws(CancellationError) {
            try await clock.sleep(milliseconds: Self.graceMilliseconds)
        } catch {
            // Everything was answered.
            return nil
        }
        return nil
    }

    private func prepare(
        _ node: NodeID, _ key: RowKey, _ ballot: Ballot, _ generation: UInt64?, _ epoch: Epoch
    ) async -> (NodeID, PrepareAnswer)? {
        (
            node,
            await anOwner(node).prepare(key, ballot, generation: generation, epoch: epoch)
        )
    }

    private func onlyPromise(_ answer: PrepareAnswer) -> GatheredPromises {
        switch answer {
        case .promise(let accepted, let value, let horizon):
            return .found(
                Promises(accepted: accepted, value: value, isAgreed: true, horizon: horizon))
        case .reject(let promised):
            observe(promised)
            return .again
        case .tooFarAhead: return .failed(.noQuorum)
        case .staleGeneration: return .failed(.staleBucket)
        case .failed(.stale): return .again
        case .failed(let failure): return .failed(failure.clusterError)
        }
    }

    // MARK: Phase 2

    func gatherAccepts(_ request: AcceptRequest, _ place: LayoutView.Place) async -> GatheredAccepts
    {
        if isMine(place) {
            var tally = AcceptTally(quorum: place.quorum)
            tally.add(node, await owner.accept(request, epoch: place.epoch), self)
            return tally.outcome
        }
        return await withTaskGroup(of: (NodeID, AcceptAnswer)?.self) { group in
            // Peers first: their answers come while this node's disk works.
            for node in place.quorum.members where node != self.node {
                group.addTask { await self.accept(node, request, place) }
            }
            if place.quorum.members.contains(self.node) {
                group.addTask { await self.accept(self.node, request, place) }
            }
            var tally = AcceptTally(quorum: place.quorum)
            while tally.answered < place.quorum.members.count, let next = await group.next(),
                let (node, answer) = next
            {
                let wasHopeless = tally.isHopeless
                tally.add(node, answer, self)
                if tally.isMet { break }
                if tally.isHopeless, !wasHopeless { group.addTask { await self.grace() } }
            }
            group.cancelAll()
            guard tally.isMet else {
                // Who has accepted it is ahead of the others if nobody carries it further.
                let outcome = tally.outcome
                if outcome.mayTakeEffect {
                    self.owed.add(row: request.key, reaching: request.ballot)
                }
                return outcome
            }
            // What an owner cannot have, or has refused for the sake of a change that may write
            // nothing, is made equal later. Who is only slow gets it all the same: `accept` hears.
            var isOwed = tally.answered > tally.accepted.count
            for await next in group {
                switch next?.1 {
                case nil, .accepted, .failed(.left): break
                default: isOwed = true
                }
            }
            if isOwed { self.owed.add(row: request.key, reaching: request.ballot) }
            return .accepted
        }
    }

    private struct AcceptTally {
        let quorum: Quorum
        var accepted: [NodeID] = []
        var answered = 0
        var isRejected = false
        var isStale = false
        var mayTakeEffect = false
        var error: ClusterError?

        init(quorum: Quorum) { self.quorum = quorum }

        var isMet: Bool { quorum.isMet(by: accepted) }
        var isHopeless: Bool { isRejected || isStale || error == .staleBucket }

        mutating func add(_ node: NodeID, _ answer: AcceptAnswer, _ coordinator: Coordinator) {
            answered += 1
            switch answer {
            case .accepted: accepted.append(node)
            case .reject(let promised):
                coordinator.observe(promised)
                isRejected = true
            case .superseded(let promised):
                coordinator.observe(promised)
                isRejected = true
                mayTakeEffect = true
            case .missing: error = error ?? .damaged
            case .staleGeneration: error = .staleBucket
            case .failed(let failure):
                if failure.isInDoubt { mayTakeEffect = true }
                if failure == .stale || failure == .notOwner {
                    isStale = true
                } else if error == nil || error == .noQuorum {
                    error = failure.clusterError
                }
            }
        }

        var outcome: GatheredAccepts {
            if isMet { return .accepted }
            let inDoubt =
                mayTakeEffect || !accepted.isEmpty || answered < quorum.members.count
            // A refusal for the bucket's sake stands: a retry that found its own value at one owner
            // would carry it into a bucket that is being deleted.
            if error == .staleBucket {
                return .failed(inDoubt ? .outcomeUnknown : .staleBucket, mayTakeEffect: inDoubt)
            }
            if isRejected || isStale { return .again(mayTakeEffect: inDoubt) }
            return .failed(error ?? .noQuorum, mayTakeEffect: inDoubt)
        }
    }

    /// One owner's answer; bodies that it lacks are brought.
    private func accept(
        _ node: NodeID, _ request: AcceptRequest, _ place: LayoutView.Place
    ) async -> (NodeID, AcceptAnswer)? {
        let answer: AcceptAnswer
        if node == self.node {
            answer = await owner.accept(request, epoch: place.epoch)
        } else {
            let (key, ballot, owed) = (request.key, request.ballot, owed)
            let number = owed.expect(row: true)
            answer = await RemoteOwner(node: node, peers: peers).accept(
                request, epoch: place.epoch,
                late: { isDone in
                    if !isDone { owed.add(row: key, reaching: ballot) }
                    owed.arrived(number)
                })
            if case .failed(.left) = answer {} else { owed.arrived(number) }
        }
        guard case .missing(let blobs) = answer else { return (node, answer) }
        switch await bring(blobs, for: request, to: node, place) {
        case .failure(.damaged): return (node, answer)
        case .failure(let failure): return (node, .failed(failure))
        case .success(let whole):
            return (node, await anOwner(node).accept(whole, epoch: place.epoch))
        }
    }

    // MARK: Reads

    /// This node's own row and the nearest owner's, where those are a quorum: one question and one
    /// answer for a read. nil where that did not decide it in time.
    func readNearest(
        _ key: RowKey, _ generation: UInt64?, _ place: LayoutView.Place
    ) async -> GatheredReads? {
        let owners = place.quorum.owners
        guard place.isOwner, !place.isMigrating, owners.count <= 3 else { return nil }
        let mine = owner.readNow(key, generation: generation, epoch: place.epoch)
        guard case .row(let accepted, let value, _) = mine else { return settled(mine) }
        if owners.count == 1 { return .agreed(value) }
        let others = peers.order(owners.filter { $0 != node })
        guard let nearest = others.first, !peers.isSuspect(nearest) else { return nil }
        let wait = owners.count == 2 ? Peers.answerMilliseconds : peers.hedgeMilliseconds(nearest)
        let answer = await RemoteOwner(node: nearest, peers: peers).read(
            key, generation: generation, epoch: place.epoch, wait)
        guard case .row(accepted, _, _) = answer else {
            if case .staleGeneration = answer { return .staleGeneration }
            return nil
        }
        return .agreed(value)
    }

    private func settled(_ answer: ReadAnswer) -> GatheredReads? {
        switch answer {
        case .staleGeneration: .staleGeneration
        case .failed(.stale): .again
        case .failed(let failure) where failure == .damaged || failure == .stopped: nil
        case .failed, .row: nil
        }
    }

    func gatherReads(
        _ key: RowKey, _ generation: UInt64?, _ place: LayoutView.Place
    ) async -> GatheredReads {
        if isMine(place) {
            let answer = owner.readNow(key, generation: generation, epoch: place.epoch)
            guard case .failed(let failure) = answer, failure != .stale else { return .again }
            return .failed(failure.clusterError)
        }
        return await withTaskGroup(of: (NodeID, ReadAnswer)?.self) { group in
            for node in place.quorum.members {
                group.addTask { await self.read(node, key, generation, place.epoch) }
            }
            var reports: [(node: NodeID, accepted: Ballot)] = []
            var values: [(accepted: Ballot, value: RegisterValue?)] = []
            var isStale = false
            var isWaiting = false
            var answered = 0
            while answered < place.quorum.members.count, let next = await group.next(),
                let (node, answer) = next
            {
                answered += 1
                switch answer {
                case .row(let accepted, let value, _):
                    reports.append((node, accepted))
                    values.append((accepted, value))
                case .staleGeneration:
                    group.cancelAll()
                    return .staleGeneration
                case .failed(.stale), .failed(.notOwner): isStale = true
                case .failed: break
                }
                let isQuorum = place.quorum.isMet(by: reports.map(\.node))
                let highest = values.map(\.accepted).max()
                let agreed =
                    place.quorum.agreed(reports)
                    ?? (isQuorum && omitted.contains(.fastAgree) ? highest : nil)
                if let agreed {
                    group.cancelAll()
                    let found = values.first { $0.accepted == agreed }
                    return .agreed(found?.value)
                }
                if !isWaiting, isStale || isQuorum {
                    isWaiting = true
                    group.addTask { await self.grace() }
                }
            }
            group.cancelAll()
            if isStale { return .again }
            let isQuorum = place.quorum.isMet(by: reports.map(\.node))
            return isQuorum ? .differ : .failed(.noQuorum)
        }
    }

    private func read(
        _ node: NodeID, _ key: RowKey, _ generation: UInt64?, _ epoch: Epoch
    ) async -> (NodeID, ReadAnswer)? {
        (node, await anOwner(node).read(key, generation: generation, epoch: epoch))
    }
}
