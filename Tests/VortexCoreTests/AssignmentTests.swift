import Testing

@testable import VortexCore

/// Members that join, leave and change weight at random.
private struct RandomCluster {
    var generator: SeededGenerator
    var members: [Member] = []
    let zones: Int
    let hostsPerZone: Int
    let replicas: Int
    private var lastID: UInt64 = 0

    init(seed: Int) {
        generator = SeededGenerator(seed: seed)
        zones = Int.random(in: 1...7, using: &generator)
        hostsPerZone = Int.random(in: 1...4, using: &generator)
        replicas = Int.random(in: 1...5, using: &generator)
        for _ in 0..<Int.random(in: 1...12, using: &generator) { join() }
    }

    mutating func join() {
        lastID += 1
        let zone = Int.random(in: 0..<zones, using: &generator)
        let host = Int.random(in: 0..<hostsPerZone, using: &generator)
        members.append(
            Member(
                id: NodeID(lastID), address: "n\(lastID):1", zone: "z\(zone)", host: "h\(host)",
                weightBytes: UInt64.random(in: 100...1_000, using: &generator)))
    }

    mutating func change() {
        let victim = Int.random(in: 0..<members.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: join()
        case 1 where members.count > 1: members.remove(at: victim)
        default:
            members[victim].weightBytes = UInt64.random(in: 100...1_000, using: &generator)
        }
    }
}

struct AssignmentTests {
    private func expectSpread(_ assignment: Assignment, _ comment: Comment) {
        let topology = Topology(assignment.members)
        for places in [min(assignment.replicas, assignment.width), assignment.width] {
            var bad = 0
            for first in stride(from: 0, to: assignment.owners.count, by: assignment.width) {
                let owners = assignment.owners[first..<first + places].map(Int.init)
                let zones = Set(owners.map { topology.zoneOf[$0] }).count
                let hosts = Set(owners.map { topology.hostOf[$0] }).count
                if Set(owners).count != places || zones != min(places, topology.zoneCount)
                    || hosts != min(places, topology.hostCount)
                {
                    bad += 1
                }
            }
            #expect(bad == 0, comment)
        }
    }

    private func loads(_ assignment: Assignment) -> [Int] {
        var loads = [Int](repeating: 0, count: assignment.members.count)
        for place in assignment.owners.indices
        where place % assignment.width < assignment.replicas {
            loads[Int(assignment.owners[place])] += 1
        }
        return loads
    }

    private func expectFairLoad(_ assignment: Assignment, _ comment: Comment) {
        let shares = FairShare(
            topology: Topology(assignment.members), partitions: assignment.ring.partitionCount,
            copies: min(assignment.replicas, assignment.width)
        ).exact()
        for (load, share) in zip(loads(assignment), shares) {
            #expect(abs(Double(load) - share) < 1, comment)
        }
    }

    @Test(arguments: 1...60)
    func `after any changes load is fair, copies lie apart, and little has moved`(seed: Int) {
        var cluster = RandomCluster(seed: seed)
        let ring = Ring(bits: UInt8(4 + seed % 3))
        var assignment = Assignment(
            ring: ring, replicas: cluster.replicas, members: cluster.members)
        for step in 0..<8 {
            expectSpread(assignment, "step \(step)")
            expectFairLoad(assignment, "step \(step)")
            cluster.change()
            let next = Assignment(
                ring: ring, replicas: cluster.replicas, members: cluster.members,
                previous: assignment)
            let moved = next.moved(from: assignment.owners(of:))
            let fewest = MoveOracle.fewestMoves(of: next, after: assignment)
            // Rings this small move a dozen copies, so that 5% of them is less than one.
            #expect(Double(moved) <= 1.05 * Double(fewest) + 3, "step \(step)")
            assignment = next
        }
    }

    @Test func `where no zone binds, the load is the weight's plain proportion`() {
        var generator = SeededGenerator(seed: 5)
        let members = (1...40).map { id in
            Member(
                id: NodeID(UInt64(id)), address: "", zone: "z\(id % 8)", host: "\(id)",
                weightBytes: UInt64.random(in: 800...1_000, using: &generator))
        }
        let assignment = Assignment(ring: Ring(bits: 10), replicas: 3, members: members)
        let total = members.reduce(0) { $0 + Double($1.weightBytes) }
        for (member, load) in zip(assignment.members, loads(assignment)) {
            let share = 3 * 1_024 * Double(member.weightBytes) / total
            #expect(abs(Double(load) - share) < 1)
        }
    }

    @Test func `three zones of unequal size hold every partition once each`() {
        let members = (0..<9).map { id in
            Member(
                id: NodeID(UInt64(id)), address: "", zone: id < 6 ? "a" : id < 8 ? "b" : "c",
                host: "\(id)", weightBytes: 100)
        }
        let assignment = Assignment(ring: Ring(bits: 8), replicas: 3, members: members)
        expectSpread(assignment, "zones")
        #expect(loads(assignment)[8] == 256)
    }

    @Test func `nothing changes where no member does, in whatever order they are given`() {
        let cluster = RandomCluster(seed: 3)
        let first = Assignment(ring: Ring(bits: 8), replicas: 3, members: cluster.members)
        let again = Assignment(
            ring: Ring(bits: 8), replicas: 3, members: cluster.members.reversed(),
            previous: first)
        #expect(again == first)
    }

    @Test func `a node that joins takes its share from all, and only that`() {
        var members = (1...20).map { id in
            Member(
                id: NodeID(UInt64(id)), address: "", zone: "z\(id % 5)", host: "\(id)",
                weightBytes: 1_000)
        }
        let before = Assignment(ring: Ring(bits: 12), replicas: 3, members: members)
        members.append(
            Member(id: NodeID(99), address: "", zone: "z1", host: "99", weightBytes: 1_000))
        let after = Assignment(
            ring: Ring(bits: 12), replicas: 3, members: members, previous: before)
        let share = 3 * 4_096 / 21
        #expect((share...share + 1).contains(after.moved(from: before.owners(of:))))
    }

    @Test(arguments: 1...40)
    func `a first second host takes one copy of every partition, and nothing else moves`(seed: Int)
    {
        var generator = SeededGenerator(seed: seed)
        var members = (1...UInt64.random(in: 3...5, using: &generator)).map { id in
            Member(
                id: NodeID(id), address: "", zone: "", host: "one",
                weightBytes: UInt64.random(in: 100...1_000, using: &generator))
        }
        let before = Assignment(ring: Ring(bits: 7), replicas: 2, members: members)
        members.append(
            Member(id: NodeID(9), address: "", zone: "", host: "two", weightBytes: 100))
        let after = Assignment(
            ring: Ring(bits: 7), replicas: 2, members: members, previous: before)
        let fewest = MoveOracle.fewestMoves(of: after, after: before)
        #expect(after.moved(from: before.owners(of:)) <= fewest + 1)
    }

    @Test func `only active members own anything`() {
        var members = RandomCluster(seed: 8).members
        members[0].state = .draining
        members[1].state = .dead
        let assignment = Assignment(ring: Ring(bits: 6), replicas: 3, members: members)
        #expect(assignment.members.count == members.count - 2)
        #expect(Assignment(ring: Ring(bits: 6), replicas: 3, members: []).owners.isEmpty)
    }

    @Test func `every two nodes share partitions, so that all help to replace one`() {
        let members = (1...12).map { id in
            Member(
                id: NodeID(UInt64(id)), address: "", zone: "\(id)", host: "", weightBytes: 7)
        }
        let assignment = Assignment(ring: Ring(bits: 12), replicas: 3, members: members)
        var together = [Int](repeating: 0, count: 144)
        for partition in assignment.ring.partitions {
            let owners = assignment.owners(of: partition).prefix(3).map { Int($0.value) - 1 }
            for one in owners { for other in owners { together[12 * one + other] += 1 } }
        }
        // 4,096 partitions of 3 pairs each over 66 pairs: 186.
        for one in 0..<12 {
            for other in 0..<one {
                #expect((120...260).contains(together[12 * one + other]))
            }
        }
    }
}
