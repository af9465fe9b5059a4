import Testing
import VortexCluster
import VortexCore
import VortexStore

@testable import VortexSimulator

/// A disk is put back to an earlier state while nobody runs who has seen it go further.
struct OldImageTests {
    private static let keys = (0..<12).map { "lost\($0)" }
    private static let seen = (0..<12).map { "seen\($0)" }

    /// Two seconds after a change the others have noted how far a journal has got.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `an old disk is known after all nodes were down`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.put("before", by: 0)
            let old = fleet.nodes[2].disk.image(seed: seed)
            for key in Self.seen { await fleet.put(key, by: 2) }
            await fleet.rest(milliseconds: 4_000)
            // Of these only 1 and 2 hear.
            fleet.hold(0)
            for key in Self.keys { await fleet.put(key, by: 2) }
            fleet.hold(1)
            fleet.hold(2)
            fleet.nodes[2].replaceDisk(by: old)
            // Without 1, which has all that was acknowledged, 0 and 2 must not make a majority.
            fleet.free(2)
            fleet.free(0)
            await fleet.rest(milliseconds: 5_000)
            for key in Self.keys { await fleet.expectNothingFalse(key, by: 0) }
            fleet.free(1)
            await fleet.expectSettled()
            for by in fleet.nodes.indices {
                for key in Self.keys + Self.seen + ["before"] {
                    await fleet.expectFound(key, by: by)
                }
            }
            fleet.expectEqualRows()
        }
    }

    /// Notes of positions are records themselves: they must not keep each other going.
    @Test func `nodes that nobody uses write nothing to their journals`() {
        FleetRun(seed: 1, nodes: 3).run { fleet in
            await fleet.createBucket()
            for key in Self.keys { await fleet.put(key, by: 0) }
            await fleet.rest(milliseconds: 30_000)
            let before = fleet.nodes.map { $0.process?.store.position }
            await fleet.rest(milliseconds: 60_000)
            let after = fleet.nodes.map { $0.process?.store.position }
            if before != after { fleet.verdict.fail("\(before) became \(after)") }
        }
    }
}
