internal import Synchronization
public import VortexCore
internal import VortexStore

/// One member as the cluster's status shows it.
public struct MemberStatus: Sendable {
    public enum Health: String, Sendable {
        case alive
        /// Silent for a while: requests go past it; what it owns is under-replicated.
        case suspect
    }
    public var node: NodeID
    public var address: String
    public var zone: String
    public var host: String
    public var state: Member.State
    public var health: Health
    public var boot: UInt32
    /// Partitions whose rows and copies it is to hold.
    public var ownedPartitions: Int
    public var objects: UInt64
    public var totalBytes: UInt64
    public var availableBytes: UInt64
    public var journalLiveBytes: UInt64
    /// Its last walk over everything it holds found every copy in its place, and nothing has gone
    /// wrong since; and when that walk ended, 0 where there was none.
    public var isVerified: Bool
    public var verifiedMilliseconds: UInt64
    /// Its journal was damaged in a way that may hide rows: it answers no question about rows until
    /// it has synced again. Its chunks it serves.
    public var isFenced: Bool
}

/// How whole the cluster is: counted in partitions, from what every node says of itself.
public struct ReplicationStatus: Sendable {
    public var replicas: Int
    public var partitions: Int
    /// As many owners as the policy asks for, all of them alive and verified.
    public var fullyReplicated = 0
    /// Fewer owners than the policy asks for, or one of them away or fenced.
    public var underReplicated = 0
    /// All owners are there, and one of them has not yet verified what it holds since the last
    /// trouble.
    public var unverified = 0
    public var migrating = 0
    /// Too few owners answer: requests get 503.
    public var withoutQuorum = 0
}

public struct RepairStatus: Sendable {
    public var missingRows: UInt64 = 0
    public var missingChunks: UInt64 = 0
    public var strayChunks: UInt64 = 0
    /// Damaged where they are, and nowhere else: of uploads that were never acknowledged, or of
    /// objects of which more than one disk was damaged.
    public var lostChunks: UInt64 = 0
    public var repairedRows: UInt64 = 0
    public var copiedChunks: UInt64 = 0
    public var collectedBlobs: UInt64 = 0
}

/// The same from every node.
public struct ClusterStatus: Sendable {
    /// By id.
    public var nodes: [MemberStatus]
    public var replication: ReplicationStatus
    public var repair: RepairStatus

    /// All partitions are fully replicated, and no node knows of a copy that has been missing for a
    /// second.
    public var isComplete: Bool {
        replication.fullyReplicated == replication.partitions && repair.missingRows == 0
            && repair.missingChunks == 0
    }
}

extension ClusterNode {
    /// Asks every node what it says of itself.
    public func clusterStatus() async -> ClusterStatus {
        let view = view
        let reports = await reports(view)
        var repair = RepairStatus()
        for member in view.members {
            guard let report = reports[member] else { continue }
            repair.missingRows += report.missingRows
            repair.missingChunks += report.missingChunks
            repair.strayChunks += report.strays
            repair.lostChunks += report.lostChunks
            repair.repairedRows += report.repairedRows
            repair.copiedChunks += report.copiedChunks
            repair.collectedBlobs += report.collectedBlobs
        }
        var owned: [NodeID: Int] = [:]
        for partition in view.ring.partitions {
            for owner in view[partition].quorum.owners { owned[owner, default: 0] += 1 }
        }
        let nodes = view.layout.members.map { member in
            MemberStatus(
                member, reports[member.id], owned: owned[member.id] ?? 0,
                isFenced: reports[member.id]?.isFenced ?? peers.health(of: member.id).isFenced)
        }
        return ClusterStatus(
            nodes: nodes, replication: replication(view, reports), repair: repair)
    }

    private func replication(
        _ view: LayoutView, _ reports: [NodeID: NodeReport]
    ) -> ReplicationStatus {
        var status = ReplicationStatus(
            replicas: view.layout.replicas, partitions: view.ring.partitionCount)
        let alive = view.members.filter { reports[$0]?.isFenced == false }
        for partition in view.ring.partitions {
            let place = view[partition]
            let owners = place.quorum.owners
            if place.isMigrating { status.migrating += 1 }
            if !place.quorum.isMet(by: alive) { status.withoutQuorum += 1 }
            if owners.count < view.layout.replicas || !owners.allSatisfy(alive.contains) {
                status.underReplicated += 1
            } else if !owners.allSatisfy({ reports[$0]?.isVerified ?? false }) {
                status.unverified += 1
            } else if !place.isMigrating {
                status.fullyReplicated += 1
            }
        }
        return status
    }

    private static let reportMilliseconds: UInt64 = 1_500

    private func reports(_ view: LayoutView) async -> [NodeID: NodeReport] {
        var reports = await withTaskGroup(of: (NodeID, NodeReport?).self) { group in
            for peer in view.peers where !peers.isSuspect(peer) {
                group.addTask { await self.report(of: peer) }
            }
            var reports: [NodeID: NodeReport] = [:]
            for await (node, report) in group { reports[node] = report }
            return reports
        }
        var mine = NodeReport(
            store.usage, progress, view, fence,
            missing: coordinator.owed.missing,
            started: startedMilliseconds)
        // Alone there is nobody to compare with.
        if view.isAlone { mine.isVerified = true }
        reports[node] = mine
        return reports
    }

    private func report(of peer: NodeID) async -> (NodeID, NodeReport?) {
        let asked = await peers.ask(
            peer, .status, epoch: view.epoch, milliseconds: Self.reportMilliseconds)
        let report = RemoteOwner.result(asked) { (reader) throws(CodingError) in
            try NodeReport(&reader)
        }
        guard case .success(let report) = report else { return (peer, nil) }
        return (peer, report)
    }
}

extension MemberStatus {
    fileprivate init(_ member: Member, _ report: NodeReport?, owned: Int, isFenced: Bool) {
        self.init(
            node: member.id, address: member.address, zone: member.zone, host: member.host,
            state: member.state, health: report == nil ? .suspect : .alive, boot: member.boot,
            ownedPartitions: owned, objects: report?.objects ?? 0,
            totalBytes: report?.totalBytes ?? 0, availableBytes: report?.availableBytes ?? 0,
            journalLiveBytes: report?.liveBytes ?? 0, isVerified: report?.isVerified ?? false,
            verifiedMilliseconds: report?.verifiedMilliseconds ?? 0, isFenced: isFenced)
    }
}
