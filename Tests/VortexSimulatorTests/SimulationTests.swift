import Synchronization
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

    @Test(arguments: FaultProfile.allCases, [3, 5])
    func `a few seeds of clusters pass`(profile: FaultProfile, nodes: Int) {
        let report = Simulation.run(
            Simulation.Settings(
                seed: UInt64(nodes), nodes: nodes, operations: 40, faults: profile))
        #expect(report.reasons == [])
    }

    @Test func `what is not given follows from the seed, and every size and profile occurs`() {
        let drawn = (0..<500 as Range<UInt64>).map { seed in
            Simulation.Settings.drawn(seed: seed, nodes: nil, operations: 1, faults: nil)
        }
        #expect(Set(drawn.map(\.nodes)) == [1, 3, 4, 5, 6, 7])
        #expect(Set(drawn.map(\.faults)) == Set(FaultProfile.allCases))
        #expect(
            drawn[7] == Simulation.Settings.drawn(seed: 7, nodes: nil, operations: 1, faults: nil))
        let given = Simulation.Settings.drawn(seed: 7, nodes: 2, operations: 1, faults: .clocks)
        #expect(given == Simulation.Settings(seed: 7, nodes: 2, operations: 1, faults: .clocks))
    }

    private final class Lines: Sendable {
        private let all = Mutex<[String]>([])
        var count: Int { all.withLock { $0.count } }
        func add(_ line: String) { all.withLock { $0.append(line) } }
        /// The first line in which the two differ, or one has no more.
        static func difference(_ one: Lines, _ other: Lines) -> String? {
            let (left, right) = (one.all.withLock { $0 }, other.all.withLock { $0 })
            if let place = zip(left, right).enumerated().first(where: { $1.0 != $1.1 }) {
                return "\(place.offset): \(place.element.0) | \(place.element.1)"
            }
            return left.count == right.count ? nil : "\(left.count) lines | \(right.count)"
        }
    }

    @Test(arguments: [3, 11, 42] as [UInt64], [1, 3, 5])
    func `the same seed gives the same run, event by event`(seed: UInt64, nodes: Int) {
        let settings = Simulation.Settings(
            seed: seed, nodes: nodes, operations: 80 / nodes, faults: .everything)
        let (one, other) = (Lines(), Lines())
        let first = Simulation.run(settings) { one.add($0) }
        let second = Simulation.run(settings) { other.add($0) }
        #expect(first == second)
        #expect(Lines.difference(one, other) == nil)
        #expect(one.count >= Int(first.events))
        var changed = settings
        changed.seed += 1_000
        #expect(Simulation.run(changed).traceHash != first.traceHash)
    }
}
