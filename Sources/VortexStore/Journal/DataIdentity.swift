public import VortexCore

/// Whose data directory this is, in the file `identity`: written once, before anything else.
public struct DataIdentity: Hashable, Sendable {
    public static let fileName = "identity"
    static let magic: UInt64 = 0x3144_4958_4554_5256  // "VRTEXID1"
    static let formatVersion: UInt32 = 1

    public var cluster: ClusterID
    public var node: NodeID
    public var segmentBytes: UInt64

    public init(cluster: ClusterID, node: NodeID, segmentBytes: UInt64) {
        self.cluster = cluster
        self.node = node
        self.segmentBytes = segmentBytes
    }

    /// Large enough that segments are few, small enough that a small disk has sixteen.
    static func segmentBytes(forDiskOf totalBytes: UInt64) -> UInt64 {
        let wanted = totalBytes / 16
        var size: UInt64 = 8 << 20
        while size * 2 <= wanted, size < 1 << 30 { size *= 2 }
        return size
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: 64)
        writer.write(fixed: Self.magic)
        writer.write(fixed: Self.formatVersion)
        writer.write(cluster)
        writer.write(fixed: node.value)
        writer.write(fixed: segmentBytes)
        writer.write(fixed: CRC32C.checksum(writer.bytes, seed: Self.formatVersion))
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(StoreError) -> DataIdentity {
        do throws(CodingError) {
            return try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                guard try reader.readFixed(UInt64.self) == magic else { throw .notText }
                let version = try reader.readFixed(UInt32.self)
                guard version == formatVersion else { throw .unknown(tag: UInt64(version)) }
                let identity = DataIdentity(
                    cluster: try reader.readID(), node: NodeID(try reader.readFixed()),
                    segmentBytes: try reader.readFixed())
                let expected = CRC32C.checksum(Array(bytes[..<reader.offset]), seed: version)
                guard try reader.readFixed(UInt32.self) == expected,
                    (8 << 20...1 << 30).contains(identity.segmentBytes)
                else { throw .notText }
                return identity
            }
        } catch .unknown(let version) {
            throw .refused(
                .formatTooNew(found: UInt32(truncatingIfNeeded: version), supported: formatVersion))
        } catch {
            throw .refused(.foreignFormat)
        }
    }

    /// The directory's identity; nil where it is empty. A directory with segments and no identity,
    /// or with files of something else in its place, is not ours.
    static func read(_ disk: any Disk) async throws(StoreError) -> DataIdentity? {
        let names = try await onDisk { () async throws(DiskError) in try await disk.list() }
        guard names.contains(fileName) else {
            guard !names.contains(where: { SegmentHeader.number(in: $0) != nil }) else {
                throw .refused(.foreignFormat)
            }
            return nil
        }
        let file = try await onDisk { () async throws(DiskError) in
            try await disk.open(fileName)
        }
        return try decode(try await readBytes(file, at: 0, count: 256))
    }

    func create(on disk: any Disk) async throws(StoreError) {
        let temporary = "identity.new"
        let names = try await onDisk { () async throws(DiskError) in try await disk.list() }
        if names.contains(temporary) {
            try await onDisk { () async throws(DiskError) in try await disk.remove(temporary) }
        }
        let file = try await onDisk { () async throws(DiskError) in
            try await disk.create(temporary, allocatedBytes: 0)
        }
        try await writeAll(encoded(), to: file, at: 0)
        try await onDisk { () async throws(DiskError) in
            try await file.sync()
            try await disk.rename(temporary, to: Self.fileName)
            try await disk.syncDirectory()
        }
    }
}
