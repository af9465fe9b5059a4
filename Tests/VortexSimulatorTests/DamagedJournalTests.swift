import Testing
import VortexCluster
import VortexCore
import VortexStore

@testable import VortexSimulator

/// A stretch of one node's journal goes bad while the node is down: object-protocol.md, Nodes and
/// their past.
struct DamagedJournalTests {
    private static let keys = (0..<8).map { "lost\($0)" }

    /// Acknowledged by 1 and 2, lost by 2; 0 has never heard of it and is up again, 1 and 2 are
    /// down.
    private static func lose(_ fleet: Fleet) async {
        await fleet.createBucket()
        await fleet.put("before", by: 0)
        fleet.hold(0)
        await fleet.losing(2) { for key in keys { await fleet.put(key, by: 2) } }
        fleet.hold(1)
        fleet.free(0)
    }

    private static func expectWhole(_ fleet: Fleet) async {
        await fleet.expectSettled()
        for by in fleet.nodes.indices {
            for key in keys + ["before", "behind"] { await fleet.expectFound(key, by: by) }
        }
        fleet.expectEqualRows()
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a lost row is never taken for one that never was`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.lose(fleet)
            fleet.free(2)
            await fleet.rest(milliseconds: 3_000)
            for by in [0, 2] {
                for key in Self.keys { await fleet.expectNothingFalse(key, by: by) }
            }
            fleet.free(1)
            await Self.expectWhole(fleet)
        }
    }

    /// 1 goes again at some moment of the way.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `while a node resyncs it tells nothing false, whoever else is there`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.lose(fleet)
            fleet.free(1)
            fleet.free(2)
            if await !fleet.waits({ fleet.nodes[2].isUp }) { fleet.verdict.fail("2 is not up") }
            await fleet.rest(milliseconds: (seed - 1) * 200)
            fleet.hold(1)
            for _ in 0..<3 {
                for by in [0, 2] {
                    for key in Self.keys { await fleet.expectNothingFalse(key, by: by) }
                }
            }
            fleet.free(1)
            await Self.expectWhole(fleet)
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `a gateway on a damaged node works through the others`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.lose(fleet)
            fleet.free(1)
            fleet.free(2)
            if await !fleet.waits({ fleet.nodes[2].isUp }) { fleet.verdict.fail("2 is not up") }
            await fleet.put("meanwhile", by: 2)
            for key in Self.keys + ["meanwhile"] { await fleet.expectFound(key, by: 2) }
            await Self.expectWhole(fleet)
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `damage that an earlier start has gone past still fences`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.lose(fleet)
            fleet.hold(0)
            // Alone it cannot enter; what it has replayed becomes durable.
            fleet.free(2)
            await fleet.rest(milliseconds: 3_000)
            do throws(IndexError) { try fleet.nodes[2].index.flush() } catch {
                fleet.verdict.fail("\(error)")
            }
            fleet.hold(2)
            fleet.free(0)
            fleet.free(2)
            await fleet.rest(milliseconds: 3_000)
            fleet.free(1)
            if await !fleet.waits({ fleet.nodes[0].isUp }) { fleet.verdict.fail("0 is not up") }
            for key in Self.keys { await fleet.expectNothingFalse(key, by: 0) }
            await Self.expectWhole(fleet)
        }
    }

    /// As after a disk that lied about its syncs: recovery takes what is left for all there was.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `a journal that ends before what others have seen of it fences`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            for key in ["before", "behind"] { await fleet.put(key, by: 0) }
            await fleet.expectSettled()
            fleet.hold(0)
            let before = fleet.journalEnd(2)
            for key in Self.keys { await fleet.put(key, by: 2) }
            await fleet.rest(milliseconds: 2_000)
            fleet.hold(2)
            let after = fleet.journalEnd(2)
            fleet.nodes[2].loseIndex()
            fleet.rot(2, in: after.segment, from: before.end, to: after.end)
            fleet.free(0)
            fleet.free(2)
            if await !fleet.waits({ fleet.nodes[2].isUp }) { fleet.verdict.fail("2 is not up") }
            fleet.hold(1)
            await fleet.rest(milliseconds: 3_000)
            for by in [0, 2] {
                for key in Self.keys { await fleet.expectNothingFalse(key, by: by) }
            }
            fleet.free(1)
            await Self.expectWhole(fleet)
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `chunks stay where they are while their node is out of its places`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            for number in 0..<3 { await fleet.put("large\(number)", bytes: 3 << 20, by: 0) }
            await fleet.expectSettled()
            await fleet.losing(2) { for key in Self.keys { await fleet.put(key, by: 2) } }
            fleet.free(2)
            await fleet.expectSettled()
            let status = await fleet.clusterStatus(by: 0)
            if status?.repair.copiedChunks != 0 {
                fleet.verdict.fail("\(status?.repair.copiedChunks ?? 0) chunks were copied")
            }
            for number in 0..<3 { await fleet.expectFound("large\(number)", by: 2) }
        }
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `with two damaged nodes nothing false is told, and the status says why`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.losing(1) { for key in Self.keys { await fleet.put(key, by: 1) } }
            await fleet.losing(2) { await fleet.put("more", by: 2) }
            fleet.free(1)
            fleet.free(2)
            await fleet.rest(milliseconds: 5_000)
            for key in Self.keys + ["more"] { await fleet.expectNothingFalse(key, by: 0) }
            guard let status = await fleet.clusterStatus(by: 0) else {
                return fleet.verdict.fail("0 is down")
            }
            if status.replication.withoutQuorum != status.replication.partitions
                || status.nodes.filter(\.isFenced).count != 2
            {
                fleet.verdict.fail("\(status)")
            }
        }
    }
}
