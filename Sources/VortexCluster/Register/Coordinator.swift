internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Runs changes and reads of registers over their owners: register-protocol.md, Operations.
///
/// A cluster of one asks its own store directly; the gathering of several owners' answers has its
/// place in `gatherPromises` and `gatherAccepts`, and the decisions (`Proposal`) are the same.
final class Coordinator: Sendable {
    let node: NodeID
    let boot: UInt32
    let owner: LocalOwner
    let latch = KeyLatch()
    private let clock: any Clock
    private let entropy: any Entropy
    private let hybrid: Mutex<HybridClock>
    private let epoch = Epoch(number: 1)

    private static let attemptsMax = 6
    private static let backOffMilliseconds: UInt64 = 5

    init(node: NodeID, boot: UInt32, owner: LocalOwner, clock: any Clock, entropy: any Entropy) {
        self.node = node
        self.boot = boot
        self.owner = owner
        self.clock = clock
        self.entropy = entropy
        hybrid = Mutex(HybridClock(last: owner.floor.clock))
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
        var id: ChangeID
        /// The bucket's generation, for changes that owners must refuse under a newer one.
        var generation: UInt64?
        /// Writes even what is agreed and unchanged.
        var isForced = false
    }

    /// Applies `compute` to the register, linearizably. `compute` may be asked again, on newer
    /// content, as long as no earlier value of it can be in effect; a throw of it is an answer that
    /// writes nothing.
    func change<Answer: Sendable>(
        _ change: Change,
        _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>
    ) async throws(ClusterError) -> Answer {
        try await latch.acquire(change.key)
        defer { latch.release(change.key) }
        var proposal = Proposal(change: change.id, isForced: change.isForced)
        var sent: Answer?
        for attempt in 0..<Self.attemptsMax {
            if attempt > 0 { await backOff(attempt) }
            let ballot = nextBallot()
            guard let found = try await gatherPromises(change.key, ballot, proposal) else {
                continue
            }
            switch proposal.onPromises(found) {
            case .unknown: throw .outcomeUnknown
            case .inEffect(let value):
                if let value {
                    let request = AcceptRequest(
                        key: change.key, ballot: ballot, value: value, bodies: [],
                        generation: nil, milliseconds: clock.wallMilliseconds)
                    guard try await gatherAccepts(request, proposal) else { continue }
                }
                guard let sent else { throw .outcomeUnknown }
                return sent
            case .compute:
                let step = try apply(compute, of: change, to: found)
                switch proposal.onComputed(step.value, on: found) {
                case .answer: return try step.answer.get()
                case .unknown: throw .outcomeUnknown
                case .send(let value):
                    proposal.sends(value, at: ballot)
                    let isOurs = value.change == change.id
                    if isOurs { sent = try step.answer.get() }
                    let request = AcceptRequest(
                        key: change.key, ballot: ballot, value: value, bodies: step.bodies,
                        generation: isOurs ? change.generation : nil,
                        milliseconds: clock.wallMilliseconds)
                    guard try await gatherAccepts(request, proposal) else { continue }
                    return try step.answer.get()
                }
            }
        }
        throw proposal.first == nil ? .noQuorum : .outcomeUnknown
    }

    private struct Step<Answer> {
        var value: RegisterValue?
        var bodies: [ChunkWrite]
        var answer: Result<Answer, ClusterError>
    }

    private func apply<Answer: Sendable>(
        _ compute: (RowContent) throws(ClusterError) -> Computed<Answer>, of change: Change,
        to found: Promises
    ) throws(ClusterError) -> Step<Answer> {
        let content = try Self.content(found.value, of: change.key)
        let computed: Computed<Answer>
        do throws(ClusterError) { computed = try compute(content) } catch {
            computed = .nothing(.failure(error))
        }
        switch computed {
        case .nothing(let answer): return Step(value: nil, bodies: [], answer: answer)
        case .write(let content, let bodies, let answer):
            let value = RegisterValue(
                change: change.id, base: found.seen, over: found.value?.change,
                isTombstone: content.isTombstone, bodies: content.rowBodies,
                content: content.encoded)
            guard value.content.count <= Limits.rowBytesMax else { throw .metadataTooLarge }
            return Step(value: value, bodies: bodies, answer: .success(answer))
        }
    }

    /// A linearizable read. One owner's answer is a quorum's, and agreed.
    func read(_ key: RowKey) throws(ClusterError) -> RowContent {
        switch owner.read(key) {
        case .failed(let error): throw ClusterError(error)
        case .row(_, let value, _): return try Self.content(value, of: key)
        }
    }

    static func content(
        _ value: RegisterValue?, of key: RowKey
    ) throws(ClusterError) -> RowContent {
        do throws(CodingError) {
            return try RowContent(value?.content ?? [], of: key)
        } catch { throw .damaged }
    }

    // MARK: Phases

    /// nil: rejected, with the clock moved past the higher ballot.
    private func gatherPromises(
        _ key: RowKey, _ ballot: Ballot, _ proposal: Proposal
    ) async throws(ClusterError) -> Promises? {
        switch await owner.prepare(key, ballot, epoch: epoch) {
        case .promise(let accepted, let value, let horizon):
            return Promises(
                accepted: accepted, value: value, isAgreed: true, horizon: horizon)
        case .reject(let promised):
            hybrid.withLock { $0.observe(promised.clock) }
            return nil
        case .tooFarAhead: throw proposal.first == nil ? .noQuorum : .outcomeUnknown
        case .failed(let error):
            throw proposal.first == nil ? ClusterError(error) : .outcomeUnknown
        }
    }

    /// False: rejected.
    private func gatherAccepts(
        _ request: AcceptRequest, _ proposal: Proposal
    ) async throws(ClusterError) -> Bool {
        switch await owner.accept(request, epoch: epoch) {
        case .accepted: return true
        case .reject(let promised):
            hybrid.withLock { $0.observe(promised.clock) }
            return false
        case .missing: throw .damaged
        // The only owner has refused at this ballot, so nothing of it can surface.
        case .staleGeneration: throw .busy
        case .failed(.full(let available)): throw .full(availableBytes: available)
        case .failed(.stopped): throw .stopped
        case .failed: throw .outcomeUnknown
        }
    }

    private func nextBallot() -> Ballot {
        let now = clock.wallMilliseconds
        return Ballot(
            clock: hybrid.withLock { $0.next(milliseconds: now) }, node: node, boot: boot)
    }

    private func backOff(_ attempt: Int) async {
        let jitter = entropy.next() % (Self.backOffMilliseconds << UInt64(attempt))
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
