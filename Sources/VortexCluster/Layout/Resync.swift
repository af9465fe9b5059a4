internal import Logging
internal import VortexCore

/// How a node whose journal was damaged becomes whole again, by changes of owners alone: it is
/// taken out of its partitions, and comes back to them under a new `since`, so that it syncs every
/// row (`MemberChange.swift`). It proposes both itself; whichever of its lives comes to it.
extension ClusterNode {
    func resync() async throws(ClusterError) {
        let layout = layout
        guard let member = layout.member(node) else { return }
        let node = node
        if member.state == .resyncing {
            guard !layout.isMigrating else { return }
            try await council.propose { $0.returning(node) }
            return resyncLog.notice("takes its places again, and syncs")
        }
        guard fence.isUp(view), !fence.isUnentered else { return }
        guard layout.withdrawing(node) != nil else { return }
        try await council.propose { $0.withdrawing(node) }
        resyncLog.notice("out of its places, to come back and sync")
    }
}

private let resyncLog = Logger(label: "vortex.resync")
