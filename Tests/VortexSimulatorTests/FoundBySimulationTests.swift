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
        Found(
            "whoever finishes an upload gives the answer that its version had", seed: 80, nodes: 3,
            .everything),
        Found(
            "a disk that knows an old layout asks for the new one", seed: 446, nodes: 7, .everything
        ),
        Found(
            "what a start writes is not taken for what the disk has lost", seed: 358, nodes: 5,
            .everything),
        Found(
            "what an owner refuses is made good before all is whole", seed: 665, nodes: 3, .clocks),
        Found("a deletion that was cut short ends no other bucket", seed: 885, nodes: 5, .disk),
        Found("one of two is lost while a third one joins", seed: 198, nodes: 3, .membership),
        Found("no start is counted by who was not asked", seed: 1_288, nodes: 3, .membership),
        Found(
            "a read that finds no room to write back says 503", seed: 998, nodes: 3, .everything),
    ]

    @Test(arguments: all)
    func `what a seed has found is not so any more`(found: Found) {
        #expect(Simulation.run(found.settings).reasons == [])
    }
}
