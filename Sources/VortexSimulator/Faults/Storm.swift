internal import VortexCore
internal import VortexStore

/// Brings faults upon the nodes of a run while its clients work, and ends all that lasts.
struct Storm: Sendable {
    let faults: [FaultProfile.Fault]
    let nodes: [SimulatedNode]
    let entropy: SimulatedEntropy
    let around: Surroundings
    /// The one whose disk loses something: what was there must be to be had elsewhere.
    let unlucky: Int

    init(
        profile: FaultProfile, cast: Cast, nodes: [SimulatedNode], entropy: SimulatedEntropy,
        around: Surroundings
    ) {
        faults = profile.faults(nodes: nodes.count, hasLoss: cast.hasLoss)
        self.nodes = nodes
        self.entropy = entropy
        self.around = around
        unlucky = entropy.below(nodes.count)
    }

    /// Whose copies may be there and not verify, without anybody having noticed yet.
    var rotting: Int? { faults.contains(.rot) ? unlucky : nil }

    /// Until its task is cancelled.
    func run() async {
        guard !faults.isEmpty else { return }
        // Some runs are rough, some have a fault or two.
        let pause = entropy.within(30_000_000..<800_000_000)
        while await around.executor.sleep(nanoseconds: entropy.within(0..<2 * pause)) {
            let fault = faults[entropy.below(faults.count)]
            around.trace.note(.fault, text: "\(fault)")
            await bring(fault)
        }
    }

    private var someNode: SimulatedNode { nodes[entropy.below(nodes.count)] }

    private func bring(_ fault: FaultProfile.Fault) async {
        switch fault {
        case .loss, .duplication, .delay, .cut, .oneWayCut: await disturb(fault)
        case .kill: someNode.end(.kill, downNanoseconds: down)
        case .powerCut: someNode.end(.powerCut, downNanoseconds: down)
        case .powerCutOfAll:
            for node in nodes { node.end(.powerCut, downNanoseconds: down) }
        case .ioError: someNode.disk.failOperation(entropy.within(1..<200))
        case .slowDisk:
            let node = someNode
            node.latency.setFactor(entropy.within(10..<300))
            await lasts()
            node.latency.setFactor(1)
        case .fullDisk: await fill(someNode)
        case .readError: someNode.disk.failRead(entropy.within(1..<40))
        case .rot, .badSector, .oldImage: damage(nodes[unlucky], fault)
        case .clockJump:
            let far = entropy.happens(perMille: 200)
            let range: UInt64 = far ? 40_000 : 2_000
            someNode.clock.setError(
                milliseconds: Int64(entropy.within(0..<range)) - Int64(range / 2))
        }
    }

    private func damage(_ node: SimulatedNode, _ fault: FaultProfile.Fault) {
        guard fault != .oldImage else {
            // The first time it is taken, the next time it comes back.
            if !node.keepImage() {
                node.restoreImage(
                    knownTo: nodes.filter { $0 !== node }, downNanoseconds: down)
            }
            return
        }
        let (seed, bit) = (entropy.next(), entropy.below(8))
        let count = entropy.within(512..<16_384)
        guard let place = node.disk.somePlace(prefix: "segment-", seed: seed) else { return }
        around.trace.note(.fault, UInt64(node.place), place.offset, text: place.name)
        node.damage { disk in
            if fault == .rot {
                disk.rot(place.name, at: place.offset, bit: UInt8(bit))
            } else {
                disk.failReads(of: place.name, in: place.offset..<place.offset + count)
            }
        }
    }

    private var down: UInt64 { entropy.within(0..<2_000_000_000) }

    private func lasts() async {
        _ = await around.executor.sleep(nanoseconds: entropy.within(50_000_000..<3_000_000_000))
    }

    private func disturb(_ fault: FaultProfile.Fault) async {
        let weather = around.network.weather
        switch fault {
        case .loss: weather.setLoss(perMille: 10 + entropy.below(200))
        case .duplication: weather.setDuplication(perMille: 10 + entropy.below(300))
        case .delay:
            weather.setTail(
                perMille: 100 + entropy.below(400),
                nanosecondsMax: entropy.within(10_000_000..<3_000_000_000))
        case .cut, .oneWayCut:
            let count = 1 + entropy.below(max(1, nodes.count / 2))
            var rest = Array(0..<nodes.count)
            var some: [Int] = []
            for _ in 0..<count { some.append(rest.remove(at: entropy.below(rest.count))) }
            weather.cut(from: some, to: rest)
            if fault == .cut { weather.cut(from: rest, to: some) }
        default: preconditionFailure("not the network's")
        }
        await lasts()
        weather.heal()
    }

    /// Others use up the room on the node's disk, for a while.
    private func fill(_ node: SimulatedNode) async {
        let disk = node.disk
        do throws(DiskError) {
            let space = try await disk.space()
            let used = space.totalBytes - space.availableBytes
            disk.setCapacity(bytes: used + entropy.within(0..<32 << 20))
            await lasts()
            node.disk.setCapacity(bytes: space.totalBytes)
        } catch {
            // The disk failed meanwhile; its process is about to end.
            return
        }
    }

    /// All that lasts ends.
    func heal() {
        around.network.weather.heal()
        for node in nodes {
            node.latency.setFactor(1)
            node.disk.failNothing()
            node.disk.setCapacity(bytes: SimulatedNode.diskBytes)
            node.clock.setError(milliseconds: 0)
        }
    }
}
