/// What no direct shift settles: a node above its quota (or a vacant place) shares no partition
/// that those below theirs could take over. Then places change along a chain: a's place goes to c,
/// one of c's elsewhere to b. The shortest chain by copies that newly move, found as shortest paths
/// are (Dijkstra over costs 0 and 1); a place given back to who had it before costs nothing.
extension Balancer {
    /// One step: `to` takes the place of whoever is there.
    struct Step {
        var place: Int
        var to: Int32
    }

    /// Follows chains until there are none of at most `costMax` newly moved copies, or it has followed
    /// `chainsMax`.
    mutating func chain(costMax: Int, chainsMax: Int) {
        guard surplus > 0 || hasVacancy else { return }
        var holdings = [[Int]](repeating: [], count: topology.nodeCount + 1)
        for partition in 0..<partitions {
            for place in open(partition) {
                holdings[slots[place] < 0 ? topology.nodeCount : Int(slots[place])].append(place)
            }
        }
        for _ in 0..<chainsMax {
            let cheapest = search(holdings, costMax, countingSteps: false)
            if cheapest.isEmpty { return }
            if apply(cheapest, &holdings) { continue }
            if costMax == 0 { return }
            // Two steps of the chain met in one partition. The chain of fewest steps cannot.
            let shortest = search(holdings, .max, countingSteps: true)
            if shortest.isEmpty || !apply(shortest, &holdings) { return }
        }
    }

    private func search(_ holdings: [[Int]], _ costMax: Int, countingSteps: Bool) -> [Step] {
        var search = ChainSearch(balancer: self, costMax: costMax, countingSteps: countingSteps)
        return search.run(holdings)
    }

    private var hasVacancy: Bool {
        (0..<partitions).contains { open($0).contains { slots[$0] < 0 } }
    }

    /// All steps or none; false where one is not allowed after those before it.
    private mutating func apply(_ steps: [Step], _ holdings: inout [[Int]]) -> Bool {
        var former: [Int32] = []
        for step in steps {
            let demand = spread.demand(slots, counted(step.place / width), open: step.place)
            guard spread.admits(zone: topology.zoneOf[Int(step.to)], demand),
                spread.admits(node: step.to, demand)
            else {
                for (done, node) in zip(steps, former).reversed() { put(node, at: done.place) }
                return false
            }
            former.append(slots[step.place])
            put(step.to, at: step.place)
        }
        for step in steps { holdings[Int(step.to)].append(step.place) }
        return true
    }

    /// Whether the node held the partition at the start, among the first copies where those are
    /// settled.
    func had(_ node: Int32, _ partition: Int) -> Bool {
        for place in open(partition) where original[place] == node { return true }
        return false
    }
}

struct ChainSearch {
    let balancer: Balancer
    let costMax: Int
    /// Every step costs the same, else only copies that newly move do.
    let countingSteps: Bool
    private var cost: [Int]
    private var via: [Balancer.Step?]
    private var settled: [Bool]
    private var unsettled: [Int32]
    private var queues: [[Int]] = [[]]

    init(balancer: Balancer, costMax: Int, countingSteps: Bool) {
        self.balancer = balancer
        self.costMax = costMax
        self.countingSteps = countingSteps
        let nodes = balancer.topology.nodeCount
        cost = [Int](repeating: .max, count: nodes + 1)
        via = [Balancer.Step?](repeating: nil, count: nodes + 1)
        settled = [Bool](repeating: false, count: nodes + 1)
        unsettled = (0..<Int32(nodes)).map { $0 }
    }

    /// The steps in the order in which they can be taken, last link first; none where no chain
    /// exists. `holdings` lists the places of every node, behind them the vacant ones; places that
    /// have passed to others since are skipped.
    mutating func run(_ holdings: [[Int]]) -> [Balancer.Step] {
        let vacant = balancer.topology.nodeCount
        for node in 0..<vacant where balancer.load[node] > balancer.quota[node] { start(node) }
        start(vacant)
        var distance = 0
        while distance < queues.count, distance <= costMax {
            var next = 0
            while next < queues[distance].count {
                let node = queues[distance][next]
                next += 1
                guard !settled[node], cost[node] == distance else { continue }
                settled[node] = true
                if node < vacant, balancer.load[node] < balancer.quota[node] {
                    return steps(to: node)
                }
                expand(node, holdings[node])
            }
            distance += 1
        }
        return []
    }

    private mutating func start(_ node: Int) {
        cost[node] = 0
        queues[0].append(node)
    }

    /// Steps from `node` that cost nothing can lead to everyone not yet reached at its cost where
    /// its own copy newly moved, and else only to those who had the partition; those that cost one,
    /// to everyone not yet reached for one more. Both lists soon run empty.
    private mutating func expand(_ node: Int, _ places: [Int]) {
        let holder: Int32 = node == balancer.topology.nodeCount ? -1 : Int32(node)
        let distance = cost[node]
        var nearer = unsettled.filter { cost[Int($0)] > distance }
        var farther = nearer.filter { cost[Int($0)] > distance + 1 }
        unsettled = nearer
        for place in places where balancer.slots[place] == holder {
            let partition = place / balancer.width
            let isTouched = balancer.isTouched[partition]
            guard isTouched || !farther.isEmpty else { continue }
            let gains = isTouched && holder >= 0 && !balancer.had(holder, partition)
            if gains && !countingSteps {
                let before = nearer.count
                reach(nearer, place, distance)
                nearer.removeAll { cost[Int($0)] <= distance }
                if nearer.count < before { farther.removeAll { cost[Int($0)] <= distance } }
                continue
            }
            if isTouched && !countingSteps {
                let former = balancer.open(partition).map { balancer.original[$0] }
                reach(former.filter { $0 >= 0 && cost[Int($0)] > distance }, place, distance)
            }
            guard !farther.isEmpty, distance < costMax else { continue }
            reach(farther, place, distance + 1)
            farther.removeAll { cost[Int($0)] <= distance + 1 }
        }
    }

    private mutating func reach(_ nodes: [Int32], _ place: Int, _ reached: Int) {
        guard !nodes.isEmpty else { return }
        let partition = place / balancer.width
        let demand = balancer.spread.demand(
            balancer.slots, balancer.counted(partition), open: place)
        for node in nodes where balancer.spread.admits(node: node, demand) {
            guard balancer.spread.admits(zone: balancer.topology.zoneOf[Int(node)], demand),
                cost[Int(node)] > reached
            else { continue }
            cost[Int(node)] = reached
            via[Int(node)] = Balancer.Step(place: place, to: node)
            while queues.count <= reached { queues.append([]) }
            queues[reached].append(Int(node))
        }
    }

    private func steps(to node: Int) -> [Balancer.Step] {
        var steps: [Balancer.Step] = []
        var current = node
        while current < balancer.topology.nodeCount, let step = via[current] {
            steps.append(step)
            let holder = balancer.slots[step.place]
            current = holder < 0 ? balancer.topology.nodeCount : Int(holder)
        }
        return steps
    }
}
