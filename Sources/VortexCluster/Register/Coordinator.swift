internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Runs changes and reads of registers over their owners: register-protocol.md, Operations. The
/// decisions are values (`Proposal`, `Promises`, `Quorum`); `Gathering.swift` collects the answers
/// that they are made on.
final class Coordinator: Sendable {
    let node: NodeID
    let owner: LocalOwner
    let book: LayoutBook
    let peers: Peers
    let owed: OwedCopies
    let latch = KeyLatch()
    let clock: any Clock
    let entropy: any Entropy
    var omitted: Omissions { book.omitted }
    private let hybrid: Mutex<HybridClock>
    private let agreedBoot = Atomic<UInt32>(0)

    private static let backOffMilliseconds: UInt64 = 1
    /// A change or a read gives up after this long; who changes is told that the outcome is unknown
    /// where it is.
    private static let millisecondsMax: UInt64 = 10_000

    init(
        owner: LocalOwner, peers: Peers, owed: OwedCopies, clock: any Clock, entropy: any Entropy
    ) {
        node = owner.node
        self.owed = owed
        self.owner = owner
        book = owner.book
        self.peers = peers
        self.clock = clock
        self.entropy = entropy
        hybrid = Mutex(HybridClock(last: owner.floor.clock))
    }

    /// Set once, when the node has entered: no ballot is made before.
    var boot: UInt32 {
        get { agreedBoot.load(ordering: .acquiring) }
        set { agreedBoot.store(newValue, ordering: .releasing) }
    }

    /// The attempts of one change or read: as many as there is time for. Upkeep's, which nobody
    /// waits for, leave a row that others fight over and come back.
    private struct Attempts {
        let failuresMax = 16
        var numberMax = Int.max
        var number = 0
        /// Those that found no quorum.
        var failures = 0
        let endNanoseconds: UInt64

        /// Backs off before all but the first; false when it is time to give up.
        mutating func next(_ coordinator: Coordinator) async -> Bool {
            defer { number += 1 }
            if number == 0 { return true }
            await coordinator.backOff(number)
            return failures < failuresMax && number < numberMax
                && coordinator.clock.monotonicNanoseconds < endNanoseconds
        }
    }
    private var attempts: Attempts {
        Attempts(endNanoseconds: clock.monotonicNanoseconds + Self.millisecondsMax * 1_000_000)
    }

    /// What a change found, and what it makes of it.
    enum Computed<Answer: Sendable> {
        case write(RowContent, bodies: [ChunkWrite], Answer)
        /// A failed condition, a delete of what is absent: final only where what was found is
        /// chosen.
        case nothing(Result<Answer, ClusterError>)
    }

    struct Change {
        var key: RowKey
        /// nil: a read that writes back.
        var id: ChangeID?
        /// The bucket's generation, for changes that owners must refuse under a newer one.
        var generation: UInt64?
        /// Writes even what is agreed and unchanged.
        var isForced = false
        /// Gives up where it is asked again: so it must not be asked only to look.
        var isOnce = false
        /// It may well write nothing: a read tells before a ballot disturbs others.
        var looksFirst = false

        func made(_ value: RegisterValue) -> Bool { id != nil && value.change == id }

        /// A look at what others have seen may be its answer.
        var mayBeRefusedBySight: Bool { id != nil && !isForced && !isOnce }

        /// A read that has to write back and has no room to gets no answer now.
        func failure(_ error: ClusterError) -> ClusterError {
            if case .full = error, id == nil { .noQuorum } else { error }
        }
    }

    /// Applies `compute` to the register, linearizably. `compute` may be asked again, on newer
    /// content, as long as no earlier value of it can be in effect; a throw of it is an answer that
    /// writes nothing.
    func change<Answer: Sendable>(
        _ change: Change,
        _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>
    ) async throws(ClusterError) -> Answer {
        let turn = try await latch.acquire(change.key)
        var sight = turn.sight
        defer { latch.release(change.key, leaving: sight) }
        if turn.hasWaited || change.looksFirst, let answer = await glance(change, compute, &sight) {
            return try answer.get()
        }
        return try await propose(change, compute, &sight)
    }

    /// What comes of a change that writes nothing to what is there: without a ballot, which would
    /// have others' rejected. `sight` is used where there is one, else a read.
    private func glance<Answer: Sendable>(
        _ change: Change, _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>,
        _ sight: inout KeyLatch.Sight?
    ) async -> Result<Answer, ClusterError>? {
        guard change.mayBeRefusedBySight else { return nil }
        if sight == nil || sight?.generation != change.generation { sight = await look(change) }
        return sight.flatMap { refusal(change, compute, $0) }
    }

    /// A read for all those who wait for the row.
    private func look(_ change: Change) async -> KeyLatch.Sight? {
        let ticket = latch.lastTicket
        let place = book.view[change.key]
        var read = await readNearest(change.key, change.generation, place)
        if read == nil { read = await gatherReads(change.key, change.generation, place) }
        guard case .agreed(let value) = read else { return nil }
        return KeyLatch.Sight(value: value, ticketMax: ticket, generation: change.generation)
    }

    private func refusal<Answer: Sendable>(
        _ change: Change, _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>,
        _ sight: KeyLatch.Sight
    ) -> Result<Answer, ClusterError>? {
        guard sight.value?.past.contains(where: { $0.change == change.id }) != true else {
            return nil
        }
        let found = Promises(accepted: .none, value: sight.value, isAgreed: true, horizon: .none)
        do throws(ClusterError) {
            let step = try apply(compute, of: change, to: found, at: .none)
            return step.value == nil ? step.answer : nil
        } catch { return nil }
    }

    /// `sight`: set to what is known of the row in the end, for those who wait.
    private func propose<Answer: Sendable>(
        _ change: Change, _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>,
        _ sight: inout KeyLatch.Sight?
    ) async throws(ClusterError) -> Answer {
        var course = Course<Answer>(
            proposal: Proposal(change: change.id, isForced: change.isForced, omitted: omitted))
        // Something that was sent may be in effect, or come to be.
        var isInDoubt = false
        var attempts = attempts
        if change.isForced { attempts.numberMax = attempts.failuresMax }
        while await attempts.next(self) {
            if attempts.number > 1, course.sent.isEmpty {
                // Who outran this one may have won.
                sight = nil
                if let answer = await glance(change, compute, &sight) { return try answer.get() }
            }
            let ballot = nextBallot()
            let place = book.view[change.key]
            let found: Promises
            switch await gatherPromises(
                change.key, ballot, change.generation, place, waits: change.isForced)
            {
            case .found(let promises): found = promises
            case .again: continue
            case .failed(let error):
                guard isInDoubt else { throw error }
                attempts.failures += 1
                continue
            }
            let (request, answer): (AcceptRequest, Result<Answer, ClusterError>)
            switch try decide(change, compute, on: found, at: ballot, &course) {
            case .answer(let answer): return try answer.get()
            case .send(let made, let promised): (request, answer) = (made, promised)
            }
            let isOurs = change.made(request.value)
            let second = omitted.contains(.oneEpoch) ? book.view[change.key] : place
            let ticket = latch.lastTicket
            switch await gatherAccepts(request, second) {
            case .accepted:
                // A write-back's accept says nothing of the bucket's settings.
                sight =
                    request.generation != change.generation
                    ? nil
                    : KeyLatch.Sight(
                        value: request.value, ticketMax: ticket, generation: change.generation)
                return try answer.get()
            case .again(let mayTakeEffect): isInDoubt = isInDoubt || (isOurs && mayTakeEffect)
            case .failed(let error, let mayTakeEffect):
                isInDoubt = isInDoubt || (isOurs && mayTakeEffect)
                if !isInDoubt { throw change.failure(error) }
                attempts.failures += 1
                if error == .stopped || place.quorum.members == [node] { throw .outcomeUnknown }
            }
        }
        throw isInDoubt ? .outcomeUnknown : .noQuorum
    }

    private struct Course<Answer: Sendable> {
        var proposal: Proposal
        /// By base: of several attempts that computed anew an earlier one may have taken effect.
        var sent: [Ballot: Answer] = [:]
    }

    private enum Decision<Answer: Sendable> {
        case answer(Result<Answer, ClusterError>)
        /// And what it is answered with once it is chosen.
        case send(AcceptRequest, Result<Answer, ClusterError>)
    }

    /// What phase 1 comes to.
    private func decide<Answer: Sendable>(
        _ change: Change, _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>,
        on found: Promises, at ballot: Ballot, _ course: inout Course<Answer>
    ) throws(ClusterError) -> Decision<Answer> {
        func request(
            _ value: RegisterValue, _ bodies: [ChunkWrite], _ generation: UInt64?
        ) -> AcceptRequest {
            AcceptRequest(
                key: change.key, ballot: ballot, value: value, bodies: bodies,
                generation: generation, milliseconds: clock.wallMilliseconds)
        }
        switch course.proposal.onPromises(found) {
        case .unknown: throw .outcomeUnknown
        case .inEffect(let value):
            guard let own = found.base(of: change.id).flatMap({ course.sent[$0] }) else {
                throw .outcomeUnknown
            }
            guard let value else { return .answer(.success(own)) }
            // By the same settings as when it was sent: what one owner alone has must not be
            // carried into a bucket that was found empty meanwhile.
            return .send(request(value, [], change.generation), .success(own))
        case .compute:
            let step = try apply(compute, of: change, to: found, at: ballot)
            switch course.proposal.onComputed(step.value, on: found) {
            case .answer: return .answer(step.answer)
            case .unknown: throw .outcomeUnknown
            case .send(let value):
                course.proposal.sends(value, at: ballot)
                let isOurs = change.made(value)
                if isOurs { course.sent[value.base] = try step.answer.get() }
                return .send(
                    request(value, step.bodies, isOurs ? change.generation : nil), step.answer)
            }
        }
    }

    private struct Step<Answer> {
        var value: RegisterValue?
        var bodies: [ChunkWrite]
        var answer: Result<Answer, ClusterError>
    }

    private func apply<Answer: Sendable>(
        _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>, of change: Change,
        to found: Promises, at ballot: Ballot
    ) throws(ClusterError) -> Step<Answer> {
        let content = try Self.content(found.value, of: change.key)
        let computed: Computed<Answer>
        do throws(ClusterError) { computed = try compute(content) } catch {
            computed = .nothing(.failure(error))
        }
        switch computed {
        case .nothing(let answer): return Step(value: nil, bodies: [], answer: answer)
        case .write(let content, let bodies, let answer):
            guard let id = change.id else { preconditionFailure("a read writes nothing new") }
            let value = RegisterValue(
                change: id, base: found.seen,
                over: found.value?.past(at: ballot.clock) ?? [],
                isTombstone: content.isTombstone, bodies: content.rowBodies,
                content: content.encoded)
            do throws(ClusterError) {
                try Self.checkSize(of: value, content, over: found.value)
            } catch { return Step(value: nil, bodies: [], answer: .failure(error)) }
            return Step(value: value, bodies: bodies, answer: .success(answer))
        }
    }

    /// A row with versions that grows keeps room for what deleting some of them needs.
    private static func checkSize(
        of value: RegisterValue, _ content: RowContent, over found: RegisterValue?
    ) throws(ClusterError) {
        let bytes = value.content.count
        guard case .object(let row) = content, row.versions.count > 1 else {
            guard bytes <= Limits.rowBytesMax else { throw .metadataTooLarge }
            return
        }
        let isNoLarger = bytes <= found?.content.count ?? 0
        let most = isNoLarger ? Limits.rowBytesMax : Limits.rowBytesMax - Limits.rowReserveBytes
        guard bytes <= most else { throw .tooManyVersions }
    }

    // MARK: Reading

    /// A linearizable read. With `generation`, throws `.staleBucket` where an owner knows a newer
    /// one of the bucket's settings.
    func read(
        _ key: RowKey, generation: UInt64? = nil
    ) async throws(ClusterError) -> RowContent {
        try Self.content(try await value(of: key, generation: generation), of: key)
    }

    private func value(
        of key: RowKey, generation: UInt64?
    ) async throws(ClusterError) -> RegisterValue? {
        var attempts = attempts
        while await attempts.next(self) {
            let place = book.view[key]
            var read = await readNearest(key, generation, place)
            if read == nil { read = await gatherReads(key, generation, place) }
            switch read {
            case .agreed(let value): return value
            case .differ: return try await readThrough(key)
            case .staleGeneration: throw .staleBucket
            case .again, nil: continue
            case .failed(let error): throw error
            }
        }
        throw .noQuorum
    }

    /// The owners differ: what is found is chosen before it is told.
    private func readThrough(_ key: RowKey) async throws(ClusterError) -> RegisterValue? {
        let content = try await change(Change(key: key, id: nil)) {
            (found) throws(ClusterError) -> Computed<RowContent> in .nothing(.success(found))
        }
        guard content != .nothing else { return nil }
        return RegisterValue(
            change: .zero, base: .none, over: [], isTombstone: content.isTombstone,
            bodies: content.rowBodies, content: content.encoded)
    }

    static func content(
        _ value: RegisterValue?, of key: RowKey
    ) throws(ClusterError) -> RowContent {
        do throws(CodingError) {
            return try RowContent(value?.content ?? [], of: key)
        } catch { throw .damaged }
    }

    // MARK: Ballots

    func nextBallot() -> Ballot {
        precondition(boot > 0, "no ballot before the node has entered")
        let now = clock.wallMilliseconds
        return Ballot(
            clock: hybrid.withLock { $0.next(milliseconds: now) }, node: node,
            boot: omitted.contains(.uniqueBallot) ? 0 : boot)
    }

    /// The next ballot is above this one.
    func observe(_ ballot: Ballot) { hybrid.withLock { $0.observe(ballot.clock) } }

    func backOff(_ attempt: Int) async {
        let most = Self.backOffMilliseconds << UInt64(min(attempt, 6))
        let jitter = entropy.next() % most
        do throws(CancellationError) { try await clock.sleep(milliseconds: 1 + jitter) } catch {
            // Cancelled: the next attempt finds out what is true, and is the last that matters.
            return
        }
    }
}

extension ClusterError {
    init(_ error: StoreError) {
        switch error {
        case .full(let available): self = .full(availableBytes: available)
        case .disk, .stopped, .index, .refused: self = .stopped
        case .damaged, .notFound, .coding: self = .damaged
        }
    }
}
