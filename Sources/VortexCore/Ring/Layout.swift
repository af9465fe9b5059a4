/// Who is in the cluster, and who owns which partition: a versioned document that the council
/// agrees on, and that every node keeps. Its version is the epoch. A partition's own epoch is the
/// one in which its owners last changed, so that the changes of other partitions disturb nobody.
///
/// A change of owners goes in two epochs, joint and final (register-protocol.md, Owner changes):
///
///     stable [A B C] --reassigning--> joint [A B D], previous [A B C]
///            joint  --finishing-->    stable [A B D], source C
///            joint  --fallingBack-->  stable [A B C], source D
///            joint  --reassigning-->  joint [A B E], previous [A B C], source D
///
/// `LayoutChange.swift` has these steps, `LayoutCoding.swift` the bytes.
public struct Layout: Hashable, Sendable {
    /// More members than this no document may list.
    public static let membersMax = 4_096
    /// Each of a member's address, zone and host, in UTF-8.
    public static let nameBytesMax = 255
    /// Sources of one partition.
    public static let sourcesMax = membersMax

    public let cluster: ClusterID
    public internal(set) var epoch: Epoch
    public let ring: Ring
    /// The first so many owners of a partition hold its rows and copies; 1 to 5.
    public let replicas: Int
    /// Sorted by id.
    public internal(set) var members: [Member]
    /// 1, 3 or 5 members, the acceptors of the layout's own register; sorted.
    public internal(set) var council: [NodeID]

    /// `Assignment.ownersMax` places per partition, indices of members, `none` where there are
    /// fewer.
    var places: [UInt16]
    var placeSince: [Epoch]
    var changed: [Epoch]
    /// Sorted by partition.
    var joints: [Joint]
    /// Sorted by partition, then node.
    var leftovers: [Leftover]

    static let none = UInt16.max

    /// A partition on the move: who owned it before.
    struct Joint: Hashable, Sendable {
        var partition: Partition
        var previous: [Holder]
    }

    /// A node and the first epoch of its unbroken run among a partition's owners and previous
    /// owners.
    struct Holder: Hashable, Sendable {
        var node: NodeID
        var since: Epoch
    }

    /// A former owner that has not yet reported that it holds no spread chunk of the partition.
    struct Leftover: Hashable, Comparable, Sendable {
        var partition: Partition
        var node: NodeID
        static func < (left: Leftover, right: Leftover) -> Bool {
            (left.partition, left.node) < (right.partition, right.node)
        }
    }

    /// The first layout of a new cluster.
    public init(
        cluster: ClusterID, members: [Member], ring: Ring = Ring(), replicas: Int = 3
    ) {
        let epoch = Epoch(number: 1)
        let assignment = Assignment(ring: ring, replicas: replicas, members: members)
        self.cluster = cluster
        self.epoch = epoch
        self.ring = ring
        self.replicas = replicas
        self.members = members.sorted { $0.id < $1.id }
        council = Council.choose(among: members, keeping: [])
        let count = ring.partitionCount * Assignment.ownersMax
        places = [UInt16](repeating: Self.none, count: count)
        placeSince = [Epoch](repeating: Epoch(number: 0), count: count)
        changed = [Epoch](repeating: epoch, count: ring.partitionCount)
        joints = []
        leftovers = []
        for partition in ring.partitions {
            let holders = assignment.owners(of: partition).map { Holder(node: $0, since: epoch) }
            setOwners(holders, of: partition)
        }
    }

    /// A cluster of one, made without ceremony.
    public static func single(
        cluster: ClusterID, node: NodeID, address: String, zone: String = "", host: String = "",
        weightBytes: UInt64 = 1, boot: UInt32 = 1, ring: Ring = Ring()
    ) -> Layout {
        let member = Member(
            id: node, address: address, zone: zone, host: host, weightBytes: weightBytes,
            boot: boot)
        return Layout(cluster: cluster, members: [member], ring: ring)
    }

    /// For decoding: everything is checked there.
    init(
        cluster: ClusterID, epoch: Epoch, ring: Ring, replicas: Int, members: [Member],
        council: [NodeID]
    ) {
        self.cluster = cluster
        self.epoch = epoch
        self.ring = ring
        self.replicas = replicas
        self.members = members
        self.council = council
        let count = ring.partitionCount * Assignment.ownersMax
        places = [UInt16](repeating: Self.none, count: count)
        placeSince = [Epoch](repeating: Epoch(number: 0), count: count)
        changed = [Epoch](repeating: epoch, count: ring.partitionCount)
        joints = []
        leftovers = []
    }

    // MARK: What a partition's requests need

    public func member(_ id: NodeID) -> Member? { index(of: id).map { members[$0] } }

    /// All owners in order, five where there are as many nodes. The first `replicas` hold its rows
    /// and copies, the others serve buckets with a higher factor. Who is resyncing keeps its place.
    public func owners(of partition: Partition) -> [NodeID] {
        holders(of: partition).map(\.node)
    }

    /// The owners whose majority is a quorum of the partition's registers: without those that are
    /// resyncing, and nobody in their stead.
    public func rowOwners(of partition: Partition) -> [NodeID] {
        rowHolders(of: partition).map(\.node)
    }

    /// The owners before the change under way; empty in a stable partition.
    public func previous(of partition: Partition) -> [NodeID] {
        joint(of: partition)?.previous.map(\.node) ?? []
    }

    /// The previous owners whose majority a quorum needs as well, while the partition migrates.
    public func previousRowOwners(of partition: Partition) -> [NodeID] {
        Array(previous(of: partition).prefix(replicas))
    }

    public func isMigrating(_ partition: Partition) -> Bool { joint(of: partition) != nil }

    /// Former owners that may still hold spread chunks, and owners that are resyncing; reads try
    /// them after the owners.
    public func sources(of partition: Partition) -> [NodeID] {
        leftovers[leftoverRange(of: partition)].map(\.node) + resyncing(of: partition)
    }

    /// The partition's own epoch, which its requests name.
    public func epoch(of partition: Partition) -> Epoch { changed[Int(partition.value)] }

    /// The first epoch of the unbroken run in which the node has been among the partition's owners
    /// or previous owners; nil where it is in neither.
    public func since(_ node: NodeID, in partition: Partition) -> Epoch? {
        if let holder = holders(of: partition).first(where: { $0.node == node }),
            member(node)?.state != .resyncing
        {
            return holder.since
        }
        return joint(of: partition)?.previous.first { $0.node == node }?.since
    }

    // MARK: The flat tables

    func index(of id: NodeID) -> Int? {
        var (low, high) = (0, members.count)
        while low < high {
            let middle = (low + high) / 2
            if members[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < members.count && members[low].id == id ? low : nil
    }

    func holders(of partition: Partition) -> [Holder] {
        let first = Int(partition.value) * Assignment.ownersMax
        var holders: [Holder] = []
        for place in first..<first + Assignment.ownersMax where places[place] != Self.none {
            holders.append(
                Holder(node: members[Int(places[place])].id, since: placeSince[place]))
        }
        return holders
    }

    /// Of the first `replicas` places, those that count in quorums.
    func rowHolders(of partition: Partition) -> [Holder] {
        rowPlaces(of: partition).compactMap { place in
            let member = members[Int(places[place])]
            guard member.state != .resyncing else { return nil }
            return Holder(node: member.id, since: placeSince[place])
        }
    }

    /// Those among the first `replicas` owners that are resyncing: they hold chunks, and no rows.
    private func resyncing(of partition: Partition) -> [NodeID] {
        rowPlaces(of: partition).compactMap { place in
            let member = members[Int(places[place])]
            return member.state == .resyncing ? member.id : nil
        }
    }

    private func rowPlaces(of partition: Partition) -> some Collection<Int> {
        let first = Int(partition.value) * Assignment.ownersMax
        return (first..<first + replicas).lazy.filter { places[$0] != Self.none }
    }

    mutating func setOwners(_ holders: [Holder], of partition: Partition) {
        let first = Int(partition.value) * Assignment.ownersMax
        for offset in 0..<Assignment.ownersMax {
            guard offset < holders.count, let index = index(of: holders[offset].node) else {
                places[first + offset] = Self.none
                placeSince[first + offset] = Epoch(number: 0)
                continue
            }
            places[first + offset] = UInt16(index)
            placeSince[first + offset] = holders[offset].since
        }
    }

    func joint(of partition: Partition) -> Joint? {
        let index = joints.partitioned { $0.partition < partition }
        return index < joints.count && joints[index].partition == partition ? joints[index] : nil
    }

    func leftoverRange(of partition: Partition) -> Range<Int> {
        let start = leftovers.partitioned { $0.partition < partition }
        let end = leftovers.partitioned { $0.partition <= partition }
        return start..<end
    }
}

extension Array {
    /// How many elements of a sorted array lie before the first that does not satisfy `isBefore`.
    func partitioned(_ isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
