/// The ids of the store are types, so that a blob's id never stands where an upload's is expected.
/// All are 128 bits; the time-ordered ones begin with 48 bits of milliseconds, so that ids made
/// together lie together in the index.
public struct ID<Kind>: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 48 bits of milliseconds since 1970, then 16 bits chosen by the caller, then 64 random bits.
    public init(milliseconds: UInt64, tag: UInt16, random: UInt64) {
        high = milliseconds << 16 | UInt64(tag)
        low = random
    }

    public static var zero: ID { ID(high: 0, low: 0) }

    public var milliseconds: UInt64 { high >> 16 }
    public var tag: UInt16 { UInt16(truncatingIfNeeded: high) }

    public static func < (left: ID, right: ID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension ID: CustomStringConvertible {
    /// 32 lower-case hex digits.
    public var description: String { Hex.string(high) + Hex.string(low) }

    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32,
            let high = Hex.value(text.utf8.prefix(16)), let low = Hex.value(text.utf8.suffix(16))
        else { return nil }
        self.init(high: high, low: low)
    }
}

public enum ClusterKind {}
public enum BucketKind {}
public enum BlobKind {}
public enum UploadKind {}
public enum ChangeKind {}

/// The cluster that a data directory belongs to; random.
public typealias ClusterID = ID<ClusterKind>
/// Never reused, so that an old object cannot show up in a new bucket of the same name. Zero is the
/// system's own bucket, which holds the buckets' rows under their names.
public typealias BucketID = ID<BucketKind>

extension ID<BucketKind> {
    /// The system's own: no user's bucket has such an id.
    public var isReserved: Bool { high == 0 }
}

/// The bytes of one upload or one part; time-ordered, never reused.
public typealias BlobID = ID<BlobKind>
/// An open or multipart upload. Its tag is the high 16 bits of the ring hash of its object's key,
/// so that the partition is known from the id alone.
public typealias UploadID = ID<UploadKind>
/// One change of a register; also the version id of the object version that the change wrote.
public typealias ChangeID = ID<ChangeKind>

/// An identity made once with its data directory. A node that lost its disk is a new node.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (left: NodeID, right: NodeID) -> Bool { left.value < right.value }
    /// 16 lower-case hex digits.
    public var description: String { Hex.string(value) }
}

/// One chunk of a blob.
public struct ChunkID: Hashable, Comparable, Sendable {
    public let blob: BlobID
    public let index: UInt32
    public init(blob: BlobID, index: UInt32) {
        self.blob = blob
        self.index = index
    }
    public static func < (left: ChunkID, right: ChunkID) -> Bool {
        (left.blob, left.index) < (right.blob, right.index)
    }
}

/// The version of a partition's owners: the number of the layout in which they last changed, under
/// the generation of a recovery that forced the council (0 until one ever happens).
public struct Epoch: Hashable, Comparable, Sendable {
    public let generation: UInt32
    public let number: UInt64
    public init(generation: UInt32 = 0, number: UInt64) {
        self.generation = generation
        self.number = number
    }
    public static func < (left: Epoch, right: Epoch) -> Bool {
        (left.generation, left.number) < (right.generation, right.number)
    }
}
