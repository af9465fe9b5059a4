import Testing
import VortexCore

private func ballot(_ clock: UInt64, node: UInt64 = 1, boot: UInt32 = 1) -> Ballot {
    Ballot(clock: clock << 16, node: NodeID(node), boot: boot)
}

private func row(
    promised: UInt64, accepted: UInt64? = nil, isTombstone: Bool = false
) -> Acceptor.Row {
    Acceptor.Row(
        promised: ballot(promised), accepted: accepted.map { ballot($0) } ?? .none,
        isTombstone: isTombstone)
}

@Suite struct AcceptorTests {
    /// Horizon 10, floor 20, ceiling far above.
    static let acceptor = Acceptor(
        horizon: ballot(10), floor: ballot(20), ceiling: ballot(1_000_000))

    @Test(
        arguments: [
            (nil, 20, Acceptor.OnPrepare.reject(ballot(20))),
            (nil, 21, .promise),
            (row(promised: 30), 30, .reject(ballot(30))),
            (row(promised: 30), 31, .promise),
            (row(promised: 15, accepted: 15), 18, .reject(ballot(20))),
            (row(promised: 40, accepted: 15), 39, .reject(ballot(40))),
            (row(promised: 40, accepted: 15), 41, .promise),
        ] as [(Acceptor.Row?, UInt64, Acceptor.OnPrepare)])
    func `4 a promise is given only above promise, horizon and floor`(
        row: Acceptor.Row?, clock: UInt64, expected: Acceptor.OnPrepare
    ) {
        let decision = Self.acceptor.onPrepare(ballot(clock), row: row, wallMilliseconds: 50)
        #expect(decision == expected)
    }

    @Test func `4 above the ceiling the ceiling is raised first, above the ballot`() {
        let acceptor = Acceptor(horizon: .none, floor: .none, ceiling: ballot(100))
        let decision = acceptor.onPrepare(ballot(101), row: nil, wallMilliseconds: 90)
        guard case .raiseCeiling(let ceiling) = decision else {
            Issue.record("promised above the ceiling")
            return
        }
        #expect(ceiling > ballot(101))
        var raised = acceptor
        raised.ceiling = ceiling
        #expect(raised.onPrepare(ballot(101), row: nil, wallMilliseconds: 90) == .promise)
    }

    @Test func `4 a clock more than a minute ahead is refused`() {
        let acceptor = Acceptor(horizon: .none, floor: .none, ceiling: .none)
        let far = ballot(1_000 + Limits.clockLeadMilliseconds + 1)
        #expect(acceptor.onPrepare(far, row: nil, wallMilliseconds: 1_000) == .tooFarAhead)
        let near = ballot(1_000 + Limits.clockLeadMilliseconds)
        #expect(acceptor.onPrepare(near, row: nil, wallMilliseconds: 1_000) != .tooFarAhead)
    }

    @Test(
        arguments: [
            (nil, 20, Acceptor.OnAccept.reject(ballot(20))),
            (nil, 21, .accept(promised: ballot(21))),
            (row(promised: 30), 29, .reject(ballot(30))),
            (row(promised: 30), 30, .accept(promised: ballot(30))),
            (row(promised: 30, accepted: 25), 31, .accept(promised: ballot(31))),
            (row(promised: 12, accepted: 12), 20, .reject(ballot(20))),
        ] as [(Acceptor.Row?, UInt64, Acceptor.OnAccept)])
    func `5 a value is accepted only at or above the promise, and above the floor`(
        row: Acceptor.Row?, clock: UInt64, expected: Acceptor.OnAccept
    ) {
        #expect(Self.acceptor.onAccept(ballot(clock), row: row) == expected)
    }

    @Test(
        arguments: [
            (nil, 10, Acceptor.OnInstall.refused),
            (nil, 11, .install(promised: ballot(11))),
            (row(promised: 30), 10, .refused),
            (row(promised: 30), 11, .install(promised: ballot(30))),
            (row(promised: 30, accepted: 15), 15, .isThere),
            (row(promised: 30, accepted: 15), 16, .install(promised: ballot(30))),
            (row(promised: 30, accepted: 5), 6, .install(promised: ballot(30))),
        ] as [(Acceptor.Row?, UInt64, Acceptor.OnInstall)])
    func `7 only what is newer is installed, and on nothing only above the horizon`(
        row: Acceptor.Row?, clock: UInt64, expected: Acceptor.OnInstall
    ) {
        #expect(Self.acceptor.onInstall(ballot(clock), row: row) == expected)
    }

    @Test(
        arguments: [
            (nil, 15, Acceptor.OnPurge.nothing),
            (row(promised: 30), 15, .nothing),
            (row(promised: 30, accepted: 15), 15, .nothing),
            (row(promised: 30, accepted: 15, isTombstone: true), 14, .nothing),
            (
                row(promised: 30, accepted: 15, isTombstone: true), 15,
                .purge(horizon: ballot(30))
            ),
            (row(promised: 8, accepted: 8, isTombstone: true), 8, .purge(horizon: ballot(10))),
        ] as [(Acceptor.Row?, UInt64, Acceptor.OnPurge)])
    func `8 exactly the tombstone named is purged, and the horizon rises to its promise`(
        row: Acceptor.Row?, clock: UInt64, expected: Acceptor.OnPurge
    ) {
        #expect(Self.acceptor.onPurge(ballot(clock), row: row) == expected)
    }

    @Test func `9 a bare row goes at the price of the horizon, one with a value stays`() {
        #expect(Self.acceptor.onDrop(row(promised: 30)) == ballot(30))
        #expect(Self.acceptor.onDrop(row(promised: 5)) == ballot(10))
        #expect(Self.acceptor.onDrop(row(promised: 30, accepted: 15)) == nil)
    }
}
