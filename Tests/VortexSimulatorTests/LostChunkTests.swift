import Testing
import VortexCore
import VortexStore

@testable import VortexCluster
@testable import VortexSimulator

/// Chunks that no node can read (3286 and 6161, 5 and 7 nodes, `everything`): an upload goes to one
/// node only before its gateway dies, and that node's disk damages what it got. Nobody was told
/// that it is durable, and the cluster is whole without it.
struct LostChunkTests {
    /// A chunk of an upload that never ends, on this node's disk alone.
    private static func strand(_ fleet: Fleet, on place: Int) async {
        let stored = await fleet.ask(place) { (node) throws(ClusterError) -> Void in
            let bucket = try await node.bucket(Fleet.bucket)
            let key = try ClusterNode.row(bucket, Array("unfinished".utf8))
            let blob = node.newBlob()
            try await node.openUpload(
                [.plain(blob)],
                ClusterNode.PutOrder(
                    bucket: bucket, key: key, attributes: ObjectAttributes(), condition: .none,
                    idempotency: nil, expectedBytes: nil))
            let id = ChunkID(blob: blob, index: 1)
            let buffer = ChunkBuffer(capacity: 300_000)
            buffer.unfilled.initializeMemory(as: UInt8.self, repeating: 7)
            buffer.advance(by: 300_000)
            let write = ChunkWrite(
                id: id, owner: key, receivedMilliseconds: node.now,
                checksums: CRC32C.blocks(of: buffer.bytes, chunk: id), buffer: buffer)
            let failure = await node.coordinator.owner.put(write, epoch: node.view[id].epoch)
            if let failure { throw failure.clusterError }
        }
        guard case .success = stored else { return fleet.verdict.fail("\(stored as Any)") }
    }

    /// A node that was away makes the others look at everything again.
    private static func walk(_ fleet: Fleet) async {
        fleet.hold(0)
        await fleet.rest(milliseconds: 5_000)
        fleet.free(0)
        if await !fleet.waitAllUp() { return }
        await fleet.rest(milliseconds: 5_000)
    }

    private static func expectLost(_ count: UInt64, complete: Bool, _ fleet: Fleet) async {
        for by in fleet.nodes.indices {
            let status = await fleet.clusterStatus(by: by)
            if status?.repair.lostChunks != count || status?.isComplete != complete {
                fleet.verdict.fail("node \(by): \(status.map { "\($0)" } ?? "down")")
            }
        }
    }

    @Test(arguments: [false, true], 1...3 as ClosedRange<UInt64>)
    func `what is left of an upload on a damaged disk alone is lost, and all is whole`(
        headIsDamaged: Bool, seed: UInt64
    ) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.put("before", by: 0)
            await fleet.expectSettled()
            let before = fleet.journalEnd(2)
            await Self.strand(fleet, on: 2)
            let after = fleet.journalEnd(2)
            precondition(before.segment == after.segment)
            if headIsDamaged {
                fleet.rot(2, in: before.segment, from: before.end, to: after.end)
            } else {
                let middle = (before.end + after.end) / 2
                fleet.nodes[2].disk.rot(before.segment, at: UInt64(middle))
            }
            await Self.walk(fleet)
            await fleet.expectSettled()
            await Self.expectLost(1, complete: true, fleet)
        }
    }

    /// Found by who reads it: there is no scrubbing yet.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `while an object that was read is damaged on every disk, nobody says that all is whole`(
        seed: UInt64
    ) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.expectSettled()
            let before = fleet.nodes.indices.map { fleet.journalEnd($0) }
            await fleet.put("whole", bytes: Limits.chunkBytes + 10, by: 0)
            await fleet.expectSettled()
            for (place, start) in before.enumerated() {
                let end = fleet.journalEnd(place)
                precondition(start.segment == end.segment)
                fleet.nodes[place].disk.rot(
                    start.segment, at: UInt64((start.end + end.end) / 2))
            }
            let read = await fleet.read("whole", by: 1)
            if read != .failure(.damaged) { fleet.verdict.fail("read: \(read as Any)") }
            await Self.walk(fleet)
            await fleet.rest(milliseconds: 10_000)
            for by in fleet.nodes.indices {
                let status = await fleet.clusterStatus(by: by)
                if status?.isComplete != false {
                    fleet.verdict.fail("node \(by): \(status.map { "\($0)" } ?? "down")")
                }
            }
        }
    }
}
