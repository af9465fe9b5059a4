import Testing
import VortexSimulator

/// Runs in which the simulator has found something, each named by the law that was broken; the
/// table in docs/testing.md tells more of each.
struct FoundBySimulationTests {
    struct Found: CustomTestStringConvertible, Sendable {
        var law: String
        var settings: Simulation.Settings
        var testDescription: String { law }

        init(_ law: String, seed: UInt64, nodes: Int, _ faults: FaultProfile) {
            self.law = law
            settings = Simulation.Settings(
                seed: seed, nodes: nodes, operations: 200, faults: faults)
        }
    }

    static let all = [
        Found(
            "a boot that was tried and forgotten does not shut a node out", seed: 2, nodes: 3,
            .crashes),
        Found("nothing is answered for a bucket that is gone", seed: 3, nodes: 3, .none),
        Found("no put is acknowledged into a bucket that is gone", seed: 2, nodes: 3, .everything),
        Found("a bad sector in a segment's header ends no start", seed: 7, nodes: 5, .disk),
        Found("a body that lives with its row is on the row's owners", seed: 1, nodes: 5, .network),
        Found("a former owner keeps no body of one chunk", seed: 529, nodes: 6, .network),
        Found(
            "a node that joins leaves nothing where it was", seed: 40_019, nodes: 4, .everything),
        Found("who ceases to be an owner while it waits refuses", seed: 30_003, nodes: 5, .disk),
        Found(
            "a body beside its object's parts lives with its row all the same", seed: 5, nodes: 4,
            .crashes),
        Found("a copy whose record is rotten is made again", seed: 3, nodes: 3, .everything),
    ]

    @Test(arguments: all)
    func `what a seed has found is not so any more`(found: Found) {
        #expect(Simulation.run(found.settings).reasons == [])
    }
}
