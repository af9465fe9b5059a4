import Testing

@testable import VortexCore

private let cluster = ClusterID(high: 11, low: 12)

private func member(_ id: UInt64, zone: String? = nil) -> Member {
    Member(
        id: NodeID(id), address: "10.0.0.\(id):7070", zone: zone ?? "z\(id % 3)", host: "h\(id)",
        weightBytes: 1_000 + id)
}

private func layout(_ ids: ClosedRange<UInt64>, bits: UInt8 = 5) -> Layout {
    Layout(cluster: cluster, members: ids.map { member($0) }, ring: Ring(bits: bits))
}

struct LayoutTests {
    @Test func `a cluster of one owns every partition`() {
        let node = NodeID(42)
        let layout = Layout.single(cluster: cluster, node: node, address: "127.0.0.1:1")
        #expect(layout.council == [node])
        #expect(layout.epoch == Epoch(number: 1))
        for partition in layout.ring.partitions {
            #expect(layout.owners(of: partition) == [node])
            #expect(layout.epoch(of: partition) == Epoch(number: 1))
            #expect(layout.since(node, in: partition) == Epoch(number: 1))
            #expect(!layout.isMigrating(partition))
        }
    }

    @Test func `a change makes joint epochs only where owners change`() throws {
        let before = layout(1...6)
        let joint = try #require(before.reassigning(to: (1...7).map { member($0) }))
        #expect(joint.epoch == Epoch(number: 2))
        var migrating = 0
        for partition in before.ring.partitions {
            let same = joint.owners(of: partition) == before.owners(of: partition)
            #expect(joint.isMigrating(partition) == !same)
            #expect(joint.epoch(of: partition) == Epoch(number: same ? 1 : 2))
            if same { continue }
            migrating += 1
            #expect(joint.previous(of: partition) == before.owners(of: partition))
            for node in joint.previous(of: partition) {
                #expect(joint.since(node, in: partition) == Epoch(number: 1))
            }
        }
        #expect(migrating > 0 && migrating < 32)
    }

    @Test func `who leaves with the final epoch stays a source until it reports at that epoch`()
        throws
    {
        let before = layout(1...5, bits: 3)
        let joint = try #require(
            before.reassigning(to: (2...6).map { member($0) }))
        #expect(joint.member(NodeID(1))?.state == .dead)
        let final = try #require(joint.finishing(Array(joint.ring.partitions)))
        #expect(final.joints.isEmpty)
        let partition = try #require(
            final.ring.partitions.first { final.sources(of: $0).contains(NodeID(1)) })
        let source = NodeID(1)
        #expect(before.owners(of: partition).contains(source))
        #expect(!final.mayLeave(source))
        let late = Layout.Emptied(
            node: source, partition: partition, epoch: joint.epoch(of: partition))
        #expect(final.emptied([late]) == nil)
        let reports = final.ring.partitions.map {
            Layout.Emptied(node: source, partition: $0, epoch: final.epoch(of: $0))
        }
        let empty = try #require(final.emptied(reports))
        #expect(empty.mayLeave(source))
        #expect(empty.epoch(of: partition) == final.epoch(of: partition))
    }

    @Test func `falling back keeps since and makes the joint owners sources`() throws {
        let before = layout(1...5, bits: 4)
        let joint = try #require(before.reassigning(to: (1...7).map { member($0) }))
        let partition = try #require(joint.ring.partitions.first { joint.isMigrating($0) })
        let back = try #require(joint.fallingBack([partition]))
        #expect(back.owners(of: partition) == before.owners(of: partition))
        #expect(back.epoch(of: partition) == Epoch(number: 3))
        for node in back.owners(of: partition) {
            #expect(back.since(node, in: partition) == Epoch(number: 1))
        }
        let new = joint.rowOwners(of: partition).filter {
            !before.rowOwners(of: partition).contains($0)
        }
        #expect(back.sources(of: partition) == new.sorted())
    }

    @Test func `another joint epoch keeps the previous owners`() throws {
        let before = layout(1...5, bits: 4)
        let joint = try #require(before.reassigning(to: (1...6).map { member($0) }))
        let again = try #require(
            joint.reassigning(to: ([1, 2, 3, 4, 5, 7] as [UInt64]).map { member($0) }))
        for partition in joint.ring.partitions where again.isMigrating(partition) {
            #expect(again.previous(of: partition) == before.owners(of: partition))
            let held = again.rowOwners(of: partition) + before.rowOwners(of: partition)
            let former = joint.rowOwners(of: partition).filter { !held.contains($0) }
            #expect(again.sources(of: partition) == former.sorted())
        }
        #expect(joint.reassigning(to: (1...6).map { member($0) }) == nil)
    }

    @Test(arguments: 1...20)
    func `since begins with the unbroken run, whatever the changes`(seed: Int) {
        var generator = SeededGenerator(seed: seed)
        var current = layout(1...6, bits: 4)
        var runs = [[NodeID: Epoch]](repeating: [:], count: 16)
        for step in 0..<40 {
            for partition in current.ring.partitions {
                let present = Set(current.rowOwners(of: partition))
                    .union(current.previousRowOwners(of: partition))
                var run = runs[Int(partition.value)].filter { present.contains($0.key) }
                for node in present where run[node] == nil { run[node] = current.epoch }
                runs[Int(partition.value)] = run
                for (node, since) in run {
                    #expect(current.since(node, in: partition) == since, "step \(step)")
                }
            }
            current = Self.changed(current, &generator) ?? current
        }
    }

    @Test func `who stands behind the rows' owners is a source, and comes back as if new`() {
        var current = layout(1...5, bits: 0)
        let partition = Partition(0)
        let nodes = (1...5).map { NodeID($0) }
        func moved(_ order: [Int]) {
            var next = current.advanced()
            next.move(partition, to: order.map { nodes[$0] })
            current = next.finishing([partition]) ?? next
        }
        moved([0, 1, 2, 3, 4])
        let (first, kept) = (
            current.since(nodes[2], in: partition), current.since(nodes[0], in: partition)
        )
        moved([0, 1, 3, 2, 4])
        #expect(current.sources(of: partition).contains(nodes[2]))
        moved([0, 1, 2, 3, 4])
        #expect(!current.sources(of: partition).contains(nodes[2]))
        #expect(current.since(nodes[2], in: partition) != first)
        #expect(current.since(nodes[0], in: partition) == kept)
    }

    fileprivate static func changed(
        _ layout: Layout, _ generator: inout SeededGenerator
    ) -> Layout? {
        let some = layout.ring.partitions.filter { _ in Bool.random(using: &generator) }
        let anyone = layout.members.randomElement(using: &generator)?.id ?? NodeID(0)
        switch Int.random(in: 0..<8, using: &generator) {
        case 4: return layout.withdrawing(anyone)
        case 5: return layout.returning(anyone)
        case 6: return layout.finishing(layout.migrating)
        case 7:
            let id = UInt64.random(in: 100..<1_000, using: &generator)
            return layout.replacing(anyone, with: member(id))
        case 0: return layout.finishing(some)
        case 1: return layout.fallingBack(some)
        case 2:
            return layout.emptied(
                some.flatMap { partition in
                    layout.sources(of: partition).map {
                        Layout.Emptied(
                            node: $0, partition: partition, epoch: layout.epoch(of: partition))
                    }
                })
        default:
            let ids = (1...9).filter { _ in UInt8.random(in: 0..<4, using: &generator) > 0 }
            return layout.reassigning(to: ids.map { member(UInt64($0)) })
        }
    }

    @Test func `the council is odd, active, spread over zones, and sits as long as it can`() {
        let members = (1...12).map { member(UInt64($0), zone: "z\($0 % 5)") }
        let council = Council.choose(among: members, keeping: [])
        #expect(council.count == 5)
        let zones = Set(council.map { id in members.first { $0.id == id }?.zone })
        #expect(zones.count == 5)
        var fewer = members
        fewer.removeAll { $0.id == council[0] }
        let next = Council.choose(among: fewer, keeping: council)
        #expect(Set(next).isSuperset(of: council.dropFirst()))
        #expect(Council.choose(among: Array(members.prefix(4)), keeping: []).count == 3)
        #expect(Council.choose(among: Array(members.prefix(2)), keeping: []).count == 1)
    }
}

struct LayoutCodingTests {
    @Test(arguments: 1...20)
    func `what is written is read, whatever the changes`(seed: Int) throws {
        var generator = SeededGenerator(seed: seed)
        var current = layout(1...6, bits: UInt8(seed % 7))
        for _ in 0..<20 {
            let bytes = current.encoded()
            let decoded = try Layout(decoding: bytes)
            #expect(decoded == current)
            #expect(decoded.encoded() == bytes)
            current = LayoutTests.changed(current, &generator) ?? current
        }
    }

    /// A layout with everything in it: joints, sources, several epochs.
    private func rich() throws -> [UInt8] {
        let joint = try #require(
            layout(1...6, bits: 4).reassigning(to: (2...8).map { member($0) }))
        let half = joint.ring.partitions.filter { $0.value % 2 == 0 }
        let mixed = try #require(joint.finishing(half))
        return mixed.encoded()
    }

    @Test func `cut anywhere, it is refused`() throws {
        let bytes = try rich()
        for count in bytes.indices {
            #expect(throws: CodingError.self) { try Layout(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: CodingError.trailing(1)) { try Layout(decoding: bytes + [0]) }
    }

    @Test func `with any bit flipped, it is refused or is another layout that holds together`()
        throws
    {
        let bytes = try rich()
        for position in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << bit
                try expectSound(damaged)
            }
        }
    }

    @Test(arguments: 1...30)
    func `noise never traps`(seed: Int) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = try rich()
        for _ in 0..<50 {
            var damaged = bytes
            let start = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, start + Int.random(in: 1...40, using: &generator))
            damaged.replaceSubrange(start..<end, with: generator.bytes(end - start))
            try expectSound(damaged)
            try expectSound([1] + generator.bytes(200))
        }
    }

    private func expectSound(_ bytes: [UInt8]) throws {
        let decoded: Layout
        do throws(CodingError) { decoded = try Layout(decoding: bytes) } catch { return }
        let again = try Layout(decoding: decoded.encoded())
        #expect(again == decoded)
        for partition in decoded.ring.partitions {
            let owners = decoded.owners(of: partition)
            let previous = decoded.previous(of: partition)
            #expect(Set(owners).count == owners.count)
            #expect(Set(previous).count == previous.count)
            let holders = Set(owners.prefix(decoded.replicas))
            #expect(holders.isDisjoint(with: decoded.sources(of: partition)))
            #expect(decoded.epoch(of: partition) <= decoded.epoch)
        }
    }

    @Test func `a member count that no bytes follow costs no memory`() {
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(cluster)
        writer.write(Epoch(number: 1))
        writer.write(UInt8(16))
        writer.write(UInt8(3))
        writer.write(number: 0)
        writer.write(number: 0)
        writer.write(number: 600_000)
        #expect(throws: CodingError.truncated(needed: 1_200_000, remaining: 0)) {
            try Layout(decoding: writer.bytes)
        }
    }
}
