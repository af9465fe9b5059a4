@testable import VortexCore

/// The fewest copies that any assignment with these members must move: a minimum-cost flow from
/// partitions through zones and hosts to nodes, by successive shortest paths. Slow, and written
/// apart from the code that it judges; only the exact shares are the same.
struct MoveOracle {
    private struct Arc {
        var to: Int
        var room: Int
        var cost: Int
    }
    private var arcs: [Arc] = []
    private var from: [[Int]] = []

    /// Must be above all costs together, so that what has to be held is held first.
    private static let must = 100_000

    private init(vertices: Int) { from = Array(repeating: [], count: vertices) }

    static func fewestMoves(of assignment: Assignment, after previous: Assignment) -> Int {
        let topology = Topology(assignment.members)
        let partitions = assignment.ring.partitionCount
        let copies = min(assignment.replicas, assignment.width)
        let (zones, hosts) = (topology.zoneCount, topology.hostCount)
        let stride = 1 + zones + hosts
        let firstNode = 2 + partitions * stride
        var oracle = MoveOracle(vertices: firstNode + topology.nodeCount)
        for partition in assignment.ring.partitions {
            let vertex = 2 + Int(partition.value) * stride
            let had = previous.owners(of: partition).prefix(previous.replicas)
            oracle.connect(0, vertex, copies, 0)
            for zone in 0..<zones {
                oracle.connect(vertex, vertex + 1 + zone, 1, zones < copies ? -must : 0)
                if zones < copies { oracle.connect(vertex, vertex + 1 + zone, copies, 0) }
            }
            for host in 0..<hosts {
                let zone = vertex + 1 + Int(topology.hostZone[host])
                let hostVertex = vertex + 1 + zones + host
                oracle.connect(zone, hostVertex, 1, hosts < copies ? -must : 0)
                if hosts < copies { oracle.connect(zone, hostVertex, copies, 0) }
                for node in topology.hostNodes[host].map(Int.init) {
                    let cost = had.contains(assignment.members[node].id) ? 0 : 1
                    oracle.connect(hostVertex, firstNode + node, 1, cost)
                }
            }
        }
        let shares = FairShare(topology: topology, partitions: partitions, copies: copies).exact()
        for (node, share) in shares.enumerated() {
            let least = Int((share + 1e-6).rounded(.down))
            let most = Int((share - 1e-6).rounded(.up))
            oracle.connect(firstNode + node, 1, least, -must)
            oracle.connect(firstNode + node, 1, most - least, 0)
        }
        let (flow, cost) = oracle.run()
        precondition(flow == partitions * copies)
        return ((cost % must) + must) % must
    }

    private mutating func connect(_ start: Int, _ end: Int, _ room: Int, _ cost: Int) {
        guard room > 0 else { return }
        from[start].append(arcs.count)
        arcs.append(Arc(to: end, room: room, cost: cost))
        from[end].append(arcs.count)
        arcs.append(Arc(to: start, room: 0, cost: -cost))
    }

    /// From vertex 0 to vertex 1.
    private mutating func run() -> (flow: Int, cost: Int) {
        var (flow, total) = (0, 0)
        while let (path, cost) = shortestPath() {
            let room = path.map { arcs[$0].room }.min() ?? 0
            for arc in path {
                arcs[arc].room -= room
                arcs[arc ^ 1].room += room
            }
            flow += room
            total += room * cost
        }
        return (flow, total)
    }

    private func shortestPath() -> (path: [Int], cost: Int)? {
        var cost = [Int](repeating: .max / 2, count: from.count)
        var via = [Int](repeating: -1, count: from.count)
        var isQueued = [Bool](repeating: false, count: from.count)
        var (queue, next) = ([0], 0)
        cost[0] = 0
        while next < queue.count {
            let vertex = queue[next]
            next += 1
            isQueued[vertex] = false
            for index in from[vertex] where arcs[index].room > 0 {
                let (end, reached) = (arcs[index].to, cost[vertex] + arcs[index].cost)
                guard reached < cost[end] else { continue }
                cost[end] = reached
                via[end] = index
                if !isQueued[end] { queue.append(end) }
                isQueued[end] = true
            }
        }
        guard via[1] >= 0 else { return nil }
        var path: [Int] = []
        var vertex = 1
        while vertex != 0 {
            path.append(via[vertex])
            vertex = arcs[via[vertex] ^ 1].to
        }
        return (path, cost[1])
    }
}
