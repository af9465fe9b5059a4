/// What a register holds: the content, and of the change that wrote it what a retry needs to know.
/// Writing a value back keeps all of it. register-protocol.md, Terms.
public struct RegisterValue: Hashable, Sendable {
    /// The change that wrote this; the version id.
    public var change: ChangeID
    /// The highest accepted ballot that the change's phase 1 saw; where nothing was accepted, the
    /// highest horizon.
    public var base: Ballot
    /// The change that this one replaced.
    public var over: ChangeID?
    /// The object is gone and nothing else is owed; such a row may be purged after a grace period.
    public var isTombstone: Bool
    /// Bodies that live with the row: an owner accepts the value only when it has every one.
    public var bodies: [BlobID]
    /// The row's content in its own coding; the register does not look inside.
    public var content: [UInt8]

    public init(
        change: ChangeID, base: Ballot, over: ChangeID?, isTombstone: Bool, bodies: [BlobID],
        content: [UInt8]
    ) {
        self.change = change
        self.base = base
        self.over = over
        self.isTombstone = isTombstone
        self.bodies = bodies
        self.content = content
    }
}

extension ByteWriter {
    public mutating func write(_ value: RegisterValue) {
        write(UInt8(1))
        let flags: UInt8 = (value.isTombstone ? 1 : 0) | (value.over == nil ? 0 : 2)
        write(flags)
        write(value.change)
        write(value.base)
        if let over = value.over { write(over) }
        write(number: UInt64(value.bodies.count))
        for body in value.bodies { write(body) }
        write(string: value.content)
    }
}

extension ByteReader {
    public mutating func readRegisterValue() throws(CodingError) -> RegisterValue {
        let version = try readByte()
        guard version == 1 else { throw .unknown(tag: UInt64(version)) }
        let flags = try readByte()
        guard flags < 4 else { throw .unknown(tag: UInt64(flags)) }
        let change = try readID(ChangeID.self)
        let base = try readBallot()
        let over = flags & 2 == 0 ? nil : try readID(ChangeID.self)
        let count = try readCount(max: Limits.versionsPerRowMax)
        var bodies: [BlobID] = []
        for _ in 0..<count { bodies.append(try readID()) }
        return RegisterValue(
            change: change, base: base, over: over, isTombstone: flags & 1 != 0, bodies: bodies,
            content: try readString(max: Limits.rowBytesMax))
    }
}
