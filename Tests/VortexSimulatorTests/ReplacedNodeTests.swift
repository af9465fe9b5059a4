import Testing
import VortexCore
import VortexStore

@testable import VortexCluster
@testable import VortexSimulator

/// A node that lost its disk is a new node: it takes the places of the one that was listed at its
/// address.
struct ReplacedNodeTests {
    private static let keys = ["large0", "large1"] + (0..<8).map { "small\($0)" }

    private static func fill(_ fleet: Fleet) async {
        await fleet.createBucket()
        for key in keys {
            await fleet.put(key, bytes: key.hasPrefix("large") ? 3 << 20 : 100, by: 0)
        }
        await fleet.expectSettled()
    }

    /// All is there, and stays so when another node goes: the new one has its copies.
    private static func expectWhole(_ fleet: Fleet, without old: NodeID?) async {
        await fleet.expectSettled()
        fleet.expectEqualRows()
        let status = await fleet.clusterStatus(by: 0)
        if let old, status?.nodes.contains(where: { $0.node == old }) ?? true {
            fleet.verdict.fail("\(old) is still listed")
        }
        fleet.hold(0)
        for key in keys { await fleet.expectBody(key, by: 2) }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `an empty node at a lost one's address takes its places while clients write`(
        seed: UInt64
    ) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.fill(fleet)
            let old = fleet.id(of: 2)
            fleet.hold(2)
            fleet.nodes[2].replaceDisk()
            await fleet.put("away", by: 1)
            fleet.free(2)
            for number in 0..<10 {
                await fleet.put("meanwhile\(number)", by: Int(seed) % 2)
                await fleet.rest(milliseconds: 300)
            }
            await Self.expectWhole(fleet, without: old)
            for number in 0..<10 { await fleet.expectFound("meanwhile\(number)", by: 2) }
            await fleet.expectFound("away", by: 2)
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a new node that loses its disk on the way is replaced as well`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await Self.fill(fleet)
            for _ in 0..<2 {
                fleet.hold(2)
                fleet.nodes[2].replaceDisk()
                fleet.free(2)
                await fleet.rest(milliseconds: seed * 250)
            }
            let old = fleet.id(of: 2)
            fleet.hold(2)
            fleet.nodes[2].replaceDisk()
            fleet.free(2)
            await Self.expectWhole(fleet, without: old)
        }
    }

    @Test func `who finds another node in its places does not start`() {
        let run = FleetRun(seed: 1, nodes: 3)
        run.run(expecting: ["node 2 does not start: replaced"]) { fleet in
            await Self.fill(fleet)
            fleet.hold(2)
            let disk = fleet.nodes[2].disk
            fleet.nodes[2].replaceDisk()
            fleet.free(2)
            await fleet.expectSettled()
            fleet.hold(2)
            fleet.nodes[2].replaceDisk(by: disk)
            fleet.free(2)
            await fleet.rest(milliseconds: 5_000)
            await fleet.expectFound("small0", by: 0)
        }
    }

    /// The address leads to another node than the one that asks for its places.
    @Test func `a node that is there is not replaced by one that claims its address`() {
        FleetRun(seed: 1, nodes: 3).run { fleet in
            await Self.fill(fleet)
            guard let before = await fleet.clusterStatus(by: 0)?.nodes.map(\.node) else {
                return fleet.verdict.fail("0 is down")
            }
            await fleet.claim(addressOf: 2)
            let after = await fleet.clusterStatus(by: 0)?.nodes.map(\.node)
            if after != before { fleet.verdict.fail("\(before) became \(after ?? [])") }
            await fleet.expectSettled()
        }
    }
}

extension Fleet {
    /// For ten seconds a new node says that it is to be found where another one is.
    fileprivate func claim(addressOf other: Int) async {
        guard let cluster = nodes[0].process?.store.identity.cluster else {
            return verdict.fail("0 is down")
        }
        let entropy = SimulatedEntropy(seed: 77)
        let store: Store
        do throws(StoreError) {
            store = try await Store(
                disk: MemoryDisk(), index: MemoryIndex(),
                options: StoreOptions(
                    reserveBytes: 0, segmentBytes: SimulatedNode.segmentBytes, cluster: cluster),
                clock: nodes[0].clock, entropy: entropy)
        } catch { return verdict.fail("\(error)") }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do throws(StoreError) { try await store.runWriter() } catch {
                    self.verdict.fail("\(error)")
                }
            }
            await withTaskGroup(of: Void.self) { entering in
                entering.addTask { await self.enter(store, at: nodes[other].address, entropy) }
                await rest(milliseconds: 10_000)
                entering.cancelAll()
            }
            store.stop()
        }
    }

    private func enter(_ store: Store, at address: String, _ entropy: SimulatedEntropy) async {
        do throws(ClusterError) {
            let node = try await ClusterNode.open(
                store: store, clock: nodes[0].clock, entropy: entropy, options: around.options,
                place: MemberPlace(address: address, weightBytes: SimulatedNode.diskBytes),
                transport: around.network.transport(of: nodes.count, isAlive: { true }))
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.expectNoWord(node) }
                group.addTask { await self.enter(node) }
            }
        } catch { verdict.fail("\(error)") }
    }

    private func enter(_ node: ClusterNode) async {
        do throws(ClusterError) {
            try await node.enter(joining: [nodes[0].address])
            verdict.fail("it has entered")
        } catch {
            if error != .stopped { verdict.fail("\(error)") }
        }
    }

    /// What is asked at a member's address is not answered by who is none: an empty partition of
    /// its own would be taken for the member's.
    private func expectNoWord(_ node: ClusterNode) async {
        await rest(milliseconds: 5_000)
        guard let epoch = await clusterEpoch() else { return verdict.fail("0 is down") }
        var page = ByteWriter(reserving: 16)
        page.write(fixed: UInt16(0))
        page.write(string: [])
        page.write(number: 10)
        for (kind, head) in [(WireKind.partition, page.bytes), (.digests, [0])] {
            let answer = await node.service.answer(
                WireMessage(kind: kind.rawValue, epoch: epoch, head: head))
            if answer.kind != WireKind.failed.rawValue {
                verdict.fail("\(kind) is answered with \(answer.kind)")
            }
        }
    }

    private func clusterEpoch() async -> Epoch? {
        let answer = await ask(0) { (node) throws(ClusterError) in await node.status().epoch }
        if case .success(let epoch) = answer { return epoch }
        return nil
    }
}
