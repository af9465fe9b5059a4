@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// register_traces.py: epochs, joint quorums, sync. The new owners are 4 and up.
private let all = [1, 2, 3]
private let others = [4, 5, 6]

let layoutSchedules = [
    Schedule("stale", [.stale], owners: [1]) { s in
        let know = Script.everybody.filter { $0 != 91 }
        s.putIf(nil, 91, [1], accept: [], at: 50)
        s.move(to: [1, 4, 5], know: know)
        for owner in [1, 4, 5] { s.sync(owner, from: [1]) }
        s.settleLayout(know: know)
        s.put(92, [4, 5], at: 30)
        s.get(93, [4, 5])
        s.flow(91, [.accept: [1]])
        s.get(94, [1, 4])
    },
    Schedule("durable epoch", [.durableEpoch]) { s in
        s.put(91, all, at: 10)
        s.move(to: others, know: [1, 2] + others)
        for owner in others { s.sync(owner, from: [1, 2]) }
        s.settleLayout(know: others + [92])
        s.put(92, [4, 5], at: 20)
        s.restart(1)
        s.restart(2)
        s.get(91, [1, 2])
    },
    Schedule("since", [.since], owners: [1]) { s in
        s.put(91, [1], at: 10)
        s.move(to: [4])
        s.sync(4, from: [1])
        s.finish()
        s.delete(92, [4], at: 20)
        s.purge(96, reading: [4], purging: [4])
        s.move(to: [1])
        s.sync(1, from: [4])
        s.finish()
        s.get(93, [1])
    },
    Schedule("since previous", [.sincePrevious]) { s in
        s.put(91, all, at: 10)
        s.move(to: [4, 5])
        s.move(to: all)
        s.get(92, all)
    },
    Schedule("joint owners", [.jointOwners], owners: [1]) { s in
        s.put(91, [1], at: 10)
        s.move(to: [4])
        s.sync(4, from: [1])
        s.put(92, [1], at: 20)
        s.finish()
        s.get(93, [4])
    },
    Schedule("joint previous", [.jointPrevious], owners: [1]) { s in
        s.put(91, [1], at: 10)
        s.move(to: [4])
        s.sync(4, from: [1])
        s.put(92, [4], at: 20)
        s.move(to: [1])
        s.get(93, [1])
    },
    Schedule("one epoch", [.oneEpoch], owners: [1]) { s in
        s.putIf(nil, 91, [], accept: [], at: 50)
        s.answerIsLate(91) {
            s.move(to: [4], know: [1, 4, 92])
            s.sync(4, from: [1])
            s.settleLayout(know: [4, 91, 92, 93, 94])
            s.put(92, [4], at: 30)
            s.get(93, [4])
        }
        s.flow(91, [.accept: [4]])
        s.get(94, [4])
    },
    Schedule("sync fence", [.syncFence]) { s in
        s.get(92, all)
        s.move(to: others, know: others)
        for owner in others { s.sync(owner, from: [1, 2]) }
        s.put(92, [1, 2], at: 20)
        s.settleLayout()
        s.get(93, [4, 5])
    },
    Schedule("sync majority", [.syncMajority]) { s in
        s.put(91, [1, 2], at: 10)
        s.move(to: [4])
        s.sync(4, from: [3])
        s.finish()
        s.get(92, [4])
    },
    Schedule("sync settle", [.syncSettle]) { s in
        s.put(91, [1, 2], accept: [1], at: 10)
        s.putIf(nil, 92, [2, 3], accept: [2], at: 20)
        s.move(to: others)
        s.sync(4, from: [1, 3])
        s.sync(5, from: [1, 3])
        s.sync(6, from: [1, 2])
        s.finish()
        s.get(93, [4, 5])
        s.get(94, [4, 6])
    },
    Schedule("sync own", [.syncOwn]) { s in
        s.putIf(nil, 91, [1, 2], accept: [1], at: 50)
        s.move(to: [1, 4, 5])
        for owner in [4, 5, 1] { s.sync(owner, from: [2, 3]) }
        s.finish()
        s.put(92, [4, 5], at: 30)
        s.get(93, [4, 5])
        s.get(94, [1, 4])
    },
    Schedule("sync refused", [.syncRefused]) { s in
        s.put(91, [1, 2], at: 20)
        s.put(92, all, at: 30, key: 1)
        s.delete(92, all, at: 40, key: 1)
        s.purge(96, reading: all, purging: all, key: 1)
        s.move(to: [3])
        s.sync(3, from: [1, 2])
        s.finish()
        s.get(93, [3])
    },
    Schedule("sync stay", [.syncStay]) { s in
        s.put(91, [2, 3], at: 20)
        s.move(to: [1])
        if !s.omitted.contains(.syncStay) { s.sync(1, from: [2, 3]) }
        s.finish()
        s.get(93, [1])
    },
    Schedule("sync horizon", [.syncHorizon], owners: [1]) { s in
        s.put(91, [1], at: 10)
        s.delete(92, [1], accept: [], at: 20)
        s.deliverUnanswered(92)  // Accepted, and the answer is lost.
        s.get(93, [1])
        s.purge(96, reading: [1], purging: [1])
        s.move(to: [4])
        s.sync(4, from: [1])
        s.finish()
        s.put(94, [4], at: 30)
        s.get(93, [4])
        s.wake(92, [.prepare: [4], .accept: [4]])
        s.get(93, [4])
    },
    Schedule("sync exact", [.syncExact], owners: [1]) { s in
        s.move(to: others)
        for owner in others { s.sync(owner, from: [1]) }
        s.put(91, [1, 5, 6], at: 10)
        s.move(to: [4])
        if !s.omitted.contains(.syncExact) { s.sync(4, from: [1]) }
        s.finish()
        s.get(92, [4])
    },
    Schedule("all synced", [.allSynced]) { s in
        s.put(91, all, at: 10)
        s.move(to: others)
        s.sync(4, from: all)
        s.finish()
        s.get(92, [5, 6, 1, 2])
    },
    Schedule("same previous", [.samePrevious], owners: [1]) { s in
        s.put(91, [1], at: 10)
        s.move(to: [4])
        s.move(to: [5])
        s.sync(5, from: s.omitted.contains(.samePrevious) ? [4] : [1])
        s.finish()
        s.get(92, [5])
    },
]

extension Script {
    /// The owner does as it is asked; what it answers arrives only after `meanwhile`.
    func answerIsLate(_ asker: Int, _ meanwhile: () -> Void) {
        guard let question = network.held.first(where: { $0.asker == asker }) else { return }
        let answer = network.answer(question)
        settle()
        meanwhile()
        answer()
        settle()
    }

    /// What the asker has sent arrives everywhere; it hears of none of it.
    func deliverUnanswered(_ asker: Int) {
        for question in network.held where question.asker == asker {
            network.deliver(question, answering: false)
        }
        settle()
    }
}
