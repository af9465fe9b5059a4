/// A layout's bytes. Numbers are LEB128 unless noted; ids big-endian.
///
///     version 2 | cluster 16 | epoch | bits 1 | replicas 1
///     members n | n x (id 8, address, zone, host, weight, state 1, boot, start 8)
///     council n | n x member
///     epochs n  | n x epoch                     each epoch that occurs, ascending
///     partitions in order, 2^bits x
///         shape 1: owners (3 bits) | joint (8) | sources (16) | every since is `changed` (32)
///         changed | owners x member | owners x since, unless 32
///         joint:   n | n x (member, since)
///         sources: n | n x member
///
/// where member is an index of members, changed and since are indices of epochs, and an epoch is
/// its generation and number. A bit that no writer sets, an index out of range, an order that no
/// writer produces, a repeated node: all are refused.

private let formatVersion: UInt8 = 2
/// Without the members' starts.
private let formatVersionBeforeStarts: UInt8 = 1

private enum Shape {
    static let owners: UInt8 = 7
    static let joint: UInt8 = 8
    static let sources: UInt8 = 16
    static let plainSince: UInt8 = 32
}

extension ByteWriter {
    public mutating func write(_ epoch: Epoch) {
        write(number: UInt64(epoch.generation))
        write(number: epoch.number)
    }

    public mutating func write(_ member: Member) {
        write(ordered: member.id.value)
        write(text: member.address)
        write(text: member.zone)
        write(text: member.host)
        write(number: member.weightBytes)
        write(member.state.rawValue)
        write(number: UInt64(member.boot))
        write(fixed: member.start)
    }

    public mutating func write(_ layout: Layout) {
        write(formatVersion)
        write(layout.cluster)
        write(layout.epoch)
        write(layout.ring.bits)
        write(UInt8(layout.replicas))
        write(number: UInt64(layout.members.count))
        for member in layout.members { write(member) }
        write(number: UInt64(layout.council.count))
        for node in layout.council { write(node, of: layout) }
        let epochs = layout.epochs()
        write(number: UInt64(epochs.count))
        for epoch in epochs { write(epoch) }
        for partition in layout.ring.partitions { write(partition, of: layout, epochs) }
    }

    private mutating func write(_ node: NodeID, of layout: Layout) {
        guard let index = layout.index(of: node) else {
            preconditionFailure("a layout lists every node that it names")
        }
        write(number: UInt64(index))
    }

    private mutating func write(_ epoch: Epoch, _ epochs: [Epoch]) {
        write(number: UInt64(epochs.partitioned { $0 < epoch }))
    }

    private mutating func write(_ partition: Partition, of layout: Layout, _ epochs: [Epoch]) {
        let holders = layout.holders(of: partition)
        let joint = layout.joint(of: partition)
        let sources = layout.leftovers[layout.leftoverRange(of: partition)].map(\.node)
        let changed = layout.epoch(of: partition)
        let isPlain = holders.allSatisfy { $0.since == changed }
        var shape = UInt8(holders.count)
        if joint != nil { shape |= Shape.joint }
        if !sources.isEmpty { shape |= Shape.sources }
        if isPlain { shape |= Shape.plainSince }
        write(shape)
        write(changed, epochs)
        for holder in holders { write(holder.node, of: layout) }
        if !isPlain { for holder in holders { write(holder.since, epochs) } }
        if let joint {
            write(number: UInt64(joint.previous.count))
            for holder in joint.previous {
                write(holder.node, of: layout)
                write(holder.since, epochs)
            }
        }
        if !sources.isEmpty {
            write(number: UInt64(sources.count))
            for node in sources { write(node, of: layout) }
        }
    }
}

extension Layout {
    /// Every epoch that the partitions name, ascending.
    fileprivate func epochs() -> [Epoch] {
        var all = changed
        for place in places.indices where places[place] != Self.none {
            all.append(placeSince[place])
        }
        for joint in joints { all.append(contentsOf: joint.previous.map(\.since)) }
        all.sort()
        var distinct: [Epoch] = []
        for epoch in all where epoch != distinct.last { distinct.append(epoch) }
        return distinct
    }

    /// All of `bytes` as one layout.
    public init(decoding bytes: [UInt8]) throws(CodingError) {
        self = try ByteReader.decode(bytes) { reader throws(CodingError) in
            try reader.readLayout()
        }
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 64 * members.count + 16 * ring.partitionCount)
        writer.write(self)
        return writer.bytes
    }
}

extension ByteReader {
    public mutating func readEpoch() throws(CodingError) -> Epoch {
        let generation = try readNumber()
        guard let generation = UInt32(exactly: generation) else { throw .outOfRange(generation) }
        return Epoch(generation: generation, number: try readNumber())
    }

    public mutating func readMember() throws(CodingError) -> Member {
        var member = try readMemberBeforeStarts()
        member.start = try readFixed()
        return member
    }

    private mutating func readMemberBeforeStarts() throws(CodingError) -> Member {
        let id = NodeID(try readOrdered())
        let address = try readText(max: Layout.nameBytesMax)
        let zone = try readText(max: Layout.nameBytesMax)
        let host = try readText(max: Layout.nameBytesMax)
        let weight = try readNumber()
        let tag = try readByte()
        guard let state = Member.State(rawValue: tag) else { throw .unknown(tag: UInt64(tag)) }
        let boot = try readNumber()
        guard let boot = UInt32(exactly: boot) else { throw .outOfRange(boot) }
        return Member(
            id: id, address: address, zone: zone, host: host, weightBytes: weight, state: state,
            boot: boot)
    }

    public mutating func readLayout() throws(CodingError) -> Layout {
        let version = try readByte()
        guard version == formatVersion || version == formatVersionBeforeStarts else {
            throw .unknown(tag: UInt64(version))
        }
        let cluster = try readID(ClusterID.self)
        let epoch = try readEpoch()
        let bits = try readByte()
        guard bits <= Limits.partitionBitsMax else { throw .outOfRange(UInt64(bits)) }
        let replicas = try readByte()
        guard (1...Assignment.ownersMax).contains(Int(replicas)) else {
            throw .outOfRange(UInt64(replicas))
        }
        var members: [Member] = []
        for _ in 0..<(try readCount(max: Layout.membersMax)) {
            let member =
                version == formatVersion ? try readMember() : try readMemberBeforeStarts()
            if let last = members.last, last.id >= member.id { throw .outOfRange(member.id.value) }
            members.append(member)
        }
        var council: [NodeID] = []
        for _ in 0..<(try readCount(max: Assignment.ownersMax)) {
            let node = members[try readIndex(below: members.count)].id
            if let last = council.last, last >= node { throw .outOfRange(node.value) }
            council.append(node)
        }
        let epochs = try readEpochs(max: epoch, bits: bits)
        var layout = Layout(
            cluster: cluster, epoch: epoch, ring: Ring(bits: bits), replicas: Int(replicas),
            members: members, council: council)
        for partition in layout.ring.partitions { try read(partition, of: &layout, epochs) }
        guard layout.epochs() == epochs else { throw .outOfRange(UInt64(epochs.count)) }
        return layout
    }

    private mutating func readIndex(below bound: Int) throws(CodingError) -> Int {
        let index = try readNumber()
        guard index < UInt64(bound) else { throw .outOfRange(index) }
        return Int(index)
    }

    /// As many as the partitions can name and the bytes can hold, ascending, none above the
    /// layout's.
    private mutating func readEpochs(max: Epoch, bits: UInt8) throws(CodingError) -> [Epoch] {
        let count = try readCount(max: (1 + 2 * Assignment.ownersMax) << Int(bits))
        guard count <= remaining / 2 else {
            throw .truncated(needed: 2 * count, remaining: remaining)
        }
        var epochs: [Epoch] = []
        for _ in 0..<count {
            let epoch = try readEpoch()
            if let last = epochs.last, last >= epoch { throw .outOfRange(epoch.number) }
            guard epoch <= max else { throw .outOfRange(epoch.number) }
            epochs.append(epoch)
        }
        return epochs
    }

    private mutating func read(
        _ partition: Partition, of layout: inout Layout, _ epochs: [Epoch]
    ) throws(CodingError) {
        let shape = try readByte()
        let count = Int(shape & Shape.owners)
        guard shape < 64, count <= Assignment.ownersMax else {
            throw .unknown(tag: UInt64(shape))
        }
        let changed = epochs[try readIndex(below: epochs.count)]
        layout.changed[Int(partition.value)] = changed
        var holders: [Layout.Holder] = []
        for _ in 0..<count {
            let node = try readNode(of: layout, except: holders.map(\.node))
            holders.append(Layout.Holder(node: node, since: changed))
        }
        if shape & Shape.plainSince == 0 {
            for index in holders.indices {
                holders[index].since = epochs[try readIndex(below: epochs.count)]
            }
            guard holders.contains(where: { $0.since != changed }) else {
                throw .unknown(tag: UInt64(shape))
            }
        }
        layout.setOwners(holders, of: partition)
        if shape & Shape.joint != 0 {
            layout.joints.append(
                Layout.Joint(
                    partition: partition, previous: try readPrevious(of: layout, epochs)))
        }
        guard shape & Shape.sources != 0 else { return }
        let sources = try readCount(max: Layout.sourcesMax)
        guard sources > 0 else { throw .outOfRange(0) }
        let placed = holders.prefix(layout.replicas).map(\.node)
        for _ in 0..<sources {
            let node = try readNode(of: layout, except: placed)
            let leftover = Layout.Leftover(partition: partition, node: node)
            if let last = layout.leftovers.last, last >= leftover {
                throw .outOfRange(node.value)
            }
            layout.leftovers.append(leftover)
        }
    }

    private mutating func readPrevious(
        of layout: Layout, _ epochs: [Epoch]
    ) throws(CodingError) -> [Layout.Holder] {
        var previous: [Layout.Holder] = []
        for _ in 0..<(try readCount(max: Assignment.ownersMax)) {
            let node = try readNode(of: layout, except: previous.map(\.node))
            let since = epochs[try readIndex(below: epochs.count)]
            previous.append(Layout.Holder(node: node, since: since))
        }
        return previous
    }

    private mutating func readNode(
        of layout: Layout, except taken: [NodeID]
    ) throws(CodingError) -> NodeID {
        let node = layout.members[try readIndex(below: layout.members.count)].id
        guard !taken.contains(node) else { throw .outOfRange(node.value) }
        return node
    }
}
