/// (hybrid logical clock, node, boot), totally ordered. Never used for two values: the boot number
/// is raised durably at every start of a coordinator. register-protocol.md, Terms.
public struct Ballot: Hashable, Comparable, Sendable {
    public var clock: UInt64
    public var node: NodeID
    public var boot: UInt32

    public init(clock: UInt64, node: NodeID, boot: UInt32) {
        self.clock = clock
        self.node = node
        self.boot = boot
    }

    /// Below every ballot: nothing accepted, nothing promised.
    public static let none = Ballot(clock: 0, node: NodeID(0), boot: 0)

    /// Above every ballot.
    package static let highest = Ballot(clock: .max, node: NodeID(.max), boot: .max)

    public static func < (left: Ballot, right: Ballot) -> Bool {
        (left.clock, left.node.value, left.boot) < (right.clock, right.node.value, right.boot)
    }

    public static let encodedBytes = 20
}

extension ByteWriter {
    public mutating func write(_ ballot: Ballot) {
        write(fixed: ballot.clock)
        write(fixed: ballot.node.value)
        write(fixed: ballot.boot)
    }
}

extension ByteReader {
    public mutating func readBallot() throws(CodingError) -> Ballot {
        Ballot(clock: try readFixed(), node: NodeID(try readFixed()), boot: try readFixed())
    }
}
