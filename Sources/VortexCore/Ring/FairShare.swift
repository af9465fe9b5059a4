/// How many copies each node ought to hold. Proportional to weight is the aim; what bends it are
/// the rules of spreading: with three copies and three zones each zone holds every partition once,
/// however unequal their weights. These rules bound the copies of one partition in every zone, host
/// and node:
///
///     zone  at most 1 where there are enough zones, else at least 1
///     host  at most 1 where there are enough hosts, else at least 1
///     node  at most 1
///
/// The bounds are laminar (nodes within hosts within zones), so whole numbers that respect them,
/// multiplied by the number of partitions, can always be cut into partitions that respect them each
/// (Baum and Trotter, 1978). What is left is the proportional division under bounds: one level of
/// water for all, and where a bound cuts a zone or host off, a level of its own inside.
struct FairShare {
    let topology: Topology
    let partitions: Int
    let copies: Int
    private let zoneLower: Double
    private let zoneUpper: Double
    private let hostLower: Double
    private let hostUpper: Double
    private let levelMax: Double
    private let hostsOfZone: [[Int]]

    /// `copies` is at most the number of nodes.
    init(topology: Topology, partitions: Int, copies: Int) {
        self.topology = topology
        self.partitions = partitions
        self.copies = copies
        let once = Double(partitions)
        let enoughZones = topology.zoneCount >= copies
        let enoughHosts = topology.hostCount >= copies
        zoneLower = enoughZones ? 0 : once
        zoneUpper = enoughZones ? once : .infinity
        hostLower = enoughHosts ? 0 : once
        hostUpper = enoughHosts ? once : .infinity
        levelMax = once / (topology.weight.min() ?? 1)
        var hostsOfZone = [[Int]](repeating: [], count: topology.zoneCount)
        for (host, zone) in topology.hostZone.enumerated() { hostsOfZone[Int(zone)].append(host) }
        self.hostsOfZone = hostsOfZone
    }

    private func node(_ node: Int32, level: Double) -> Double {
        min(level * topology.weight[Int(node)], Double(partitions))
    }

    private func host(_ host: Int, level: Double) -> Double {
        let sum = topology.hostNodes[host].reduce(0) { $0 + node($1, level: level) }
        return min(max(sum, hostLower), hostUpper)
    }

    private func zone(_ zone: Int, level: Double) -> Double {
        let sum = hostsOfZone[zone].reduce(0) { $0 + host($1, level: level) }
        return min(max(sum, zoneLower), zoneUpper)
    }

    /// The level at which `amount` reaches `target`; `amount` grows with the level.
    private func level(reaching target: Double, _ amount: (Double) -> Double) -> Double {
        var (low, high) = (0.0, levelMax)
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if amount(middle) < target { low = middle } else { high = middle }
        }
        return high
    }

    /// Every node's share, not rounded.
    func exact() -> [Double] {
        var shares = [Double](repeating: 0, count: topology.nodeCount)
        let total = Double(partitions * copies)
        let water = level(reaching: total) { level in
            (0..<topology.zoneCount).reduce(0) { $0 + zone($1, level: level) }
        }
        for zone in 0..<topology.zoneCount {
            let zoneShare = self.zone(zone, level: water)
            let zoneWater = level(reaching: zoneShare) { level in
                hostsOfZone[zone].reduce(0) { $0 + host($1, level: level) }
            }
            for host in hostsOfZone[zone] {
                let hostShare = self.host(host, level: zoneWater)
                let hostWater = level(reaching: hostShare) { level in
                    topology.hostNodes[host].reduce(0) { $0 + node($1, level: level) }
                }
                for node in topology.hostNodes[host] {
                    shares[Int(node)] = self.node(node, level: hostWater)
                }
            }
        }
        return shares
    }

    /// Whole numbers that sum up to all copies, each the share rounded up or down, as are the sums
    /// over every host and zone. Rounds up where a node holds the more already, so that nothing
    /// moves.
    func quotas(current: [Int]) -> [Int] {
        let shares = exact()
        var hostShares = [Double](repeating: 0, count: topology.hostCount)
        var hostCurrent = [Int](repeating: 0, count: topology.hostCount)
        var zoneShares = [Double](repeating: 0, count: topology.zoneCount)
        var zoneCurrent = [Int](repeating: 0, count: topology.zoneCount)
        for host in 0..<topology.hostCount {
            for node in topology.hostNodes[host] {
                hostShares[host] += shares[Int(node)]
                hostCurrent[host] += current[Int(node)]
            }
            zoneShares[Int(topology.hostZone[host])] += hostShares[host]
            zoneCurrent[Int(topology.hostZone[host])] += hostCurrent[host]
        }
        var quotas = [Int](repeating: 0, count: topology.nodeCount)
        let zones = Self.round(zoneShares, to: partitions * copies, current: zoneCurrent)
        for zone in 0..<topology.zoneCount {
            let hosts = hostsOfZone[zone]
            let rounded = Self.round(
                hosts.map { hostShares[$0] }, to: zones[zone],
                current: hosts.map { hostCurrent[$0] })
            for (host, hostQuota) in zip(hosts, rounded) {
                let nodes = topology.hostNodes[host].map(Int.init)
                let nodeQuotas = Self.round(
                    nodes.map { shares[$0] }, to: hostQuota, current: nodes.map { current[$0] })
                for (node, quota) in zip(nodes, nodeQuotas) { quotas[node] = quota }
            }
        }
        return quotas
    }

    /// Rounds so that the sum is `total`. Shares within a millionth of a whole number are that
    /// number; should the millionths of many add up to one, the surplus goes to them after all
    /// others.
    private static func round(_ shares: [Double], to total: Int, current: [Int]) -> [Int] {
        var rounded: [Int] = []
        var order: [(index: Int, isOpen: Bool, keeps: Bool, fraction: Double)] = []
        for (index, share) in shares.enumerated() {
            let nearest = share.rounded()
            let isOpen = abs(share - nearest) >= 1e-6
            let floor = isOpen ? share.rounded(.down) : nearest
            rounded.append(Int(floor))
            order.append((index, isOpen, current[index] > Int(floor), share - floor))
        }
        order.sort { left, right in
            if left.isOpen != right.isOpen { return left.isOpen }
            if left.keeps != right.keeps { return left.keeps }
            if left.fraction != right.fraction { return left.fraction > right.fraction }
            return left.index < right.index
        }
        let missing = total - rounded.reduce(0, +)
        if missing >= 0 {
            for entry in order.prefix(missing) { rounded[entry.index] += 1 }
        } else {
            for entry in order.suffix(-missing) { rounded[entry.index] -= 1 }
        }
        return rounded
    }
}
