@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// register_traces.py: rules 4 to 9 of an owner, and the operations of a coordinator. Each line
/// says who talks to whom; all else stays in the network.
private let all = [1, 2, 3]

extension Script {
    /// Promises that an owner does not keep in memory any more: others have taken their place.
    func forgetPromises(_ number: Int) {
        let owner = node(number).coordinator.owner
        let epoch = node(number).view[Script.partition].epoch
        let ballot = Ballot(
            clock: machine(number).clock.wallMilliseconds << 16, node: NodeID(1), boot: 1)
        let shard = RowSlots.shard(of: Operation.row(0))
        let others = (0..<20_000 as Range<UInt32>).map { filler in
            RowKey(
                bucket: BucketID(high: 9, low: 9),
                key: (0..<4).map { UInt8(truncatingIfNeeded: filler >> ($0 * 8)) })
        }.filter { RowSlots.shard(of: $0) == shard }
        run {
            for key in others {
                _ = await owner.prepare(key, ballot, generation: nil, epoch: epoch)
            }
        }
    }

    fileprivate func thenLower() {
        put(92, [1, 2], at: 30)
        get(93, [1, 2])
        flow(91, [.accept: [1, 2]])
        get(94, [1, 2])
    }

    fileprivate func lateInstall(bare: Bool = false, restart: Bool = false) {
        put(91, [1, 2], at: 10)
        repair(96, reading: all)  // Its install to 3 is late.
        delete(92, all, at: 20)
        purge(97, reading: all, purging: all)
        if bare { put(93, [3], accept: [], at: 30) }  // Leaves a promise at 3.
        if restart { self.restart(3) }
        flow(96, [.install: [3]])
        get(94, [1, 3])
    }

    fileprivate func lateAccept() {
        put(91, all, accept: [1, 2], at: 10)  // Its accept to 3 is late.
        delete(92, all, at: 20)
        purge(96, reading: all, purging: all)
        flow(91, [.accept: [3]])
        get(93, [1, 3])
    }
}

let acceptorSchedules = [
    Schedule("promise", [.promise]) { s in
        s.put(92, [1, 2], accept: [], at: 30)
        s.putIf(nil, 91, [1, 2], accept: [], at: 50)
        s.flow(92, [.accept: [1, 2]])
        s.get(93, [1, 2])
        s.flow(91, [.accept: [1, 2]])
        s.get(94, [1, 2])
    },
    Schedule("ceiling", [.ceiling]) { s in
        s.put(92, [1, 2], accept: [], at: 30)
        s.putIf(nil, 91, [1, 2], accept: [], at: 50)
        s.restart(1)
        s.restart(2)
        s.flow(92, [.accept: [1, 2]])
        s.get(93, [1, 2])
        s.flow(91, [.accept: [1, 2]])
        s.get(94, [1, 2])
    },
    Schedule("drop horizon", [.dropHorizon]) { s in
        s.putIf(nil, 91, [1, 2], accept: [], at: 50)
        s.forgetPromises(1)
        s.forgetPromises(2)
        s.thenLower()
    },
    Schedule("horizon promise", [.horizonPromise]) { s in
        s.put(95, all, at: 10)
        s.delete(95, all, at: 20)
        s.putIf(nil, 91, [1, 2], accept: [], at: 50)
        s.purge(96, reading: all, purging: all)
        s.thenLower()
    },
    Schedule("horizon", [.horizon]) { $0.lateAccept() },
    Schedule("accept horizon", [.acceptHorizon]) { $0.lateAccept() },
    Schedule("install horizon", [.installHorizon]) { $0.lateInstall() },
    Schedule("install empty", [.installEmpty]) { $0.lateInstall(bare: true) },
    Schedule("durable horizon", [.durableHorizon]) { $0.lateInstall(restart: true) },
    Schedule("install newer", [.installNewer]) { s in
        s.put(91, [1, 2], at: 10)
        s.repair(96, reading: all)
        s.put(92, [2, 3], at: 20)
        s.flow(96, [.install: [3]])
        s.get(94, [1, 3])
    },
    Schedule("install chosen", [.installChosen]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.putIf(nil, 92, [2, 3], accept: [], at: 20)
        s.repair(96, reading: all, installing: [2])
        s.get(93, [1, 2])
        s.flow(92, [.accept: [2, 3]])
        s.get(94, [2, 3])
    },
    Schedule("purge all", [.purgeAll]) { s in
        s.put(91, all, at: 10)
        s.delete(92, [1, 2], at: 20)
        s.purge(96, reading: [1, 2], purging: [1])
        s.get(93, [1, 3])
    },
    Schedule("purge ballot", [.purgeBallot]) { s in
        s.put(91, all, at: 10)
        s.delete(91, all, at: 20)
        s.purge(96, reading: all, purging: [], waits: false)
        s.put(91, all, at: 30)
        s.delete(91, [1, 2], at: 40)
        s.flow(96, [.purge: [1]])
        s.get(93, [1, 3])
    },
    // Production asks previous owners too, which by itself would do.
    Schedule("purge stable and purge all", [.purgeStable, .purgeAll]) { s in
        s.put(91, all, at: 10)
        s.move(to: [4])
        s.sync(4, from: all)
        s.delete(92, [1, 2, 4], at: 20)
        s.purge(96, reading: [1, 2, 4], purging: [1, 2, 4])
        s.move(to: all)
        s.get(93, [1, 3])
    },
    Schedule("highest", [.highest]) { s in
        s.put(91, [2, 3], at: 10)
        s.get(92, [1, 2])
    },
    Schedule("retry", [.retry]) { s in
        let first = s.put(91, [1, 2], accept: [1], at: 10)
        s.putIf(first, 92, [1, 2], at: 20)
        s.wake(91, [.prepare: [1, 2], .accept: [1, 2]])
        s.get(93, [1, 2])
    },
    Schedule("bury", [.bury]) { s in
        s.put(91, all, at: 10)
        s.delete(92, [1, 2], accept: [1], at: 20)
        s.putIf(nil, 93, [1, 2], accept: [1], at: 30)
        s.lose()
        s.wake(93, [.prepare: [2, 3], .accept: [2, 3]])
        s.get(94, [1, 2])
    },
    Schedule("settle refusal", [.settleRefusal]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.putIf(nil, 92, [1, 2], at: 20)
        s.get(93, [2, 3])
    },
    Schedule("write back", [.writeBack]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.get(92, [1, 2])
        s.get(93, [2, 3])
    },
    Schedule("fast agree", [.fastAgree]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.get(92, [1, 2])
        s.get(93, [2, 3])
    },
    Schedule("prepare and unique ballot", [.prepare, .uniqueBallot]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.restart(91)
        s.put(91, [2, 3], accept: [2, 3], at: 10)
        s.get(93, [2, 3])
        s.get(92, [1, 2])
        s.get(93, [2, 3])
    },
]
