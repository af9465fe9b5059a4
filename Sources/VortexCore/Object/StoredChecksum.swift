/// The checksums that S3's clients send along with bodies and ask back.
public enum ChecksumAlgorithm: UInt8, Hashable, Sendable, CaseIterable {
    case crc32 = 1
    case crc32c = 2
    case crc64nvme = 3
    case sha1 = 4
    case sha256 = 5

    public var bytes: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Whether parts' checksums can be combined into that of the whole object.
    public var combines: Bool {
        switch self {
        case .crc32, .crc32c, .crc64nvme: true
        case .sha1, .sha256: false
        }
    }
}

/// What the checksum of an object made of parts is made over.
public enum ChecksumKind: UInt8, Hashable, Sendable {
    /// All bytes.
    case fullObject = 0
    /// The parts' checksums, joined.
    case composite = 1
}

/// The checksum that an upload promises for the object it will make.
public struct ChecksumRule: Hashable, Sendable {
    public var algorithm: ChecksumAlgorithm
    public var kind: ChecksumKind
    public init(_ algorithm: ChecksumAlgorithm, _ kind: ChecksumKind) {
        self.algorithm = algorithm
        self.kind = kind
    }
}

/// A checksum that is kept with a body: verified when the body came, told back from then on.
public struct StoredChecksum: Hashable, Sendable {
    public var algorithm: ChecksumAlgorithm
    public var kind: ChecksumKind
    public var value: [UInt8]
    /// Of an object made of parts, each part's own, in order, joined; else empty.
    public var parts: [UInt8]

    public init(
        _ algorithm: ChecksumAlgorithm, _ kind: ChecksumKind = .fullObject, value: [UInt8],
        parts: [UInt8] = []
    ) {
        precondition(value.count == algorithm.bytes)
        precondition(parts.count % algorithm.bytes == 0)
        self.algorithm = algorithm
        self.kind = kind
        self.value = value
        self.parts = parts
    }

    /// Of the part at `index`; nil where none is known.
    public func part(_ index: Int) -> [UInt8]? {
        let start = index * algorithm.bytes
        guard index >= 0, start + algorithm.bytes <= parts.count else { return nil }
        return Array(parts[start..<start + algorithm.bytes])
    }
}

extension ByteWriter {
    /// 0 where there is none; else algorithm, kind, value, the parts' own.
    public mutating func write(_ checksum: StoredChecksum?) {
        guard let checksum else { return write(UInt8(0)) }
        write(checksum.algorithm.rawValue)
        write(checksum.kind.rawValue)
        write(raw: checksum.value)
        write(string: checksum.parts)
    }
}

extension ByteReader {
    public mutating func readStoredChecksum() throws(CodingError) -> StoredChecksum? {
        let tag = try readByte()
        guard tag != 0 else { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: tag) else {
            throw .unknown(tag: UInt64(tag))
        }
        let number = try readByte()
        guard let kind = ChecksumKind(rawValue: number) else {
            throw .unknown(tag: UInt64(number))
        }
        var value: [UInt8] = []
        for _ in 0..<algorithm.bytes { value.append(try readByte()) }
        let parts = try readString(max: Limits.partsPerUploadMax * algorithm.bytes)
        guard parts.count % algorithm.bytes == 0 else { throw .outOfRange(UInt64(parts.count)) }
        return StoredChecksum(algorithm, kind, value: value, parts: parts)
    }
}
