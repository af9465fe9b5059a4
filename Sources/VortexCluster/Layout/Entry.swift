internal import Logging
internal import Synchronization
public import VortexCore
internal import VortexStore

/// How a node comes into its cluster, at its first start and at every other one: it obtains its
/// next boot number by a change of the layout, so that no ballot is ever used twice, and learns at
/// the same time whether its disk is what the cluster last saw of it.
///
///     the directory knows   and the layout lists it with   then
///     nothing, no --join    -                              a cluster of one is made
///     nothing, --join       nothing                        it is listed, and gets its share
///     nothing, --join       another node at its address    it replaces that one (`proves`)
///     a boot b              b, or one tried since          one more than any tried
///     a boot b              another one                    refused: the disk is an old copy
///     a boot b, damaged     any boot c                     c + 1; it syncs everything anew
///     b, and less of its journal than others saw  b      b + 1; it syncs everything anew
///     a boot b              nothing, or as replaced        refused: another node is in its places
extension ClusterNode {
    /// The id of the cluster that a node at one of these addresses belongs to, for the directory of
    /// a node that is to join it.
    public static func invitation(
        from address: String, over transport: any Transport
    ) async throws(TransportError) -> ClusterID {
        try await layout(from: address, over: transport).cluster
    }

    private static func layout(
        from address: String, over transport: any Transport
    ) async throws(TransportError) -> Layout {
        let question = WireMessage(kind: WireKind.layout.rawValue, epoch: .zero)
        let answer = try await transport.ask(address, question, timeoutMilliseconds: 3_000)
        guard answer.kind == WireKind.done.rawValue else { throw .refused }
        do throws(CodingError) { return try Layout(decoding: answer.head) } catch {
            throw .refused
        }
    }

    /// Returns when the node is a member with a boot number of its own; from then on it serves.
    /// Waits as long as a majority of the council is away.
    public func enter(joining addresses: [String]) async throws(ClusterError) {
        let past = try BootNote.read(store)
        if fence.isUnentered { try await findCluster(addresses) }
        if past == nil, !addresses.isEmpty { try await learnLayout(from: addresses) }
        let isFirst = past == nil && addresses.isEmpty && !fence.isUnentered
        let known = past ?? BootNote()
        let wasMember = known.last.number > 0 || (fence.isUnentered && store.isShared)
        var note = known
        var boot = note.tries(start: entropy.next())
        try await note.write(to: store)
        if isFirst { try await noteLayout(layout) }
        // A new member serves from the moment on in which others hear of it; nobody asks it before.
        if layout.member(node) == nil { answers.isOpen.store(true, ordering: .releasing) }
        while true {
            do throws(ClusterError) {
                try await compareJournal()
                council.remembersVotes.store(true, ordering: .releasing)
                if fence.hidesNotes { try await outbid(&boot, &note) }
                let change = EntryChange(
                    node: node, place: place, known: known, tried: boot,
                    hasForgotten: fence.hidesNotes, wasMember: wasMember,
                    predecessor: await predecessor())
                if change.predecessor != nil, change.next(after: layout) == nil {
                    entryLog.warning("too few owners are left to take the old node's places")
                }
                // A damaged journal may know no layout but one from before the node was a member.
                let entered = try await council.propose(doubted: change.isDoubted) {
                    change.next(after: $0)
                }
                guard let member = entered.member(node), member.state != .replaced else {
                    throw wasMember ? ClusterError.replaced : .noQuorum
                }
                let agreed = BootNote.Boot(number: member.boot, start: member.start)
                guard agreed == boot else {
                    throw fence.hidesNotes ? ClusterError.noQuorum : .outdatedDisk
                }
                try await BootNote(last: agreed).write(to: store)
                do throws(StoreError) { try await fence.entered(at: entered.epoch) } catch {
                    throw ClusterError(error)
                }
                coordinator.boot = member.boot
                answers.hasEntered.store(true, ordering: .releasing)
                answers.isOpen.store(true, ordering: .releasing)
                return
            } catch .noQuorum {
                entryLog.notice("waiting for a majority of the council")
                // Until it is listed nobody tells this node of newer layouts.
                if layout.member(node) == nil { try await learnLayout(from: addresses) }
            }
            try await pause()
        }
    }

    /// Its boot note may be older than its last start: the number that it tries is above the one
    /// that the layout has.
    private func outbid(
        _ boot: inout BootNote.Boot, _ note: inout BootNote
    ) async throws(ClusterError) {
        guard let member = layout.member(node), member.boot >= boot.number,
            member.start != boot.start
        else { return }
        boot = note.tries(above: member.boot, start: boot.start)
        try await note.write(to: store)
    }

    private static let positionMilliseconds: UInt64 = 1_000

    /// A disk that has lied about its syncs, or lost the end of its journal, or is an old copy, has
    /// lost acknowledged rows. Those who vote for this start have been asked before.
    private func compareJournal() async throws(ClusterError) {
        guard !fence.isUnentered, !view.peers.isEmpty else { return }
        let (seen, by) = await peers.positionSeen(milliseconds: Self.positionMilliseconds)
        guard Quorum.isMajority(by + [node], of: layout.council) else { throw .noQuorum }
        guard seen > openedPosition, !fence.covers(journalUpTo: seen) else { return }
        do throws(StoreError) {
            try await fence.raise(endingAt: openedPosition, seenAt: seen)
        } catch { throw ClusterError(error) }
    }

    private func pause() async throws(ClusterError) {
        do throws(CancellationError) { try await clock.sleep(milliseconds: 500) } catch {
            throw .stopped
        }
    }

    private func noteLayout(_ layout: Layout) async throws(ClusterError) {
        do throws(StoreError) { try await book.note(layout) } catch { throw ClusterError(error) }
    }

    private func learnLayout(from addresses: [String]) async throws(ClusterError) {
        guard let transport = peers.transport else { throw .noQuorum }
        while true {
            for address in addresses {
                let asked: Layout
                do throws(TransportError) {
                    asked = try await Self.layout(from: address, over: transport)
                    guard asked.cluster == store.identity.cluster else { throw .refused }
                } catch {
                    entryLog.notice(
                        "no answer", metadata: ["address": "\(address)", "error": "\(error)"])
                    continue
                }
                // Whoever was asked may be the last to know.
                if asked.epoch >= view.epoch { try await noteLayout(asked) }
                return
            }
            try await pause()
        }
    }

    // MARK: In another node's places

    private static let identityMilliseconds: UInt64 = 2_000

    /// The member that is listed at this node's address, where the address leads to this node:
    /// here, and for every other member of the council that can tell, one of them at least.
    private func predecessor() async -> NodeID? {
        let layout = layout
        guard layout.member(node) == nil, !place.address.isEmpty,
            let old = layout.members.first(where: { $0.address == place.address })
        else { return nil }
        var witnesses = layout.council.filter { $0 != old.id }.compactMap(layout.member)
        if witnesses.isEmpty { witnesses = layout.members.filter { $0.id != old.id } }
        var found = [
            await peers.identity(at: place.address, milliseconds: Self.identityMilliseconds)
        ]
        for witness in witnesses {
            let seen = await peers.identity(
                at: place.address, seenFrom: witness.address,
                milliseconds: Self.identityMilliseconds)
            if let seen { found.append(seen) }
        }
        guard found.count > 1, found.allSatisfy({ $0 == node }) else {
            entryLog.notice(
                "a member is listed at this node's address, and others do not reach this one there",
                metadata: [
                    "address": "\(place.address)", "member": "\(old.id)",
                    "reached": "\(found.map { $0.map { "\($0)" } ?? "nobody" })",
                ])
            return nil
        }
        entryLog.notice(
            "taking the places of the member that is listed at this node's address",
            metadata: ["address": "\(place.address)", "member": "\(old.id)"])
        return old.id
    }

    // MARK: With a damaged journal

    /// What the directory says of the cluster may be old, or gone. Returns where the node knows of
    /// others, who will tell it more; a node that has never had any is alone, with what it has.
    private func findCluster(_ addresses: [String]) async throws(ClusterError) {
        guard store.isShared || layout.members.contains(where: { $0.id != node }) else {
            do throws(StoreError) { return try await fence.accept() } catch {
                throw ClusterError(error)
            }
        }
        while !layout.members.contains(where: { $0.id != node }) {
            entryLog.notice("the damaged journal names no other member: waiting to be told of one")
            if !addresses.isEmpty { return try await learnLayout(from: addresses) }
            try await pause()
        }
    }
}

private let entryLog = Logger(label: "vortex.entry")

/// The layout after a node has started.
private struct EntryChange: Sendable {
    var node: NodeID
    var place: MemberPlace
    var known: BootNote
    var tried: BootNote.Boot
    /// Its notes may be hidden by damage: it syncs everything anew, whatever it has forgotten.
    var hasForgotten: Bool
    /// Its directory is one of a member's.
    var wasMember: Bool
    /// Whose places it takes: proven to be gone from its address.
    var predecessor: NodeID?

    /// A layout by which this directory is of no member any more.
    func isDoubted(_ layout: Layout) -> Bool {
        wasMember && layout.member(node).map { $0.state == .replaced } ?? true
    }

    /// nil: nothing to change, be it that the change is in effect, be it that it must not be.
    func next(after layout: Layout) -> Layout? {
        if let member = layout.member(node) {
            let seen = BootNote.Boot(number: member.boot, start: member.start)
            guard seen != tried, member.state != .replaced else { return nil }
            let isOurs = known.knows(seen) || member.start == 0
            guard isOurs || hasForgotten, tried.number > member.boot else { return nil }
            return layout.starting(
                node, address: place.address, zone: place.zone, host: place.host,
                weightBytes: max(1, place.weightBytes), boot: tried.number, start: tried.start)
        }
        guard !wasMember else { return nil }
        var member = Member(
            id: node, address: place.address, zone: place.zone, host: place.host,
            weightBytes: max(1, place.weightBytes), boot: tried.number)
        member.start = tried.start
        if !place.address.isEmpty,
            let old = layout.members.first(where: { $0.address == place.address })
        {
            return old.id == predecessor ? layout.replacing(old.id, with: member) : nil
        }
        // One change of owners at a time: `enter` comes again.
        guard !layout.isMigrating else { return nil }
        return layout.reassigning(to: layout.members.filter { $0.state != .dead } + [member])
    }
}
