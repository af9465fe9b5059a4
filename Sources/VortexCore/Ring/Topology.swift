/// Who may hold copies, and how far apart copies must lie: the input of an assignment as flat
/// arrays over small indices. A host is a host within its zone.
struct Topology: Sendable {
    /// Bytes; at least 1, so that a node of no weight still counts where there are too few.
    let weight: [Double]
    let zoneOf: [Int32]
    let hostOf: [Int32]
    /// The zones' nodes one after the other: zone z has `zoneNodes[zoneStart[z]..<zoneStart[z +
    /// 1]]`.
    let zoneNodes: [Int32]
    let zoneStart: [Int]
    let hostZone: [Int32]
    let hostNodes: [[Int32]]

    var nodeCount: Int { weight.count }
    var zoneCount: Int { zoneStart.count - 1 }
    var hostCount: Int { hostZone.count }

    /// Nodes in the order of `members`.
    init(_ members: [Member]) {
        weight = members.map { Double(max($0.weightBytes, 1)) }
        let places = members.indices.sorted { left, right in
            let (one, other) = (members[left], members[right])
            return (one.zone, one.host, one.id) < (other.zone, other.host, other.id)
        }
        var zoneOf = [Int32](repeating: 0, count: members.count)
        var hostOf = zoneOf
        var zoneStart: [Int] = []
        var hostZone: [Int32] = []
        var hostNodes: [[Int32]] = []
        for (position, node) in places.enumerated() {
            let before = position > 0 ? members[places[position - 1]] : nil
            let newZone = before.map { $0.zone != members[node].zone } ?? true
            if newZone { zoneStart.append(position) }
            if newZone || before.map({ $0.host != members[node].host }) ?? true {
                hostZone.append(Int32(zoneStart.count - 1))
                hostNodes.append([])
            }
            zoneOf[node] = Int32(zoneStart.count - 1)
            hostOf[node] = Int32(hostZone.count - 1)
            hostNodes[hostNodes.count - 1].append(Int32(node))
        }
        zoneStart.append(members.count)
        self.zoneOf = zoneOf
        self.hostOf = hostOf
        self.zoneStart = zoneStart
        self.hostZone = hostZone
        self.hostNodes = hostNodes
        zoneNodes = places.map(Int32.init)
    }

    func nodes(ofZone zone: Int) -> ArraySlice<Int32> {
        zoneNodes[zoneStart[zone]..<zoneStart[zone + 1]]
    }
}
