import Testing

@testable import VortexCore

private func member(_ id: UInt64, address: String? = nil) -> Member {
    Member(
        id: NodeID(id), address: address ?? "10.0.0.\(id):7070", zone: "", host: "h\(id)",
        weightBytes: 1_000)
}

private func layout(_ ids: ClosedRange<UInt64>) -> Layout {
    Layout(
        cluster: ClusterID(high: 11, low: 12), members: ids.map { member($0) },
        ring: Ring(bits: 5))
}

extension Layout {
    fileprivate func finished() throws -> Layout { try #require(finishing(migrating)) }
}

struct ResyncingLayoutTests {
    @Test(arguments: [3, 5, 8] as [UInt64])
    func `who resyncs leaves every quorum, and nobody stands in`(count: UInt64) throws {
        let before = layout(1...count)
        let joint = try #require(before.withdrawing(NodeID(2)))
        #expect(joint.member(NodeID(2))?.state == .resyncing)
        for partition in before.ring.partitions {
            let rows = before.rowOwners(of: partition)
            #expect(joint.owners(of: partition) == before.owners(of: partition))
            #expect(joint.rowOwners(of: partition) == rows.filter { $0 != NodeID(2) })
            #expect(joint.isMigrating(partition) == rows.contains(NodeID(2)))
            guard rows.contains(NodeID(2)) else { continue }
            #expect(joint.previousRowOwners(of: partition) == rows)
            #expect(joint.since(NodeID(2), in: partition) == before.epoch)
            #expect(joint.sources(of: partition) == [NodeID(2)])
        }
        let out = try joint.finished()
        for partition in before.ring.partitions {
            let isOut = before.rowOwners(of: partition).contains(NodeID(2))
            #expect(!out.rowOwners(of: partition).contains(NodeID(2)))
            #expect(!isOut || out.since(NodeID(2), in: partition) == nil)
            #expect(out.sources(of: partition) == (isOut ? [NodeID(2)] : []))
            #expect(out.previous(of: partition).isEmpty)
        }
        #expect(!out.mayLeave(NodeID(2)))
    }

    @Test(arguments: [3, 5, 8] as [UInt64])
    func `who comes back has its places in the same order, and a new since alone`(
        count: UInt64
    ) throws {
        let before = layout(1...count)
        let out = try #require(before.withdrawing(NodeID(2))).finished()
        let joint = try #require(out.returning(NodeID(2)))
        for partition in before.ring.partitions where joint.isMigrating(partition) {
            let others = before.rowOwners(of: partition).filter { $0 != NodeID(2) }
            #expect(joint.previousRowOwners(of: partition) == others)
            #expect(joint.since(NodeID(2), in: partition) == joint.epoch)
            for other in others { #expect(joint.since(other, in: partition) == before.epoch) }
        }
        let back = try joint.finished()
        for partition in before.ring.partitions {
            #expect(back.owners(of: partition) == before.owners(of: partition))
            #expect(back.sources(of: partition).isEmpty)
        }
        #expect(back.members == before.members)
        #expect(back.council == before.council)
    }

    @Test func `it comes back only after it was out of every quorum`() throws {
        let joint = try #require(layout(1...3).withdrawing(NodeID(2)))
        #expect(joint.returning(NodeID(2)) == nil)
        #expect(try joint.finished().returning(NodeID(1)) == nil)
    }

    @Test func `without a majority of previous owners to sync from nobody withdraws`() throws {
        #expect(layout(1...1).withdrawing(NodeID(1)) == nil)
        #expect(layout(1...2).withdrawing(NodeID(1)) == nil)
        let joint = try #require(layout(1...3).withdrawing(NodeID(2)))
        #expect(joint.withdrawing(NodeID(3)) == nil)
        #expect(try joint.finished().withdrawing(NodeID(3)) == nil)
    }

    /// Two were the only majority: either has accepted all that was ever chosen. With the third one
    /// there are still two to write to.
    @Test func `where one of two is damaged while a third one joins, the other is the witness`()
        throws
    {
        let joining = try #require(layout(1...2).reassigning(to: (1...3).map { member($0) }))
        let joint = try #require(joining.withdrawing(NodeID(1)))
        for partition in joint.ring.partitions {
            #expect(joint.rowOwners(of: partition).sorted() == [NodeID(2), NodeID(3)])
            #expect(joint.previousRowOwners(of: partition) == [NodeID(2)])
        }
    }

    @Test func `where one of two is lost while a third one joins, the other is the witness`() throws
    {
        let joining = try #require(layout(1...2).reassigning(to: (1...3).map { member($0) }))
        let joint = try #require(
            joining.replacing(NodeID(1), with: member(9, address: "10.0.0.1:7070")))
        for partition in joint.ring.partitions {
            #expect(joint.isMigrating(partition))
            #expect(joint.previousRowOwners(of: partition) == [NodeID(2)])
            #expect(joint.rowOwners(of: partition).contains(NodeID(9)))
        }
        #expect(joint.replacing(NodeID(2), with: member(8, address: "10.0.0.2:7070")) == nil)
    }

    @Test func `a node that is damaged while it joins falls out of the joint epoch again`() throws {
        let before = layout(1...2)
        let joining = try #require(before.reassigning(to: (1...3).map { member($0) }))
        let out = try #require(joining.withdrawing(NodeID(3)))
        #expect(!out.isMigrating)
        for partition in before.ring.partitions {
            #expect(out.rowOwners(of: partition) == before.rowOwners(of: partition))
        }
    }

    @Test func `all joint epochs begin anew together, with the previous owners that they had`()
        throws
    {
        let joining = try #require(
            layout(1...7).reassigning(to: (1...8).map { member($0) }))
        let joint = try #require(joining.withdrawing(NodeID(2)))
        for partition in joint.migrating {
            #expect(joint.epoch(of: partition) == joint.epoch)
            if joining.isMigrating(partition) {
                #expect(joint.previous(of: partition) == joining.previous(of: partition))
            }
        }
    }
}

struct ReplacingLayoutTests {
    private let new = member(9, address: "10.0.0.2:7070")

    @Test(arguments: [3, 5, 8] as [UInt64])
    func `the new node takes the old one's places, and is in no quorum that the old one was`(
        count: UInt64
    ) throws {
        let before = layout(1...count)
        let joint = try #require(before.replacing(NodeID(2), with: new))
        #expect(joint.member(NodeID(2))?.state == .replaced)
        for partition in before.ring.partitions {
            let expected = before.owners(of: partition).map { $0 == NodeID(2) ? NodeID(9) : $0 }
            #expect(joint.owners(of: partition) == expected)
            guard before.rowOwners(of: partition).contains(NodeID(2)) else {
                #expect(!joint.isMigrating(partition))
                continue
            }
            #expect(joint.previousRowOwners(of: partition) == before.rowOwners(of: partition))
            #expect(joint.since(NodeID(9), in: partition) == joint.epoch)
        }
        #expect(!joint.council.contains(NodeID(2)))
        let final = try joint.finished()
        #expect(final.member(NodeID(2)) == nil)
        #expect(final.ring.partitions.allSatisfy { final.sources(of: $0).isEmpty })
    }

    @Test func `whoever listens at the address is never asked in the old one's name`() throws {
        let joint = try #require(layout(1...3).replacing(NodeID(2), with: new))
        #expect(joint.member(NodeID(2))?.address == "")
        #expect(joint.member(NodeID(9))?.address == "10.0.0.2:7070")
    }

    @Test func `a new node that dies on the way is replaced with the same previous owners`()
        throws
    {
        let joint = try #require(layout(1...3).replacing(NodeID(2), with: new))
        let again = try #require(joint.replacing(NodeID(9), with: member(10)))
        for partition in again.ring.partitions {
            #expect(again.previous(of: partition) == joint.previous(of: partition))
            #expect(again.owners(of: partition).contains(NodeID(10)))
            #expect(again.epoch(of: partition) == again.epoch)
        }
        #expect(again.member(NodeID(9)) == nil)
        #expect(try again.finished().members.map(\.id) == [1, 3, 10].map { NodeID($0) })
    }

    @Test func `a damaged node that is out of its places is replaced from the others`() throws {
        let out = try #require(layout(1...3).withdrawing(NodeID(2))).finished()
        let joint = try #require(out.replacing(NodeID(2), with: new))
        for partition in joint.ring.partitions {
            #expect(joint.previous(of: partition).count == 2)
            #expect(joint.rowOwners(of: partition).contains(NodeID(9)))
        }
        #expect(try joint.finished().members.map(\.state) == [.active, .active, .active])
    }

    @Test func `nobody is replaced where the others are no majority`() throws {
        #expect(layout(2...2).replacing(NodeID(2), with: new) == nil)
        let joint = try #require(layout(1...3).replacing(NodeID(2), with: new))
        #expect(joint.replacing(NodeID(1), with: member(10)) == nil)
        let out = try #require(layout(1...3).withdrawing(NodeID(3)))
        #expect(out.replacing(NodeID(2), with: new) == nil)
    }
}
