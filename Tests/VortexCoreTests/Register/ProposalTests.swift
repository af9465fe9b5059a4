import Testing
import VortexCore

private func ballot(_ clock: UInt64) -> Ballot {
    Ballot(clock: clock, node: NodeID(1), boot: 1)
}

private func change(_ number: UInt64) -> ChangeID { ChangeID(high: 0, low: number) }

private func value(_ number: UInt64, base: UInt64 = 0, over: UInt64...) -> RegisterValue {
    RegisterValue(
        change: change(number), base: base == 0 ? .none : ballot(base),
        over: over.map { .init(change: change($0), base: ballot(45 + $0)) }, isTombstone: false,
        bodies: [], content: [])
}

private func found(
    _ value: RegisterValue?, at clock: UInt64 = 0, agreed: Bool = true, horizon: UInt64 = 0
) -> Promises {
    Promises(
        accepted: value == nil ? .none : ballot(clock), value: value, isAgreed: agreed,
        horizon: horizon == 0 ? .none : ballot(horizon))
}

@Suite struct ProposalTests {
    /// Change 7 whose own value was first sent at 50.
    static var sent: Proposal {
        var proposal = Proposal(change: change(7))
        proposal.sends(value(7), at: ballot(50))
        proposal.sends(value(7), at: ballot(60))
        return proposal
    }

    @Test(
        arguments: [
            // Ours.
            (found(value(7), at: 50), Proposal.OnPromises.inEffect(nil)),
            (found(value(7), at: 50, agreed: false), .inEffect(value(7))),
            // Replaced by a change that saw ours.
            (found(value(8, base: 50, over: 7), at: 70), .inEffect(nil)),
            (
                found(value(8, base: 50, over: 7), at: 70, agreed: false),
                .inEffect(value(8, base: 50, over: 7))
            ),
            // Below what we sent, or made on something below it: not in effect.
            (found(value(3), at: 40), .compute),
            (found(value(8, base: 40, over: 3), at: 70), .compute),
            // Two others have followed: it took effect all the same.
            (found(value(9, base: 60, over: 8, 7), at: 80), .inEffect(nil)),
            // Two others, of which the first had not seen it: it did not.
            (found(value(9, base: 70, over: 8, 3), at: 80), .compute),
            (found(nil), .compute),
            (found(nil, horizon: 49), .compute),
            // Above, and on something that may have been above ours: nobody knows.
            (found(value(9, base: 70, over: 8), at: 80), .unknown),
            (found(value(9, base: 50, over: 8), at: 80), .unknown),
            (found(nil, horizon: 50), .unknown),
        ] as [(Promises, Proposal.OnPromises)])
    func `again after an accept was sent`(found: Promises, expected: Proposal.OnPromises) {
        #expect(Self.sent.onPromises(found) == expected)
    }

    @Test func `before anything was sent, everything found is computed on`() {
        let fresh = Proposal(change: change(7))
        for promises in [
            found(nil, horizon: 99), found(value(9, base: 70), at: 80),
            found(value(8, over: 7), at: 70),
        ] {
            #expect(fresh.onPromises(promises) == .compute)
        }
    }

    @Test(
        arguments: [
            (false, found(nil), Proposal.OnComputed.answer),
            (false, found(value(3), at: 40), .answer),
            (false, found(value(3), at: 40, agreed: false), .send(value(3))),
            // What was sent may still surface: bury it.
            (true, found(value(3), at: 40), .send(value(3))),
            (true, found(nil), .unknown),
        ] as [(Bool, Promises, Proposal.OnComputed)])
    func `an answer that changes nothing is final only on what is chosen, and buries what was sent`(
        wasSent: Bool, found: Promises, expected: Proposal.OnComputed
    ) {
        let proposal = wasSent ? Self.sent : Proposal(change: change(7))
        #expect(proposal.onComputed(nil, on: found) == expected)
    }

    @Test func `a forced change writes even what is agreed, but invents nothing`() {
        let forced = Proposal(change: change(7), isForced: true)
        #expect(forced.onComputed(nil, on: found(value(3), at: 40)) == .send(value(3)))
        #expect(forced.onComputed(nil, on: found(nil)) == .answer)
    }

    @Test func `of a value's past is kept what somebody may still try, and the last one`() {
        let minute = RegisterValue.overMilliseconds << 16
        var value: RegisterValue?
        /// Made on `value` at this clock.
        func follow(_ number: UInt64, at clock: UInt64, base: UInt64) {
            let over = value?.past(at: clock) ?? []
            value = RegisterValue(
                change: change(number), base: ballot(base), over: over, isTombstone: false,
                bodies: [], content: [])
        }
        func kept() -> [UInt64] { value?.over.map(\.change.low) ?? [] }
        follow(1, at: 10, base: 0)
        follow(2, at: 20, base: 10)
        follow(3, at: 20 + minute, base: 20)
        #expect(kept() == [2, 1])
        follow(4, at: 21 + minute + 65_536, base: 20 + minute)
        #expect(kept() == [3], "2 was written more than a minute before")
        follow(5, at: 30 + 3 * minute, base: 21 + minute + 65_536)
        #expect(kept() == [4], "what it replaced, however old")
        for number in UInt64(6)..<200 {
            follow(number, at: 3 * minute + number, base: 3 * minute + 30)
        }
        #expect(kept() == (UInt64(135)...198).reversed().map { $0 })
        #expect(value?.past.count == RegisterValue.overMax + 1)
    }

    @Test func `of several promises the highest accepted counts, agreed only at a quorum`() {
        let nodes = (1...3).map { NodeID($0) }
        let quorum = Quorum(owners: nodes)
        let promises = Promises(
            [
                (nodes[0], ballot(5), value(1), ballot(2)),
                (nodes[1], ballot(9), value(2), ballot(7)),
            ], quorum: quorum)
        #expect(promises.value == value(2) && !promises.isAgreed)
        #expect(promises.horizon == ballot(7) && promises.seen == ballot(9))
        let same = Promises(
            [(nodes[0], .none, nil, ballot(2)), (nodes[2], .none, nil, .none)], quorum: quorum)
        #expect(same.isAgreed && same.value == nil && same.seen == ballot(2))
    }

    @Test(
        arguments: [
            ([1, 2], true), ([1], false), ([1, 2, 3], true), ([4, 5], false), ([3, 4], false),
        ] as [([UInt64], Bool)])
    func `a stable partition needs a majority of owners`(nodes: [UInt64], expected: Bool) {
        let quorum = Quorum(owners: [1, 2, 3].map { NodeID($0) })
        #expect(quorum.isMet(by: nodes.map { NodeID($0) }) == expected)
    }

    @Test(
        arguments: [
            ([1, 2], true), ([2, 4], false), ([1, 2, 4], true), ([3, 4, 1], true),
            ([1, 3, 2], true), ([1, 4, 5], false),
        ] as [([UInt64], Bool)])
    func `a migrating one needs a majority of both`(nodes: [UInt64], expected: Bool) {
        let quorum = Quorum(
            owners: [1, 2, 4].map { NodeID($0) }, previous: [1, 2, 3].map { NodeID($0) })
        #expect(quorum.isMet(by: nodes.map { NodeID($0) }) == expected)
    }
}
