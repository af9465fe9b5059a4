/// What a set of nodes needs to be a good home for one partition: different nodes always, and as
/// many different hosts and zones as there can be. A partial set is good when the places left can
/// still bring the zones and hosts that are missing: one node of a new zone brings a new host as
/// well, so the places left must be as many as the greater of the two lacks.
struct Spread {
    let zonesNeeded: Int
    let hostsNeeded: Int
    let topology: Topology

    init(topology: Topology, copies: Int) {
        self.topology = topology
        zonesNeeded = min(copies, topology.zoneCount)
        hostsNeeded = min(copies, topology.hostCount)
    }

    /// What one more node has to bring to a set with some places still open after it.
    struct Demand {
        var nodes: InlineArray<5, Int32> = .init(repeating: -1)
        var zones: InlineArray<5, Int32> = .init(repeating: -1)
        var hosts: InlineArray<5, Int32> = .init(repeating: -1)
        var count = 0
        var newZone = false
        var newHost = false
    }

    /// The demand on a node that takes a place of `slots[range]`, where the place `open` is to be
    /// filled or replaced, and -1 stands for further open places.
    @inline(__always)
    func demand(_ slots: [Int32], _ range: Range<Int>, open: Int) -> Demand {
        var demand = Demand()
        var (zones, hosts, placesLeft) = (0, 0, 0)
        for place in range where place != open {
            let node = slots[place]
            if node < 0 {
                placesLeft += 1
                continue
            }
            let (zone, host) = (topology.zoneOf[Int(node)], topology.hostOf[Int(node)])
            var (knownZone, knownHost) = (false, false)
            for index in 0..<demand.count {
                if demand.zones[index] == zone { knownZone = true }
                if demand.hosts[index] == host { knownHost = true }
            }
            if !knownZone { zones += 1 }
            if !knownHost { hosts += 1 }
            demand.nodes[demand.count] = node
            demand.zones[demand.count] = zone
            demand.hosts[demand.count] = host
            demand.count += 1
        }
        demand.newZone = zonesNeeded - zones > placesLeft
        demand.newHost = hostsNeeded - hosts > placesLeft
        return demand
    }

    @inline(__always)
    func admits(zone: Int32, _ demand: Demand) -> Bool {
        guard demand.newZone else { return true }
        for index in 0..<demand.count where demand.zones[index] == zone { return false }
        return true
    }

    @inline(__always)
    func admits(node: Int32, _ demand: Demand) -> Bool {
        let host = topology.hostOf[Int(node)]
        for index in 0..<demand.count {
            if demand.nodes[index] == node { return false }
            if demand.newHost && demand.hosts[index] == host { return false }
        }
        return true
    }

    /// Whether these distinct nodes can be completed to a good set of `places` nodes.
    func canComplete(_ nodes: [Int32], places: Int) -> Bool {
        let zones = Set(nodes.map { topology.zoneOf[Int($0)] }).count
        let hosts = Set(nodes.map { topology.hostOf[Int($0)] }).count
        let left = places - nodes.count
        return zonesNeeded - zones <= left && hostsNeeded - hosts <= left
    }
}
