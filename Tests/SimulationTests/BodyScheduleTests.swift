import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

extension BodySchedule: CustomTestStringConvertible {
    var testDescription: String { name }
}

/// The schedules of ../shared/model/body_traces.py upon production code.
struct BodyScheduleTests {
    @Test(arguments: movingSchedules + uploadSchedules)
    func `a body is whole with every rule`(schedule: BodySchedule) {
        #expect(schedule.problem(omitting: []) == nil)
    }

    @Test(arguments: movingSchedules + uploadSchedules)
    func `a body is lost without the rule`(schedule: BodySchedule) {
        #expect(schedule.problem(omitting: schedule.rules) != nil)
    }
}

/// Rules that a schedule cannot show: production's structure has no place to break them, or they
/// only save work.
struct StructureTests {
    @Test(arguments: [true, false])
    func `owner counts: a previous owner takes no copy at the joint epoch`(isOn: Bool) {
        let script = Script.bodies(omitting: isOn ? [] : [.ownerCounts])
        script.move(to: [4, 5, 6], partitions: script.chunkPartitions)
        let partition = script.chunkPartitions[0]
        let node = script.node(1)
        let epoch = node.view[partition].epoch
        let chunk = script.chunk(in: partition)
        let failure = script.run { await node.coordinator.owner.put(chunk, epoch: epoch) }
        #expect(failure == (isOn ? .notOwner : nil))
        script.close()
    }

    @Test func `tidy: a gateway that does not know whether it committed deletes nothing`() {
        let script = Script.bodies(omitting: [])
        let outcome = Box<ClusterError?>(nil)
        let putting = script.begin(95, [1, 2, 3], holding: Script.kind(.putChunk)) { node in
            do throws(ClusterError) { try await Script.putting(Script.bytes)(node) } catch {
                outcome.set(error)
            }
        }
        // Named; of the commit no accept is answered.
        script.end(putting, 95, [1, 2, 3], holding: Script.kind(.accept))
        #expect(outcome.now == .outcomeUnknown)
        #expect(!script.network.held.contains { Script.kind(.collect)($0) })
        #expect(script.holders([1, 2, 3]) == [1, 2, 3])
        script.close()
    }
}
