/// Changes places until every node holds its quota: the engine of `Assignment`. `Chains.swift` has
/// the search for what no direct shift settles.
struct Balancer {
    let topology: Topology
    let partitions: Int
    let width: Int
    /// Node of every place, -1 where vacant.
    var slots: [Int32]
    /// As it was at the start: a node in a partition that it had costs nothing.
    let original: [Int32]
    /// Whether any place of the partition may differ from the original.
    var isTouched: [Bool]

    /// The places being settled; those before are settled, those behind do not count yet.
    var places = 0..<0
    var spread: Spread
    var quota: [Int] = []
    var load: [Int] = []
    /// Sum over a zone's nodes of what they lack.
    var zoneLack: [Int]
    /// Sum over all nodes of what is above their quotas.
    var surplus = 0
    /// Every node as often as it lacked copies when filling began; drawn from at random.
    private var tickets: [Int32] = []
    private var lackMax = (node: 0, zone: 0)

    init(topology: Topology, partitions: Int, width: Int, slots: [Int32]) {
        self.topology = topology
        self.partitions = partitions
        self.width = width
        self.slots = slots
        original = slots
        isTouched = [Bool](repeating: false, count: partitions)
        spread = Spread(topology: topology, copies: width)
        zoneLack = [Int](repeating: 0, count: topology.zoneCount)
    }

    /// Settles these places of every partition, those before them being settled already.
    mutating func settle(places: Range<Int>) {
        self.places = places
        spread = Spread(topology: topology, copies: places.upperBound)
        dropRepeated()
        quota = quotas()
        // Behind the first copies the quotas are an aim, and worth so much work and no more.
        let chainsMax = places.lowerBound == 0 ? Int.max : 32
        let hasDropped = keep()
        fill()
        if hasDropped { chain(costMax: 0, chainsMax: chainsMax) }
        shift()
        chain(costMax: .max, chainsMax: chainsMax)
        fillAnyhow()
    }

    /// The range of a partition's places that count for its spread.
    func counted(_ partition: Int) -> Range<Int> {
        partition * width..<partition * width + places.upperBound
    }

    /// The range of a partition's places that may change.
    func open(_ partition: Int) -> Range<Int> {
        partition * width + places.lowerBound..<partition * width + places.upperBound
    }

    /// A permutation of the partitions, so that what is taken first is spread over the ring.
    func shuffled(_ position: Int) -> Int { (position &* 0x9E37_79B1 &+ 0x5bd1) & (partitions - 1) }

    /// Behind the settled places nobody may stand who got one of them.
    private mutating func dropRepeated() {
        for partition in 0..<partitions {
            for place in open(partition) where slots[place] >= 0 {
                for earlier in partition * width..<place where slots[earlier] == slots[place] {
                    slots[place] = -1
                    isTouched[partition] = true
                    break
                }
            }
        }
    }

    private mutating func quotas() -> [Int] {
        var whole = [Int](repeating: 0, count: topology.nodeCount)
        var settled = whole
        for partition in 0..<partitions {
            for place in counted(partition) where slots[place] >= 0 {
                whole[Int(slots[place])] += 1
                if place < open(partition).lowerBound { settled[Int(slots[place])] += 1 }
            }
        }
        load = zip(whole, settled).map { $0 - $1 }
        let share = FairShare(
            topology: topology, partitions: partitions, copies: places.upperBound)
        let quotas = zip(share.quotas(current: whole), settled).map { max($0 - $1, 0) }
        surplus = 0
        for zone in zoneLack.indices { zoneLack[zone] = 0 }
        for node in load.indices {
            surplus += max(load[node] - quotas[node], 0)
            zoneLack[Int(topology.zoneOf[node])] += max(quotas[node] - load[node], 0)
        }
        return quotas
    }

    /// Puts `node`, or nobody, at a place.
    mutating func put(_ node: Int32, at place: Int) {
        let former = slots[place]
        if former >= 0 {
            let index = Int(former)
            if load[index] > quota[index] {
                surplus -= 1
            } else {
                zoneLack[Int(topology.zoneOf[index])] += 1
            }
            load[index] -= 1
        }
        slots[place] = node
        isTouched[place / width] = true
        if node >= 0 {
            let index = Int(node)
            if load[index] >= quota[index] {
                surplus += 1
            } else {
                zoneLack[Int(topology.zoneOf[index])] -= 1
            }
            load[index] += 1
        }
    }

    // MARK: Keep

    /// Empties as few places as must be so that every partition's rest can be completed to a good
    /// set; among equals those of the nodes furthest above their quotas. Whether it emptied any.
    private mutating func keep() -> Bool {
        var hasDropped = false
        for position in 0..<partitions {
            let partition = shuffled(position)
            let settled = (partition * width..<open(partition).lowerBound).map { slots[$0] }
            let held = open(partition).filter { slots[$0] >= 0 }
            if spread.canComplete(settled + held.map { slots[$0] }, places: places.upperBound) {
                continue
            }
            var best: (dropped: [Int], surplus: Int) = (held, .min)
            for choice in 1..<(1 << held.count) {
                let dropped = held.indices.filter { choice >> $0 & 1 == 1 }.map { held[$0] }
                guard dropped.count <= best.dropped.count else { continue }
                let kept = held.filter { !dropped.contains($0) }.map { slots[$0] }
                let surplus = dropped.reduce(0) {
                    $0 + load[Int(slots[$1])] - quota[Int(slots[$1])]
                }
                let isBetter = dropped.count < best.dropped.count || surplus > best.surplus
                if isBetter, spread.canComplete(settled + kept, places: places.upperBound) {
                    best = (dropped, surplus)
                }
            }
            for place in best.dropped { put(-1, at: place) }
            hasDropped = true
        }
        return hasDropped
    }

    // MARK: Fill and shift

    private var zonesTakeOne: Bool { spread.zonesNeeded == places.upperBound }

    private mutating func issueTickets() {
        tickets = []
        for node in 0..<Int32(topology.nodeCount) {
            tickets.append(contentsOf: repeatElement(node, count: lack(node)))
        }
        lackMax.node = (0..<Int32(topology.nodeCount)).reduce(0) { max($0, lack($1)) }
        lackMax.zone = zonesTakeOne ? zoneLack.max() ?? 0 : 0
    }

    private mutating func fill() {
        issueTickets()
        var vacant = 0
        for partition in 0..<partitions where open(partition).contains(where: { slots[$0] < 0 }) {
            vacant += 1
        }
        for position in 0..<partitions where vacant > 0 {
            let partition = shuffled(position)
            var generator = PlaceGenerator(partition: partition, salt: places.upperBound)
            var hadVacancy = false
            for place in open(partition) where slots[place] < 0 {
                hadVacancy = true
                let chances = vacant + surplus
                if let node = draw(for: place, in: partition, chances: chances, &generator) {
                    put(node, at: place)
                }
            }
            if hadVacancy { vacant -= 1 }
        }
    }

    /// Takes from the owner furthest above its quota, partition by partition.
    private mutating func shift() {
        for position in 0..<partitions where surplus > 0 {
            let partition = shuffled(position)
            var generator = PlaceGenerator(partition: partition, salt: places.upperBound + 8)
            var givers = open(partition).filter { place in
                slots[place] >= 0 && load[Int(slots[place])] > quota[Int(slots[place])]
            }
            givers.sort { above(slots[$0]) > above(slots[$1]) }
            for place in givers where above(slots[place]) > 0 {
                if let node = draw(for: place, in: partition, chances: .max, &generator) {
                    put(node, at: place)
                }
            }
        }
    }

    private func above(_ node: Int32) -> Int { load[Int(node)] - quota[Int(node)] }

    private func lack(_ node: Int32) -> Int { max(quota[Int(node)] - load[Int(node)], 0) }

    /// A node that lacks copies and suits the place: drawn in proportion to what zones and nodes
    /// lack. Who lacks as many as there are `chances` left to get one is taken at once.
    private mutating func draw(
        for place: Int, in partition: Int, chances: Int, _ generator: inout PlaceGenerator
    ) -> Int32? {
        let demand = spread.demand(slots, counted(partition), open: place)
        if chances > lackMax.node, chances > lackMax.zone {
            if let node = drawTicket(demand, &generator) { return node }
        }
        return drawAny(demand, chances, &generator)
    }

    /// A few tries at constant cost; nil says nothing.
    private mutating func drawTicket(
        _ demand: Spread.Demand, _ generator: inout PlaceGenerator
    ) -> Int32? {
        for _ in 0..<16 where !tickets.isEmpty {
            let index = generator.next(below: tickets.count)
            let node = tickets[index]
            let isSpent = lack(node) == 0
            let suits =
                !isSpent && spread.admits(zone: topology.zoneOf[Int(node)], demand)
                && spread.admits(node: node, demand)
            guard isSpent || suits else { continue }
            tickets.swapAt(index, tickets.count - 1)
            tickets.removeLast()
            if suits { return node }
        }
        return nil
    }

    private func drawAny(
        _ demand: Spread.Demand, _ chances: Int, _ generator: inout PlaceGenerator
    ) -> Int32? {
        var total = 0
        for zone in 0..<zoneLack.count where zoneLack[zone] > 0 {
            guard spread.admits(zone: Int32(zone), demand) else { continue }
            if zonesTakeOne, zoneLack[zone] >= chances {
                if let node = draw(inZone: zone, demand, chances, &generator) { return node }
            }
            total += zoneLack[zone]
        }
        guard total > 0 else { return nil }
        var ticket = generator.next(below: total)
        for zone in 0..<zoneLack.count where zoneLack[zone] > 0 {
            guard spread.admits(zone: Int32(zone), demand) else { continue }
            ticket -= zoneLack[zone]
            if ticket < 0 {
                if let node = draw(inZone: zone, demand, chances, &generator) { return node }
                break
            }
        }
        // The zone drawn has nobody who suits: any other that has.
        for zone in 0..<zoneLack.count where zoneLack[zone] > 0 {
            guard spread.admits(zone: Int32(zone), demand) else { continue }
            if let node = draw(inZone: zone, demand, chances, &generator) { return node }
        }
        return nil
    }

    private func draw(
        inZone zone: Int, _ demand: Spread.Demand, _ chances: Int,
        _ generator: inout PlaceGenerator
    ) -> Int32? {
        var total = 0
        for index in topology.zoneStart[zone]..<topology.zoneStart[zone + 1] {
            let node = topology.zoneNodes[index]
            let lack = lack(node)
            guard lack > 0, spread.admits(node: node, demand) else { continue }
            if lack >= chances { return node }
            total += lack
        }
        guard total > 0 else { return nil }
        var ticket = generator.next(below: total)
        for index in topology.zoneStart[zone]..<topology.zoneStart[zone + 1] {
            let node = topology.zoneNodes[index]
            let lack = lack(node)
            guard lack > 0, spread.admits(node: node, demand) else { continue }
            ticket -= lack
            if ticket < 0 { return node }
        }
        return nil
    }

    /// Only behind the first copies can quotas leave a place vacant; spread counts more there.
    private mutating func fillAnyhow() {
        for partition in 0..<partitions {
            for place in open(partition) where slots[place] < 0 {
                let demand = spread.demand(slots, counted(partition), open: place)
                var best: Int32 = -1
                for node in 0..<Int32(topology.nodeCount)
                where spread.admits(zone: topology.zoneOf[Int(node)], demand)
                    && spread.admits(node: node, demand)
                    && (best < 0 || above(node) < above(best))
                {
                    best = node
                }
                precondition(best >= 0)
                put(best, at: place)
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014), seeded with a partition.
struct PlaceGenerator {
    private var state: UInt64

    init(partition: Int, salt: Int) {
        state = UInt64(partition) << 8 | UInt64(salt)
    }

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Int(truncatingIfNeeded: mixed.multipliedFullWidth(by: UInt64(bound)).high)
    }
}
