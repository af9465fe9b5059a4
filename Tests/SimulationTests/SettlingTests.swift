import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// What is owed of a row is settled for good, whatever is still on its way.
struct SettlingTests {
    private static func ballots(_ script: Script) -> [Ballot] {
        [1, 2, 3].map { number in
            let (node, object) = (script.node(number), script.object)
            let answer = script.run {
                await node.coordinator.owner.read(
                    object, generation: nil, epoch: node.view[object].epoch)
            }
            guard case .row(let accepted, _, _) = answer else { return .none }
            return accepted
        }
    }

    @Test func `an accept whose outcome nobody knows finds the row written above it`() {
        let script = Script.bodies(omitting: [])
        script.go(95, Script.everybody, Script.put([1, 2, 3]))
        // Its accepts are held, and it gives up.
        let putting = script.begin(
            96, Script.everybody, holding: Script.kind(.accept), Script.put(Script.small))
        script.end(putting, 96, [])
        let accept = script.network.held.first { $0.target == 1 && Script.kind(.accept)($0) }
        script.lose { $0.number != accept?.number }
        let object = script.object
        let isHeld: Script.Holds = { $0.number == accept?.number }
        // Every owner has the same: that is not enough.
        let target = Box(Ballot.none)
        let settled = Box([Bool]())
        for _ in 0..<2 {
            script.go(96, Script.everybody, holding: isHeld) { node in
                if target.now == .none { target.set(node.coordinator.nextBallot()) }
                let found = try await node.coordinator.settle(object, reaching: target.now)
                settled.set(settled.now + [found.hasReached(target.now)])
            }
        }
        #expect(settled.now == [false, true])
        guard let accept else {
            Issue.record("no accept is held")
            return
        }
        script.network.deliver(accept)
        script.settle()
        let found = Self.ballots(script)
        #expect(found[0] > .none && found.allSatisfy { $0 == found[0] })
        #expect(script.lost([1, 2, 3], at: 98) == nil)
        script.close()
    }

    @Test func `what only the slowest owner has is settled`() {
        let script = Script.bodies(omitting: [])
        let putting = script.begin(
            96, Script.everybody, holding: Script.kind(.accept), Script.put(Script.small))
        script.deliver(96, [1])
        script.lose()
        script.end(putting, 96, [])
        script.lose()
        let object = script.object
        let settling = script.begin(97, Script.everybody, holding: Script.kind(.prepare)) { node in
            _ = try await node.coordinator.settle(object)
        }
        let answers = [2, 3, 1].flatMap { target in
            script.network.held.filter { $0.target == target }.map { script.network.answer($0) }
        }
        script.settle()
        for answer in answers { answer() }
        script.settle()
        script.end(settling, 97)
        let found = Self.ballots(script)
        #expect(found[0] > .none && found.allSatisfy { $0 == found[0] })
        script.close()
    }
}
