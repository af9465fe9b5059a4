internal import VortexCore

/// A layout as one node's requests need it: looked at for every request, made once per layout.
final class LayoutView: Sendable {
    struct Place: Sendable {
        var epoch: Epoch
        /// Whose majority is a quorum, and of `previous` too where that is not empty.
        var quorum: Quorum
        /// Since when this node is among owners or previous owners; nil where it is not.
        var since: Epoch?
        var isOwner: Bool

        var isMigrating: Bool { !quorum.previous.isEmpty }
    }

    let layout: Layout
    let node: NodeID
    private let places: [Place]
    private let addresses: [NodeID: String]
    /// Each one that occurs.
    let quorums: [Quorum]
    /// The last epoch in which any partition's owners changed.
    let lastChange: Epoch
    /// The oldest of this node's `since`; nil where it holds nothing.
    let oldestSince: Epoch?
    /// No partition is owned by anybody else: everything is answered by this node's store.
    let isAlone: Bool

    init(_ layout: Layout, node: NodeID, omitted: Omissions = []) {
        self.layout = layout
        self.node = node
        var places: [Place] = []
        places.reserveCapacity(layout.ring.partitionCount)
        // Few distinct ones: they share their arrays.
        var known: [Quorum: Quorum] = [:]
        var isAlone = true
        for partition in layout.ring.partitions {
            var fresh = Quorum(
                owners: layout.rowOwners(of: partition),
                previous: layout.previousRowOwners(of: partition))
            fresh.omitted = omitted
            let quorum = known[fresh] ?? fresh
            known[fresh] = quorum
            isAlone = isAlone && quorum.owners == [node] && quorum.previous.isEmpty
            let isHolder = quorum.owners.contains(node) || quorum.previous.contains(node)
            places.append(
                Place(
                    epoch: layout.epoch(of: partition), quorum: quorum,
                    since: isHolder ? layout.since(node, in: partition) : nil,
                    isOwner: quorum.owners.contains(node)))
        }
        self.places = places
        lastChange = places.lazy.map(\.epoch).max() ?? .zero
        oldestSince = places.lazy.compactMap(\.since).min()
        quorums = Array(known.values)
        self.isAlone = isAlone && layout.members.count == 1
        var addresses: [NodeID: String] = [:]
        for member in layout.members { addresses[member.id] = member.address }
        self.addresses = addresses
    }

    var epoch: Epoch { layout.epoch }
    var ring: Ring { layout.ring }
    var count: Int { places.count }

    subscript(partition: Partition) -> Place { places[Int(partition.value)] }
    subscript(key: RowKey) -> Place { self[ring.partition(of: key)] }
    subscript(chunk: ChunkID) -> Place { self[ring.partition(of: chunk)] }

    func address(of node: NodeID) -> String? { addresses[node] }

    /// Everyone but this node, by id.
    var peers: [NodeID] { layout.members.lazy.map(\.id).filter { $0 != self.node } }

    var members: [NodeID] { layout.members.map(\.id) }
}
