import Testing

@testable import VortexCore

/// The schedules of ../shared/model/register_traces.py upon production code.
struct RegisterScheduleTests {
    @Test(arguments: acceptorSchedules + layoutSchedules)
    func `a schedule is linearizable with every rule`(schedule: Schedule) {
        let ran = schedule.run(omitting: [])
        #expect(ran.problem == nil, "\(ran.story)")
    }

    @Test(arguments: acceptorSchedules + layoutSchedules)
    func `a schedule is not linearizable without its rule`(schedule: Schedule) {
        let ran = schedule.run(omitting: schedule.rules)
        #expect(ran.problem != nil, "\(ran.story)")
    }

    @Test(arguments: acceptorSchedules.filter { $0.rules.all.count > 1 })
    func `of two rules that both prevent a schedule either is enough`(schedule: Schedule) {
        for rule in schedule.rules.all {
            let ran = schedule.run(omitting: [rule])
            #expect(ran.problem == nil, "without \(rule): \(ran.story)")
        }
    }
}
