/// The owners of all partitions, as one pure function of the previous owners and the members.
///
/// Hashing each node to many points of the ring is the naive answer: loads then differ by tens of
/// per cent, zones need rejection, and weights are approximate. Here every node's quota is computed
/// first (`FairShare`), and the previous owners are then changed as little as brings everyone to
/// its quota:
///
///     keep     what previous owners may keep: present, willing, well spread
///     fill     vacant places, from those below their quota
///     shift    places of those above their quota to those below, each directly
///     exchange what no direct shift settles, along shortest chains a -> c -> b
///
/// The first `replicas` places of every partition are settled like this exactly; the places behind
/// them, which serve only buckets with a higher factor, the same way as far as they can be.
///
/// All choices are drawn from a generator seeded with the partition, in proportion to what the
/// candidates lack: any two nodes share about equally many partitions, so that everyone takes part
/// in replacing a lost node.
public struct Assignment: Hashable, Sendable {
    /// Owners of each partition: at most this many.
    public static let ownersMax = 5

    /// Sorted by id; owners are indices into it.
    public let members: [Member]
    public let ring: Ring
    public let replicas: Int
    /// Places per partition.
    public let width: Int
    /// `width` places of partition 0, then of partition 1 ...; indices of members.
    public let owners: [Int32]

    /// The owners of one partition in order.
    public func owners(of partition: Partition) -> [NodeID] {
        let first = Int(partition.value) * width
        return owners[first..<first + width].map { members[Int($0)].id }
    }

    /// The first assignment of a ring, or with `previous` the next one. Takes members in any order;
    /// only active ones become owners.
    public init(
        ring: Ring, replicas: Int, members: [Member], previous: ((Partition) -> [NodeID])? = nil
    ) {
        precondition((1...Self.ownersMax).contains(replicas))
        let eligible = members.filter { $0.state == .active }.sorted { $0.id < $1.id }
        self.members = eligible
        self.ring = ring
        self.replicas = replicas
        width = min(Self.ownersMax, eligible.count)
        guard width > 0 else {
            owners = []
            return
        }
        let slots = Self.surviving(ring: ring, width: width, members: eligible, previous: previous)
        let inner = min(replicas, width)
        var balancer = Balancer(
            topology: Topology(eligible), partitions: ring.partitionCount, width: width,
            slots: slots)
        balancer.settle(places: 0..<inner)
        if inner < width { balancer.settle(places: inner..<width) }
        owners = balancer.slots
    }

    public init(ring: Ring, replicas: Int, members: [Member], previous: Assignment) {
        self.init(
            ring: ring, replicas: replicas, members: members, previous: previous.owners(of:))
    }

    /// The previous owners at their places, -1 where there is none who stays.
    private static func surviving(
        ring: Ring, width: Int, members: [Member], previous: ((Partition) -> [NodeID])?
    ) -> [Int32] {
        var slots = [Int32](repeating: -1, count: ring.partitionCount * width)
        guard let previous else { return slots }
        var indices: [NodeID: Int32] = [:]
        for (index, member) in members.enumerated() { indices[member.id] = Int32(index) }
        for partition in ring.partitions {
            let first = Int(partition.value) * width
            for (place, owner) in previous(partition).prefix(width).enumerated() {
                slots[first + place] = indices[owner] ?? -1
            }
        }
        return slots
    }

    /// How many copies lie on a node that did not hold one before: the first `replicas` owners
    /// only.
    public func moved(from previous: (Partition) -> [NodeID]) -> Int {
        var moved = 0
        for partition in ring.partitions {
            let before = previous(partition).prefix(replicas)
            for owner in owners(of: partition).prefix(replicas) where !before.contains(owner) {
                moved += 1
            }
        }
        return moved
    }
}
