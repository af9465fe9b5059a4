internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Every half second each node asks every other one how it is: who does not answer for a while is
/// suspect, and requests go past it; who knows a newer layout passes it on; and when all owners of
/// a change have synced, the change is finished. Membership stays what the council agreed on.
extension ClusterNode {
    private static let beatMilliseconds: UInt64 = 500
    private static let patienceMilliseconds: UInt64 = 1_000

    func beat() async {
        while !Task.isCancelled {
            await round()
            await guarded("finishing a change of owners") { () async throws(ClusterError) in
                try await self.finishChange()
            }
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.beatMilliseconds)
            } catch { return }
        }
    }

    private func round() async {
        let nodes = view.peers
        await withTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { await self.beat(node) } }
        }
    }

    private func beat(_ node: NodeID) async {
        let question = WireMessage(kind: WireKind.ping.rawValue, epoch: view.epoch)
        let asked = await peers.deliver(node, question, Self.patienceMilliseconds)
        let beat = RemoteOwner.result(asked) { (reader) throws(CodingError) in
            (
                epoch: try reader.readEpoch(), synced: try reader.readEpoch(),
                isOpen: try reader.readByte() == 1
            )
        }
        guard case .success(let beat) = beat else { return }
        peers.note(node, synced: beat.synced)
        guard beat.epoch > view.epoch else { return }
        if case .success(let message) = await peers.ask(node, .layout, epoch: view.epoch) {
            await peers.adopt(message.head)
        }
    }

    /// One node proposes, so that not all do: the first of the council that answers.
    private func finishChange() async throws(ClusterError) {
        let layout = layout
        guard layout.isMigrating else { return }
        let proposer = layout.council.first { $0 == node || !peers.isSuspect($0) }
        guard proposer == node else { return }
        let mine = answers.synced.withLock { $0 }
        let joint = layout.synced(omitted) { $0 == self.node ? mine : self.peers.synced($0) }
        guard let joint else { return }
        try await council.propose { layout in
            let ready = layout.migrating.filter { layout.epoch(of: $0) == joint }
            return ready.isEmpty ? nil : layout.finishing(ready)
        }
    }
}
