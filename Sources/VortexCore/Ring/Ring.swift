/// Where things fall: the ring is the 2^64 values of a hash, cut into 2^bits equal arcs, the
/// partitions. Owners belong to partitions, never to single keys, so that a layout of 4,096 short
/// rows places any number of objects, and a node that joins takes over whole arcs.

/// The number of one arc, below `Ring.partitionCount`.
public struct Partition: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt16
    public init(_ value: UInt16) { self.value = value }
    public static func < (left: Partition, right: Partition) -> Bool { left.value < right.value }
    public var description: String { String(value) }
}

/// Fixed when the cluster is created.
public struct Ring: Hashable, Sendable {
    /// 0 to `Limits.partitionBitsMax`.
    public let bits: UInt8

    public init(bits: UInt8 = Limits.partitionBitsDefault) {
        precondition(bits <= Limits.partitionBitsMax)
        self.bits = bits
    }

    public var partitionCount: Int { 1 << Int(bits) }

    /// All partitions in order.
    public var partitions: some RandomAccessCollection<Partition> {
        (0..<partitionCount).lazy.map { Partition(UInt16($0)) }
    }

    /// The arc on which a hash lies: its highest bits.
    public func partition(of hash: UInt64) -> Partition {
        Partition(UInt16(truncatingIfNeeded: hash >> (64 - UInt64(bits))))
    }

    /// The arc of an object, its uploads, parts and pages, and of the bodies that live with them.
    public func partition(of row: RowKey) -> Partition { partition(of: row.ringHash) }

    /// The arc of a chunk of a spread body.
    public func partition(of chunk: ChunkID) -> Partition { partition(of: chunk.ringHash) }

    /// The arc of an open upload's rows, from the id alone: its tag is the high 16 bits of the hash
    /// of its object's row.
    public func partition(of upload: UploadID) -> Partition {
        partition(of: UInt64(upload.tag) << 48)
    }
}

extension ChunkID {
    /// Where the chunk falls on the ring.
    public var ringHash: UInt64 {
        var writer = ByteWriter(reserving: 20)
        writer.write(blob)
        writer.write(ordered: index)
        return XXH3.hash64(writer.bytes)
    }
}
