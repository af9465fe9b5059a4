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
///     a boot b              b, or one tried since          one more than any tried
///     a boot b              another one                    refused: the disk is an old copy
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
        if past == nil, !addresses.isEmpty { try await learnLayout(from: addresses) }
        let isFirst = past == nil && addresses.isEmpty
        let known = past ?? BootNote()
        var note = known
        let boot = note.tries(start: entropy.next())
        try await note.write(to: store)
        if isFirst { try await noteLayout(layout) }
        // A new member serves from the moment on in which others hear of it; nobody asks it before.
        if layout.member(node) == nil { answers.isOpen.store(true, ordering: .releasing) }
        let change = EntryChange(node: node, place: place, known: known, tried: boot)
        while true {
            do throws(ClusterError) {
                let entered = try await council.propose { change.next(after: $0) }
                guard let member = entered.member(node) else { throw .noQuorum }
                let agreed = BootNote.Boot(number: member.boot, start: member.start)
                guard agreed == boot else { throw .outdatedDisk }
                try await BootNote(last: agreed).write(to: store)
                coordinator.boot = member.boot
                answers.isOpen.store(true, ordering: .releasing)
                return
            } catch .noQuorum {
                entryLog.notice("waiting for a majority of the council")
                // Until it is listed nobody tells this node of newer layouts.
                if layout.member(node) == nil { try await learnLayout(from: addresses) }
            }
            do throws(CancellationError) { try await clock.sleep(milliseconds: 500) } catch {
                throw .stopped
            }
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
                return try await noteLayout(asked)
            }
            do throws(CancellationError) { try await clock.sleep(milliseconds: 500) } catch {
                throw .stopped
            }
        }
    }
}

private let entryLog = Logger(label: "vortex.entry")

/// What a data directory remembers of its starts; written before the council hears of one.
struct BootNote: Sendable {
    struct Boot: Hashable, Sendable {
        var number: UInt32 = 0
        var start: UInt64 = 0
    }
    /// The last that was agreed.
    var last = Boot()
    /// Proposed since then, oldest first: each may have been agreed without our hearing of it, and
    /// one that only a minority of the council has accepted may be chosen when nobody thinks of it
    /// any more.
    var tried: [Boot] = []
    /// A start that waits for the council does not end: so many in a row were ended from outside.
    private static let triedMax = 1_024

    /// The boot of a start that begins.
    mutating func tries(start: UInt64) -> Boot {
        let boot = Boot(number: (tried.last ?? last).number + 1, start: start)
        if tried.count == Self.triedMax { tried.removeFirst() }
        tried.append(boot)
        return boot
    }

    func knows(_ boot: Boot) -> Bool { boot == last || tried.contains(boot) }

    private static let note = "boot"

    static func read(_ store: Store) throws(ClusterError) -> BootNote? {
        do throws(StoreError) {
            guard let bytes = try store.note(note) else { return nil }
            do throws(CodingError) {
                return try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                    let number: UInt32 = try reader.readFixed()
                    // A directory of the time before clusters has its number alone.
                    guard reader.remaining > 0 else { return BootNote(last: Boot(number: number)) }
                    var note = BootNote(
                        last: Boot(number: number, start: try reader.readFixed()))
                    while reader.remaining > 0 {
                        note.tried.append(
                            Boot(
                                number: try reader.readFixed(), start: try reader.readFixed()))
                    }
                    return note
                }
            } catch { throw StoreError.coding(error) }
        } catch { throw ClusterError(error) }
    }

    func write(to store: Store) async throws(ClusterError) {
        var writer = ByteWriter(reserving: 12 * (1 + tried.count))
        for boot in [last] + tried {
            writer.write(fixed: boot.number)
            writer.write(fixed: boot.start)
        }
        do throws(StoreError) { try await store.setNote(Self.note, writer.bytes) } catch {
            throw ClusterError(error)
        }
    }
}

/// The layout after a node has started.
private struct EntryChange: Sendable {
    var node: NodeID
    var place: MemberPlace
    var known: BootNote
    var tried: BootNote.Boot

    /// nil: nothing to change, be it that the change is in effect, be it that it must not be.
    func next(after layout: Layout) -> Layout? {
        if let member = layout.member(node) {
            let seen = BootNote.Boot(number: member.boot, start: member.start)
            guard seen != tried else { return nil }
            let isOurs = known.knows(seen) || member.start == 0
            guard isOurs, tried.number > member.boot else { return nil }
            return layout.starting(
                node, address: place.address, zone: place.zone, host: place.host,
                weightBytes: max(1, place.weightBytes), boot: tried.number, start: tried.start)
        }
        var member = Member(
            id: node, address: place.address, zone: place.zone, host: place.host,
            weightBytes: max(1, place.weightBytes), boot: tried.number)
        member.start = tried.start
        // One change of owners at a time: `enter` comes again.
        guard !layout.isMigrating else { return nil }
        return layout.reassigning(to: layout.members.filter { $0.state != .dead } + [member])
    }
}
