/// Steps for one member whose disk has failed it: its places stay where they are, so that no chunk
/// of anybody else moves.
///
/// A node that may have lost rows is out of every quorum before it answers for rows again, and
/// comes back under a new `since` (object-protocol.md, Nodes and their past):
///
///     stable [A B D] --withdrawing D--> joint [A B], previous [A B D] --finishing--> stable [A B]
///                    --returning D-->   joint [A B D], previous [A B] --finishing-->
///     stable [A B D], D under a new since
///
/// Meanwhile D keeps its place in the order and is a source: it holds the chunks that it will own.
///
/// A node whose disk is lost is another node from then on, in the same places:
///
///     stable [A B D] --replacing D by E--> joint [A B E], previous [A B D] --finishing--> [A B E]
///     joint [A B E], previous [A B D] --replacing E by F--> joint [A B F], previous [A B D]
extension Layout {
    /// The node holds no rows any more. nil where too few previous owners would be left to sync
    /// from, or one owner alone to write to, on whose disk alone writes would be acknowledged: then
    /// nothing can be done for it without an operator.
    public func withdrawing(_ node: NodeID) -> Layout? {
        guard let index = index(of: node), members[index].state != .resyncing,
            members[index].state != .replaced
        else { return nil }
        var next = advanced()
        next.members[index].state = .resyncing
        for partition in ring.partitions {
            guard rowHolders(of: partition).contains(where: { $0.node == node }) else { continue }
            let left = next.rowOwners(of: partition)
            let before = joint(of: partition)?.previous ?? voters(of: partition)
            guard !left.isEmpty, let previous = next.witnesses(of: before, without: node),
                left.count > 1 || previous == before
            else { return nil }
            next.settle(partition, sources: [])
            // Falling back to the previous owners alone.
            if Set(left) == Set(previous.prefix(replicas).map(\.node)) { continue }
            next.insert(Joint(partition: partition, previous: previous))
        }
        next.restartJoints()
        return next
    }

    /// The node takes its places again. nil while anything migrates: it must have been out of every
    /// quorum first.
    public func returning(_ node: NodeID) -> Layout? {
        guard let index = index(of: node), members[index].state == .resyncing, joints.isEmpty else {
            return nil
        }
        var next = advanced()
        next.members[index].state = .active
        for partition in ring.partitions {
            var holders = holders(of: partition)
            guard let place = holders.firstIndex(where: { $0.node == node }) else { continue }
            holders[place].since = next.epoch
            next.setOwners(holders, of: partition)
            guard place < replicas else { continue }
            next.insert(Joint(partition: partition, previous: voters(of: partition)))
            next.changed[Int(partition.value)] = next.epoch
        }
        return next
    }

    /// `new` takes the places of `old`, whose disk is gone. nil where too few previous owners would
    /// be left to sync from.
    public func replacing(_ old: NodeID, with new: Member) -> Layout? {
        guard let index = index(of: old), self.index(of: new.id) == nil,
            members.count < Self.membersMax
        else { return nil }
        var next = advanced()
        next.members[index].state = .replaced
        // Whoever listens there now must never be taken for the old node.
        next.members[index].address = ""
        next.relist(next.members + [new])
        next.leftovers.removeAll { $0.node == old }
        for partition in ring.partitions {
            var holders = holders(of: partition)
            guard let place = holders.firstIndex(where: { $0.node == old }) else { continue }
            holders[place] = Holder(node: new.id, since: next.epoch)
            next.setOwners(holders, of: partition)
            guard place < replicas else { continue }
            let before = joint(of: partition)?.previous ?? voters(of: partition)
            guard let previous = next.witnesses(of: before, without: old) else { return nil }
            next.settle(partition, sources: [])
            next.insert(Joint(partition: partition, previous: previous))
        }
        next.restartJoints()
        next.council = Council.choose(among: next.members, keeping: council)
        next.forgetReplaced()
        return next
    }

    /// Who owns the partition when a change of its owners begins, without those that are resyncing.
    /// Where one of the first is, only those who count in quorums: nobody may move up.
    func voters(of partition: Partition) -> [Holder] {
        let (all, rows) = (holders(of: partition), rowHolders(of: partition))
        guard rows.count == min(replicas, all.count) else { return rows }
        return all.filter { member($0.node)?.state != .resyncing }
    }

    /// The previous owners that a change of owners goes on with when `node` answers no more: as
    /// they are, where those that answer are a majority of them. Where they were two, the other
    /// one: it has accepted all that was ever chosen, for the two were the only majority. nil: too
    /// few.
    private func witnesses(of previous: [Holder], without node: NodeID) -> [Holder]? {
        let all = previous.prefix(replicas)
        let answering = all.filter { other in
            guard other.node != node, let state = member(other.node)?.state else { return false }
            return state != .resyncing && state != .replaced
        }
        let nodes = all.map(\.node)
        if Quorum.isMajority(answering.map(\.node), of: nodes) { return previous }
        let silent = nodes.filter { node in !answering.contains { $0.node == node } }
        return Quorum.isMajority(silent, of: nodes) ? nil : Array(answering)
    }

    /// Every joint epoch begins anew at this one, with the same previous owners (Owner changes,
    /// rule 4): all that migrate are finished together.
    private mutating func restartJoints() {
        for joint in joints { changed[Int(joint.partition.value)] = epoch }
    }
}
