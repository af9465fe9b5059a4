/// The next layout, step by step. Each step raises the layout's epoch by one and takes over the new
/// epoch only in the partitions that it changes; a step that changes nothing returns nil.
extension Layout {
    func advanced() -> Layout {
        var next = self
        next.epoch = Epoch(generation: epoch.generation, number: epoch.number + 1)
        return next
    }

    /// The members are now these; owners follow by `Assignment`. Members that are still needed
    /// (owners before the change, sources) stay listed, and are dead where the new list lacks them.
    /// nil while somebody is out of its places to resync: they are kept for it.
    public func reassigning(to wanted: [Member]) -> Layout? {
        guard !members.contains(where: { $0.state == .resyncing }) else { return nil }
        var next = advanced()
        next.adopt(wanted.sorted { $0.id < $1.id })
        guard next.members.count <= Self.membersMax,
            next.members.contains(where: { $0.state == .active })
        else { return nil }
        let assignment = Assignment(
            ring: ring, replicas: replicas, members: next.members, previous: owners(of:))
        for partition in ring.partitions {
            next.move(partition, to: assignment.owners(of: partition))
        }
        next.council = Council.choose(among: next.members, keeping: council)
        next.forget(except: wanted.map(\.id))
        if next.members == members, next.council == council, next.changed == changed { return nil }
        return next
    }

    /// A node has started: where it stands now, and its new boot number. nil where it is no member.
    public func starting(
        _ node: NodeID, address: String, zone: String, host: String, weightBytes: UInt64,
        boot: UInt32, start: UInt64
    ) -> Layout? {
        guard let index = index(of: node) else { return nil }
        var next = advanced()
        let state = members[index].state
        next.members[index] = Member(
            id: node, address: address, zone: zone, host: host, weightBytes: weightBytes,
            state: state, boot: boot)
        next.members[index].start = start
        return next
    }

    /// Partitions between a joint epoch and its final one, in order.
    public var migrating: [Partition] { joints.map(\.partition) }

    public var isMigrating: Bool { !joints.isEmpty }

    /// The joint epoch of all that migrates, once every owner has reported that it has synced for
    /// this very one; nil before.
    package func synced(
        _ omitted: Omissions, _ reported: (NodeID) -> Epoch
    ) -> Epoch? {
        guard let joint = migrating.map({ epoch(of: $0) }).max(),
            migrating.allSatisfy({ epoch(of: $0) == joint })
        else { return nil }
        var isAny = false
        var isAll = true
        for partition in migrating {
            for owner in rowOwners(of: partition) {
                let isReady =
                    reported(owner) == joint
                    || omitted.contains(.syncStay)
                        && previousRowOwners(of: partition).contains(owner)
                    || omitted.contains(.syncExact)
                        && reported(owner) >= since(owner, in: partition) ?? joint
                isAny = isAny || isReady
                isAll = isAll && isReady
            }
        }
        return isAll || isAny && omitted.contains(.allSynced) ? joint : nil
    }

    /// Every owner of these partitions has reported `synced` for its joint epoch. Former owners
    /// become sources, but not those whose disks are gone.
    public func finishing(_ partitions: [Partition]) -> Layout? {
        var next = advanced()
        for partition in partitions {
            guard let joint = joint(of: partition) else { continue }
            let placed = owners(of: partition).prefix(replicas)
            let former = joint.previous.prefix(replicas).map(\.node).filter { node in
                !placed.contains(node) && member(node)?.state != .replaced
            }
            next.settle(partition, sources: former)
        }
        guard next.joints != joints else { return nil }
        next.forgetReplaced()
        return next
    }

    /// These partitions return to their previous owners alone; none where one of those is gone, or
    /// may have lost rows.
    public func fallingBack(_ partitions: [Partition]) -> Layout? {
        var next = advanced()
        for partition in partitions {
            guard let joint = joint(of: partition),
                joint.previous.allSatisfy({ holder in
                    let state = member(holder.node)?.state
                    return state != .replaced && state != .resyncing
                })
            else { continue }
            next.fallBack(partition, to: joint)
        }
        return next.joints == joints ? nil : next
    }

    /// A source's word that it holds no spread chunk of the partition, as of the partition's epoch.
    public struct Emptied: Hashable, Sendable {
        public var node: NodeID
        public var partition: Partition
        public var epoch: Epoch
        public init(node: NodeID, partition: Partition, epoch: Epoch) {
            self.node = node
            self.partition = partition
            self.epoch = epoch
        }
    }

    /// Drops these sources. A report of another epoch than the partition's very own says nothing:
    /// the node may have been an owner again since.
    public func emptied(_ reports: [Emptied]) -> Layout? { emptied(reports, omitted: []) }

    package func emptied(_ reports: [Emptied], omitted: Omissions) -> Layout? {
        var next = advanced()
        for report in reports
        where report.epoch == epoch(of: report.partition) || omitted.contains(.emptyEpoch) {
            next.removeSources([report.node], of: report.partition)
        }
        return next.leftovers.count < leftovers.count ? next : nil
    }

    /// Whether the node owns nothing and is nobody's source, so that it may leave.
    public func mayLeave(_ node: NodeID) -> Bool { !needed().contains(node) }

    // MARK: Steps within the new layout

    /// Lists the wanted members and those of before that it lacks; renumbers the owners' places.
    private mutating func adopt(_ wanted: [Member]) {
        let listed = Set(wanted.map(\.id))
        var merged = wanted
        for var former in members where !listed.contains(former.id) {
            if former.state != .replaced { former.state = .dead }
            merged.append(former)
        }
        relist(merged)
    }

    /// Drops the members that are neither wanted nor needed.
    private mutating func forget(except wanted: [NodeID]) {
        let kept = Set(wanted).union(needed())
        relist(members.filter { kept.contains($0.id) })
    }

    /// Drops replaced members that no joint epoch names any more.
    mutating func forgetReplaced() {
        let needed = needed()
        guard members.contains(where: { $0.state == .replaced && !needed.contains($0.id) }) else {
            return
        }
        relist(members.filter { $0.state != .replaced || needed.contains($0.id) })
    }

    mutating func relist(_ list: [Member]) {
        let former = members
        members = list.sorted { $0.id < $1.id }
        let renumbered = former.map { index(of: $0.id).map { UInt16($0) } ?? Self.none }
        for place in places.indices where places[place] != Self.none {
            places[place] = renumbered[Int(places[place])]
        }
    }

    private func needed() -> Set<NodeID> {
        var indices = Set<UInt16>(places)
        indices.remove(Self.none)
        var needed = Set(indices.map { members[Int($0)].id })
        for joint in joints { needed.formUnion(joint.previous.map(\.node)) }
        needed.formUnion(leftovers.map(\.node))
        return needed
    }

    mutating func move(
        _ partition: Partition, to owners: [NodeID], omitted: Omissions = []
    ) {
        let former = holders(of: partition)
        guard former.map(\.node) != owners else { return }
        let joint = joint(of: partition)
        if let joint, joint.previous.map(\.node) == owners {
            fallBack(partition, to: joint, omitted: omitted)
            return
        }
        let known = former + (joint?.previous ?? [])
        // The run that `since` begins is one of holding rows and copies: who stands behind the
        // first `replicas` drops them, and comes back among those as if it were new.
        let rows = rowHolders(of: partition) + (joint?.previous.prefix(replicas) ?? [])
        let held = rows.map(\.node)
        let new = owners.enumerated().map { place, owner in
            let holder = place >= replicas || held.contains(owner)
            return holder
                ? known.first { $0.node == owner } ?? Holder(node: owner, since: epoch)
                : Holder(node: owner, since: epoch)
        }
        let isKept = !omitted.contains(.samePrevious)
        let previous =
            isKept ? joint?.previous ?? voters(of: partition) : voters(of: partition)
        let placed = owners.prefix(replicas)
        let dropped = former.prefix(replicas).map(\.node).filter { node in
            !placed.contains(node) && !previous.prefix(replicas).contains { $0.node == node }
        }
        settle(partition, sources: dropped)
        setOwners(new, of: partition)
        removeSources(Array(placed), of: partition)
        insert(Joint(partition: partition, previous: previous))
    }

    mutating func insert(_ joint: Joint) {
        joints.insert(joint, at: joints.partitioned { $0.partition < joint.partition })
    }

    private mutating func fallBack(
        _ partition: Partition, to joint: Joint, omitted: Omissions = []
    ) {
        let placed = joint.previous.prefix(replicas).map(\.node)
        let dropped = owners(of: partition).prefix(replicas).filter { !placed.contains($0) }
        let former = holders(of: partition)
        settle(partition, sources: omitted.contains(.fallbackSource) ? [] : dropped)
        let back = joint.previous.map { holder in
            let isNew = omitted.contains(.sincePrevious) && !former.contains(holder)
            return isNew ? Holder(node: holder.node, since: epoch) : holder
        }
        setOwners(back, of: partition)
        removeSources(placed, of: partition)
    }

    /// The partition is stable, at the new epoch, with these sources besides those it has.
    mutating func settle(_ partition: Partition, sources: [NodeID]) {
        let joint = joints.partitioned { $0.partition < partition }
        if joint < joints.count, joints[joint].partition == partition {
            joints.remove(at: joint)
        }
        changed[Int(partition.value)] = epoch
        for node in sources {
            let leftover = Leftover(partition: partition, node: node)
            let index = leftovers.partitioned { $0 < leftover }
            if index == leftovers.count || leftovers[index] != leftover {
                leftovers.insert(leftover, at: index)
            }
        }
    }

    private mutating func removeSources(_ nodes: [NodeID], of partition: Partition) {
        let range = leftoverRange(of: partition)
        let kept = leftovers[range].filter { !nodes.contains($0.node) }
        leftovers.replaceSubrange(range, with: kept)
    }
}
