import Testing
import VortexSimulator

struct SimulationTests {
    @Test(arguments: FaultProfile.allCases)
    func `a few seeds of every profile pass`(profile: FaultProfile) {
        for seed in 1...3 as ClosedRange<UInt64> {
            let report = Simulation.run(
                Simulation.Settings(seed: seed, nodes: 1, operations: 80, faults: profile))
            #expect(report.reasons == [], "seed \(seed)")
        }
    }

    @Test(arguments: [FaultProfile.none, .network, .clocks])
    func `a few seeds of clusters pass`(profile: FaultProfile) {
        for seed in 1...2 as ClosedRange<UInt64> {
            let report = Simulation.run(
                Simulation.Settings(seed: seed, nodes: 3, operations: 40, faults: profile))
            #expect(report.reasons == [], "seed \(seed)")
        }
    }

    @Test(arguments: [3, 11, 42] as [UInt64], [1, 3])
    func `the same seed gives the same run`(seed: UInt64, nodes: Int) {
        let settings = Simulation.Settings(
            seed: seed, nodes: nodes, operations: 80 / nodes, faults: .everything)
        let first = Simulation.run(settings)
        #expect(Simulation.run(settings) == first)
        var other = settings
        other.seed += 1_000
        #expect(Simulation.run(other).traceHash != first.traceHash)
    }
}
