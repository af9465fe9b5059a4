internal import ArgumentParser
internal import VortexCore

/// How long the owners of a large cluster take to compute: `vortex bench layout`. The bound is 2 s,
/// so that a council member is never away longer than a suspicion takes.
struct LayoutBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "layout",
        abstract: "Assign the partitions of a large cluster to its nodes, and print median times.")

    @Option(help: "Members of the cluster.")
    var nodes = 1_000

    @Option(help: "Zones that the members are spread over.")
    var zones = 10

    @Option(help: "The ring has 2 to the power of this many partitions; at most 16.")
    var bits: UInt8 = 16

    func validate() throws {
        guard (6...Layout.membersMax).contains(nodes) else {
            throw ValidationError("--nodes must be 6 to \(Layout.membersMax).")
        }
        guard (1...nodes).contains(zones) else {
            throw ValidationError("--zones must be 1 to the number of nodes.")
        }
        guard bits <= Limits.partitionBitsMax else {
            throw ValidationError("--bits must be at most \(Limits.partitionBitsMax).")
        }
    }

    func run() {
        let ring = Ring(bits: bits)
        let members = (0..<nodes).map { member($0) }
        let settled = Assignment(ring: ring, replicas: 3, members: members)
        let joined = members + [member(nodes)]
        let left = Array(members.dropLast())
        let lostZone = members.filter { $0.zone != "zone 0" }
        print("\(nodes) nodes, \(zones) zones, \(ring.partitionCount) partitions; median of 5")
        report("from nothing") { Assignment(ring: ring, replicas: 3, members: members) }
        for (name, next) in [("a node joins", joined), ("a node leaves", left)] {
            report(name, moves: settled) {
                Assignment(ring: ring, replicas: 3, members: next, previous: settled)
            }
        }
        guard zones > 1 else { return }
        report("a zone is lost", moves: settled) {
            Assignment(ring: ring, replicas: 3, members: lostZone, previous: settled)
        }
    }

    private func member(_ number: Int) -> Member {
        Member(
            id: NodeID(UInt64(number) + 1), address: "node-\(number):7070",
            zone: "zone \(number % zones)", host: "host \(number)",
            weightBytes: UInt64(1_000 + number * 37 % 1_000) << 30)
    }

    private func report(
        _ name: String, moves previous: Assignment? = nil, _ assign: () -> Assignment
    ) {
        var times: [Duration] = []
        var moved = ""
        for _ in 0..<5 {
            let start = ContinuousClock.now
            let assignment = assign()
            times.append(ContinuousClock.now - start)
            if let previous {
                moved = ", \(assignment.moved(from: previous.owners(of:))) copies moved"
            }
        }
        times.sort()
        let milliseconds = times[2].components.attoseconds / 1_000_000_000_000_000
        print("\(name): \(times[2].components.seconds * 1_000 + milliseconds) ms\(moved)")
    }
}
