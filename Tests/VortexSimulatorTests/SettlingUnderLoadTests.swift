import Testing
import VortexCluster
import VortexCore

@testable import VortexSimulator

/// Clients that go on writing while copies are made whole: owners of a hot row are hardly ever
/// equal, and its node was never verified on a slow machine (stop 9's CI).
struct SettlingUnderLoadTests {
    private static let writers = 12
    private static let hotKeys = 2

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a node that was away is whole again while clients write the same few keys`(
        seed: UInt64
    ) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.expectSettled()
            let isOver = Outcome<Bool>()
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<Self.writers {
                    group.addTask {
                        while !isOver.isSettled {
                            await fleet.put("hot\(writer % Self.hotKeys)", by: 1 + writer % 2)
                        }
                    }
                }
                await fleet.rest(milliseconds: 1_000)
                fleet.hold(0)
                await fleet.rest(milliseconds: 5_000)
                fleet.free(0)
                if await fleet.waitAllUp() {
                    let isWhole = await fleet.waits {
                        await fleet.clusterStatus(by: 1)?.isComplete ?? false
                    }
                    if !isWhole { fleet.verdict.fail("not whole while clients write") }
                }
                isOver.settle(true)
            }
            await fleet.expectSettled()
            await fleet.rest(milliseconds: 2_000)
            fleet.expectEqualRows()
        }
    }
}
