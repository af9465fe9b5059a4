internal import Logging
internal import Synchronization
internal import VortexCore
internal import VortexStore

/// Every half second each node asks every other one how it is: who does not answer for a while is
/// suspect, and requests go past it; who knows a newer layout passes it on; and when all owners of
/// a change have synced, the change is finished. Membership stays what the council agreed on.
extension ClusterNode {
    private static let beatMilliseconds: UInt64 = 500

    func beat() async {
        while !Task.isCancelled {
            await round()
            await guarded("finishing a change of owners") { () async throws(ClusterError) in
                try await self.finishChange()
            }
            await guarded("noting positions") { () async throws(ClusterError) in
                try await self.keepPositions()
            }
            await guarded("resyncing") { () async throws(ClusterError) in
                try await self.resync()
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
        let asked = await peers.deliver(node, question, Peers.patienceMilliseconds)
        let beat = RemoteOwner.result(asked) { (reader) throws(CodingError) in
            (
                epoch: try reader.readEpoch(), synced: try reader.readEpoch(),
                flags: try reader.readByte(), position: try reader.readNumber()
            )
        }
        guard case .success(let beat) = beat else { return }
        peers.note(
            node, synced: beat.synced, isFenced: beat.flags & 2 != 0, position: beat.position)
        // Who has slept, or has forgotten, need not know whom to ask.
        if beat.epoch < view.epoch { return await offer(view, to: node) }
        guard beat.epoch > view.epoch else { return }
        if case .success(let message) = await peers.ask(node, .layout, epoch: view.epoch) {
            await peers.adopt(message.head)
        }
    }

    private func offer(_ view: LayoutView, to node: NodeID) async {
        let offer = WireMessage(
            kind: WireKind.offerLayout.rawValue, epoch: view.epoch, head: view.layout.encoded())
        // What does not arrive is offered again with the next heartbeat.
        _ = await peers.deliver(node, offer, Peers.patienceMilliseconds)
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
