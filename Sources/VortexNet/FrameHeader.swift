internal import NIOCore
internal import VortexCore

/// The fixed head of every frame between nodes, and its only encoder and decoder. All numbers are
/// little-endian.
///
///      0        4         6      7      8           16           20
///     +--------+---------+------+------+-----------+------------+----------+
///     | "VxN\n"| version | type | kind | request   | generation | head len |
///     +--------+---------+------+------+-----------+------------+----------+
///     24            32         36         40      44          48
///     +------------+----------+----------+-------+-----------+
///     | epoch      | bulk len | head CRC | flags | header CRC|  head ...  bulk ...
///     +------------+----------+----------+-------+-----------+
///
/// Magic and version stand where they are in every version to come. The bulk has no checksum here:
/// TLS guards it on the way, and its chunk's own checksums guard it from end to end.
struct FrameHeader: Equatable, Sendable {
    static let bytes = 48
    static let magic: UInt32 = 0x0A4E_7856
    static let version: UInt16 = 2
    /// "VxNh": zeros do not verify.
    static let headerSeed: UInt32 = 0x684E_7856
    /// "VxNd".
    static let headSeed: UInt32 = 0x644E_7856
    /// There is a bulk, if only of no bytes.
    private static let hasBulkFlag: UInt32 = 1

    enum FrameType: UInt8, Sendable {
        case hello = 1
        case question = 2
        case answer = 3
    }

    var version = FrameHeader.version
    var type: FrameType
    var kind: UInt8 = 0
    var request: UInt64 = 0
    var epoch = Epoch(number: 0)
    var headBytes: Int
    var headChecksum: UInt32
    /// Nil where the frame has no bulk at all.
    var bulkBytes: Int?

    func write(to buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        buffer.writeInteger(Self.magic, endianness: .little)
        buffer.writeInteger(version, endianness: .little)
        buffer.writeInteger(type.rawValue)
        buffer.writeInteger(kind)
        buffer.writeInteger(request, endianness: .little)
        buffer.writeInteger(epoch.generation, endianness: .little)
        buffer.writeInteger(UInt32(headBytes), endianness: .little)
        buffer.writeInteger(epoch.number, endianness: .little)
        buffer.writeInteger(UInt32(bulkBytes ?? 0), endianness: .little)
        buffer.writeInteger(headChecksum, endianness: .little)
        buffer.writeInteger(bulkBytes == nil ? 0 : Self.hasBulkFlag, endianness: .little)
        let checksum = buffer.withUnsafeReadableBytes { bytes in
            let header = bytes[(start - buffer.readerIndex)...]
            return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: header), seed: Self.headerSeed)
        }
        buffer.writeInteger(checksum, endianness: .little)
    }

    /// Decodes `bytes`, `FrameHeader.bytes` of them. `version` is the one that this node speaks.
    init(_ bytes: UnsafeRawBufferPointer, version spoken: UInt16) throws(FrameError) {
        var reader = ByteReader(bytes)
        do {
            guard try reader.readFixed(UInt32.self) == Self.magic else { throw FrameError.notOurs }
            version = try reader.readFixed()
            guard version == spoken else { throw FrameError.version(version) }
            let type = try reader.readByte()
            kind = try reader.readByte()
            request = try reader.readFixed()
            let generation: UInt32 = try reader.readFixed()
            let headBytes: UInt32 = try reader.readFixed()
            epoch = Epoch(generation: generation, number: try reader.readFixed())
            let bulkBytes: UInt32 = try reader.readFixed()
            headChecksum = try reader.readFixed()
            let flags: UInt32 = try reader.readFixed()
            let covered = UnsafeRawBufferPointer(rebasing: bytes[..<reader.offset])
            let checksum: UInt32 = try reader.readFixed()
            guard checksum == CRC32C.checksum(covered, seed: Self.headerSeed) else {
                throw FrameError.headerChecksum
            }
            guard let type = FrameType(rawValue: type) else { throw FrameError.type(type) }
            self.type = type
            guard flags & ~Self.hasBulkFlag == 0, flags != 0 || bulkBytes == 0 else {
                throw FrameError.flags(flags)
            }
            guard headBytes <= UInt32(Limits.wireHeadBytesMax) else {
                throw FrameError.headTooLong(headBytes)
            }
            guard bulkBytes <= UInt32(Limits.chunkBytes) else {
                throw FrameError.bulkTooLong(bulkBytes)
            }
            self.headBytes = Int(headBytes)
            self.bulkBytes = flags == 0 ? nil : Int(bulkBytes)
        } catch let error as FrameError {
            throw error
        } catch {
            throw .truncated
        }
    }

    init(
        type: FrameType, kind: UInt8 = 0, request: UInt64 = 0, epoch: Epoch = Epoch(number: 0),
        head: [UInt8], bulkBytes: Int? = nil, version: UInt16 = FrameHeader.version
    ) {
        precondition(head.count <= Limits.wireHeadBytesMax, "a head of \(head.count) bytes")
        precondition((bulkBytes ?? 0) <= Limits.chunkBytes, "a bulk beyond one chunk")
        self.version = version
        self.type = type
        self.kind = kind
        self.request = request
        self.epoch = epoch
        headBytes = head.count
        headChecksum = CRC32C.checksum(head, seed: Self.headSeed)
        self.bulkBytes = bulkBytes
    }
}

/// Bytes of a peer that are no frame of ours. All of them close the connection.
enum FrameError: Error, Equatable, Sendable {
    case notOurs
    case version(UInt16)
    case type(UInt8)
    case flags(UInt32)
    case headerChecksum
    case headChecksum
    case headTooLong(UInt32)
    case bulkTooLong(UInt32)
    case truncated
    /// A frame that is whole, at a moment or in a direction where it has no place.
    case unexpected(FrameHeader.FrameType)
}
