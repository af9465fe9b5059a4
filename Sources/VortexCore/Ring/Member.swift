/// One node as the layout lists it.
public struct Member: Hashable, Sendable {
    public enum State: UInt8, Hashable, Sendable {
        /// Takes its share.
        case active = 1
        /// Wants to leave: owns nothing new, and gives away what it has.
        case draining = 2
        /// Given up by the council after the grace time: its partitions have substitutes.
        case dead = 3
        /// Its journal was damaged: it keeps its places and its chunks, but holds no rows and is in
        /// no quorum until it has returned and synced. `MemberChange.swift`.
        case resyncing = 4
        /// Another node has taken its places and its address, for good: its disk is gone, or must
        /// not come back. Listed as long as a joint epoch names it among previous owners.
        case replaced = 5
    }

    public var id: NodeID
    /// host:port of the chunk protocol.
    public var address: String
    /// What fails together as a whole: a room, a rack, a site. Empty is a zone like any other.
    public var zone: String
    /// The machine, within its zone.
    public var host: String
    /// The space it offers; its share is proportional.
    public var weightBytes: UInt64
    public var state: State
    /// Its last start, agreed by the council; raised before it serves.
    public var boot: UInt32
    /// Random, of that start: tells two copies of one directory apart.
    public var start: UInt64 = 0

    /// `address`, `zone` and `host` have at most `Layout.nameBytesMax` bytes each.
    public init(
        id: NodeID, address: String, zone: String, host: String, weightBytes: UInt64,
        state: State = .active, boot: UInt32 = 1
    ) {
        for name in [address, zone, host] { precondition(name.utf8.count <= Layout.nameBytesMax) }
        self.id = id
        self.address = address
        self.zone = zone
        self.host = host
        self.weightBytes = weightBytes
        self.state = state
        self.boot = boot
    }
}

/// Who agrees on the layout: 5 active members, 3 where there are fewer than five, 1 where fewer
/// than three, spread over zones. An odd few, since every member more makes each change slower.
public enum Council {
    /// Keeps sitting members that are active, as far as the zones allow; sorted by id.
    public static func choose(among members: [Member], keeping sitting: [NodeID]) -> [NodeID] {
        let active = members.filter { $0.state == .active }
        let size = active.count >= 5 ? 5 : active.count >= 3 ? 3 : min(active.count, 1)
        let order = active.sorted { left, right in
            let sits = (sitting.contains(left.id), sitting.contains(right.id))
            if sits.0 != sits.1 { return sits.0 }
            return (hash(left.id), left.id) < (hash(right.id), right.id)
        }
        var chosen: [Member] = []
        while chosen.count < size {
            var best: (index: Int, taken: Int)?
            for (index, member) in order.enumerated() where !chosen.contains(member) {
                let taken = chosen.count { $0.zone == member.zone }
                if best.map({ taken < $0.taken }) ?? true { best = (index, taken) }
            }
            guard let best else { break }
            chosen.append(order[best.index])
        }
        return chosen.map(\.id).sorted()
    }

    private static func hash(_ id: NodeID) -> UInt64 {
        var writer = ByteWriter(reserving: 8)
        writer.write(ordered: id.value)
        return XXH3.hash64(writer.bytes)
    }
}
