/// What a register holds: the content, and of the change that wrote it what a retry needs to know.
/// Writing a value back keeps all of it. register-protocol.md, Terms.
public struct RegisterValue: Hashable, Sendable {
    /// The change that wrote this; the version id.
    public var change: ChangeID
    /// The highest accepted ballot that the change's phase 1 saw; where nothing was accepted, the
    /// highest horizon.
    public var base: Ballot
    /// The changes that this one was made on: the one that it replaced, then the one that that one
    /// replaced, and so on; at most `overMax`. Who retries finds in it whether its change took
    /// effect even where several others have followed.
    public var over: [Past]
    /// As many as a row that is fought over may see while one change is tried again.
    public static let overMax = 64
    /// Nobody tries a change again for longer. Of what is older only the change that is replaced is
    /// kept.
    public static let overMilliseconds: UInt64 = 60_000

    /// A change that another one has followed.
    public struct Past: Hashable, Sendable {
        public var change: ChangeID
        public var base: Ballot
        public init(change: ChangeID, base: Ballot) {
            self.change = change
            self.base = base
        }
    }

    /// This change and those before it.
    public var past: [Past] { [Past(change: change, base: base)] + over }

    /// What a change made on this value, at a ballot with this clock, has as its `over`.
    public func past(at clock: UInt64) -> [Past] {
        let now = HybridClock.milliseconds(of: clock)
        let past = past.prefix(Self.overMax)
        // The base of a change is the ballot at which the one before it was accepted.
        let old = past.dropLast().firstIndex {
            HybridClock.milliseconds(of: $0.base.clock) + Self.overMilliseconds < now
        }
        return Array(past.prefix((old ?? past.endIndex - 1) + 1))
    }
    /// The object is gone and nothing else is owed; such a row may be purged after a grace period.
    public var isTombstone: Bool
    /// Bodies that live with the row: an owner accepts the value only when it has every one.
    public var bodies: [BlobID]
    /// The row's content in its own coding; the register does not look inside.
    public var content: [UInt8]

    public init(
        change: ChangeID, base: Ballot, over: [Past], isTombstone: Bool, bodies: [BlobID],
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
        write(RegisterValue.format)
        let flags = UInt8(value.over.count) << 1 | (value.isTombstone ? 1 : 0)
        write(flags)
        write(value.change)
        write(value.base)
        for past in value.over {
            write(past.change)
            write(past.base)
        }
        write(number: UInt64(value.bodies.count))
        for body in value.bodies { write(body) }
        write(string: value.content)
    }
}

extension RegisterValue {
    fileprivate static let format: UInt8 = 2
    /// Of values with at most one past change, without its base.
    fileprivate static let formatWithoutBases: UInt8 = 1
}

extension ByteReader {
    /// Format and flags: whether past changes have their bases, and the flags.
    mutating func readRegisterValueStart() throws(CodingError) -> (hasBases: Bool, flags: UInt8) {
        let version = try readByte()
        guard version == RegisterValue.format || version == RegisterValue.formatWithoutBases else {
            throw .unknown(tag: UInt64(version))
        }
        let flags = try readByte()
        guard flags >> 1 <= RegisterValue.overMax else { throw .unknown(tag: UInt64(flags)) }
        return (version == RegisterValue.format, flags)
    }

    public mutating func readRegisterValue() throws(CodingError) -> RegisterValue {
        let (hasBases, flags) = try readRegisterValueStart()
        let change = try readID(ChangeID.self)
        let base = try readBallot()
        var over: [RegisterValue.Past] = []
        for _ in 0..<flags >> 1 {
            // Of a value without bases nothing can be concluded but that its change took effect.
            let change = try readID(ChangeID.self)
            over.append(.init(change: change, base: hasBases ? try readBallot() : .highest))
        }
        let count = try readCount(max: Limits.versionsPerRowMax)
        var bodies: [BlobID] = []
        for _ in 0..<count { bodies.append(try readID()) }
        return RegisterValue(
            change: change, base: base, over: over, isTombstone: flags & 1 != 0, bodies: bodies,
            content: try readString(max: Limits.rowBytesMax))
    }
}
