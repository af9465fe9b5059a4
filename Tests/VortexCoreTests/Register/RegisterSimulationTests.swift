import Testing
import VortexCore

/// One register on three owners under lost, delayed and reordered messages, restarts and dropped
/// bare rows, with the production's own decisions (`Acceptor`, `Proposal`). Clients increment a
/// counter by compare-and-set, so every effective change is visible in the end: no increment that
/// was answered may be missing, none that failed may be there, none may be there twice.
private struct RegisterSimulation {
    struct OwnerState {
        var row: Acceptor.Row?
        var value: RegisterValue?
        var acceptor = Acceptor(horizon: .none, floor: .none, ceiling: .none)
    }
    struct LateAccept {
        var owner: Int
        var ballot: Ballot
        var value: RegisterValue
    }
    enum Outcome { case done(UInt8), failed, unknown }

    var random: SeededGenerator
    var owners = [OwnerState](repeating: OwnerState(), count: 3)
    var late: [LateAccept] = []
    var clock = HybridClock()
    var time: UInt64 = 1
    /// What clients were told: the counter after their increment.
    var answered: [UInt8] = []
    var unknown = 0
    var number: UInt64 = 0
    /// Coordinators that run inside one another: one acts between two messages of the other.
    var depth = 0
    let quorum = Quorum(owners: (0..<3).map { NodeID($0) })

    mutating func chance(_ oneIn: UInt64) -> Bool { random.next(upperBound: oneIn) == 0 }

    mutating func prepare(
        _ index: Int, _ ballot: Ballot
    ) -> (NodeID, Ballot, RegisterValue?, Ballot)? {
        let owner = owners[index]
        var decision = owner.acceptor.onPrepare(ballot, row: owner.row, wallMilliseconds: time)
        if case .raiseCeiling(let ceiling) = decision {
            owners[index].acceptor.ceiling = ceiling
            decision = owners[index].acceptor.onPrepare(
                ballot, row: owner.row, wallMilliseconds: time)
        }
        switch decision {
        case .promise: break
        case .reject(let promised):
            clock.observe(promised.clock)
            return nil
        case .raiseCeiling, .tooFarAhead: return nil
        }
        let accepted = owner.row?.accepted ?? .none
        owners[index].row = Acceptor.Row(
            promised: ballot, accepted: accepted, isTombstone: false)
        return (NodeID(UInt64(index)), accepted, owner.value, owner.acceptor.horizon)
    }

    mutating func accept(_ index: Int, _ ballot: Ballot, _ value: RegisterValue) -> Bool {
        let owner = owners[index]
        guard case .accept(let promised) = owner.acceptor.onAccept(ballot, row: owner.row) else {
            return false
        }
        owners[index].row = Acceptor.Row(
            promised: promised, accepted: ballot, isTombstone: false)
        owners[index].value = value
        return true
    }

    /// A restart forgets promises, a full table drops bare rows, late messages arrive.
    mutating func disturb() {
        time += random.next(upperBound: 3 as UInt64)
        let index = Int(random.next(upperBound: 3 as UInt64))
        if depth < 3, chance(8) { client(lossOneIn: 4) }
        if chance(6) {
            owners[index].acceptor.floor = owners[index].acceptor.ceiling
            if let row = owners[index].row {
                let kept = Acceptor.Row(
                    promised: row.accepted, accepted: row.accepted, isTombstone: false)
                owners[index].row = row.isBare ? Optional.none : .some(kept)
            }
        }
        if chance(6), let row = owners[index].row,
            let horizon = owners[index].acceptor.onDrop(row)
        {
            owners[index].row = nil
            owners[index].acceptor.horizon = horizon
        }
        if !late.isEmpty, chance(2) {
            let message = late.remove(
                at: Int(random.next(upperBound: UInt64(late.count))))
            _ = accept(message.owner, message.ballot, message.value)
        }
    }

    mutating func promises(_ ballot: Ballot, lossOneIn: UInt64) -> Promises? {
        var answers: [(node: NodeID, accepted: Ballot, value: RegisterValue?, horizon: Ballot)] =
            []
        for index in (0..<3).shuffled(using: &random) where !chance(lossOneIn) {
            if let answer = prepare(index, ballot) { answers.append(answer) }
            if chance(4) { disturb() }
        }
        return quorum.isMet(by: answers.map(\.node))
            ? Promises(answers, quorum: quorum) : nil
    }

    mutating func accepts(
        _ ballot: Ballot, _ value: RegisterValue, lossOneIn: UInt64
    ) -> Bool {
        var accepted: [NodeID] = []
        for index in (0..<3).shuffled(using: &random) {
            if chance(lossOneIn) {
                if chance(2) {
                    late.append(LateAccept(owner: index, ballot: ballot, value: value))
                }
            } else if accept(index, ballot, value), !chance(lossOneIn) {
                accepted.append(NodeID(UInt64(index)))
            }
            if chance(4) { disturb() }
        }
        return quorum.isMet(by: accepted)
    }

    /// Increments the counter where it is `expected`.
    mutating func increment(
        _ number: UInt64, over expected: UInt8?, lossOneIn: UInt64, attempts: Int
    ) -> Outcome {
        var proposal = Proposal(change: ChangeID(high: 1, low: number))
        var sent: UInt8 = 0
        for _ in 0..<attempts {
            disturb()
            let ballot = Ballot(
                clock: clock.next(milliseconds: time), node: NodeID(number % 2), boot: 1)
            guard let found = promises(ballot, lossOneIn: lossOneIn) else { continue }
            var new: RegisterValue?
            let current = found.value?.content.first
            switch proposal.onPromises(found) {
            case .unknown: return .unknown
            case .inEffect(let value):
                if let value, !accepts(ballot, value, lossOneIn: lossOneIn) { continue }
                return .done(sent)
            case .compute:
                if expected == nil || expected == current ?? 0 {
                    new = RegisterValue(
                        change: ChangeID(high: 1, low: number), base: found.seen,
                        over: found.value?.past(at: ballot.clock) ?? [], isTombstone: false,
                        bodies: [], content: [(current ?? 0) + 1])
                }
            }
            switch proposal.onComputed(new, on: found) {
            case .answer: return .failed
            case .unknown: return .unknown
            case .send(let value):
                proposal.sends(value, at: ballot)
                if new != nil { sent = value.content[0] }
                guard accepts(ballot, value, lossOneIn: lossOneIn) else { continue }
                return new == nil ? .failed : .done(sent)
            }
        }
        return proposal.first == nil ? .failed : .unknown
    }

    /// One client's increment, of whatever is there or of what it believes to be there.
    mutating func client(lossOneIn: UInt64) {
        depth += 1
        defer { depth -= 1 }
        number += 1
        let isBlind = chance(2)
        let believed = (answered.last ?? 0) + (chance(4) ? 1 : 0)
        let expected = isBlind ? Optional.none : .some(believed)
        switch increment(number, over: expected, lossOneIn: lossOneIn, attempts: 5) {
        case .done(let value): answered.append(value)
        case .failed: break
        case .unknown: unknown += 1
        }
    }
}

@Suite struct RegisterSimulationTests {
    @Test(arguments: 0..<400 as Range<UInt64>)
    func `no answered increment is lost, none that failed shows, none is applied twice`(
        seed: UInt64
    ) {
        var simulation = RegisterSimulation(random: SeededGenerator(seed: Int(seed)))
        while simulation.number < 120 { simulation.client(lossOneIn: 2 + seed % 6) }
        let (answered, unknown) = (simulation.answered, simulation.unknown)
        // No faults any more: the register is read by an increment of its own.
        simulation.late = []
        simulation.depth = 3
        let last = simulation.increment(
            100_000, over: nil, lossOneIn: 1 << 60, attempts: 50)
        guard case .done(let final) = last else {
            Issue.record("no progress without faults")
            return
        }
        #expect(Set(answered).count == answered.count)
        #expect(answered.allSatisfy { $0 < final })
        #expect(answered.count <= Int(final) - 1)
        #expect(Int(final) - 1 <= answered.count + unknown)
    }
}
