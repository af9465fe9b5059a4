internal import VortexCore

/// The checksums that S3's clients send along and ask back, each in a field of its own:
/// `x-amz-checksum-crc32c: sOO8/Q==`.
extension ChecksumAlgorithm {
    /// As `x-amz-checksum-algorithm` spells it.
    var name: String {
        switch self {
        case .crc32: "CRC32"
        case .crc32c: "CRC32C"
        case .crc64nvme: "CRC64NVME"
        case .sha1: "SHA1"
        case .sha256: "SHA256"
        }
    }

    /// By its name, in whatever case.
    init?(name: String) {
        let upper = name.uppercased()
        guard let found = Self.allCases.first(where: { $0.name == upper }) else { return nil }
        self = found
    }

    var header: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    /// The name of the element in XML.
    var element: StaticString {
        switch self {
        case .crc32: "ChecksumCRC32"
        case .crc32c: "ChecksumCRC32C"
        case .crc64nvme: "ChecksumCRC64NVME"
        case .sha1: "ChecksumSHA1"
        case .sha256: "ChecksumSHA256"
        }
    }

    /// By the name of its field, in lower case.
    init?(header: some StringProtocol) {
        guard let found = Self.allCases.first(where: { $0.header == header }) else { return nil }
        self = found
    }

    /// The checksum of two strings from theirs and the second one's length. Only where `combines`.
    func combined(_ first: [UInt8], _ second: [UInt8], length: UInt64) -> [UInt8] {
        precondition(combines && first.count == bytes && second.count == bytes)
        let (left, right) = (Self.number(first), Self.number(second))
        let value: UInt64
        switch self {
        case .crc32, .crc32c:
            let polynomial =
                self == .crc32 ? PlainCRC.crc32Polynomial : PlainCRC.crc32cPolynomial
            value = UInt64(
                CRCCombination(polynomial: polynomial)
                    .combined(UInt32(left), UInt32(right), length: length))
        case .crc64nvme, .sha1, .sha256:
            value = CRCCombination(polynomial: CRC64NVME.polynomial)
                .combined(left, right, length: length)
        }
        return Self.bigEndian(value, bytes: bytes)
    }

    private static func number(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    fileprivate static func bigEndian(_ value: UInt64, bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (bytes - 1 - $0))) }
    }
}

/// A checksum over bytes that come in pieces.
struct StreamChecksum: Sendable {
    let algorithm: ChecksumAlgorithm
    private var number: UInt64 = 0
    private var sha1: SHA1Digest?
    private var sha256: SHA256Digest?

    init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        if algorithm == .sha1 { sha1 = SHA1Digest() }
        if algorithm == .sha256 { sha256 = SHA256Digest() }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch algorithm {
        case .crc32: number = UInt64(PlainCRC.crc32(UInt32(number), bytes))
        case .crc32c: number = UInt64(PlainCRC.crc32c(UInt32(number), bytes))
        case .crc64nvme: number = CRC64NVME.update(number, bytes)
        case .sha1: sha1?.update(bytes)
        case .sha256: sha256?.update(bytes)
        }
    }

    func value() -> [UInt8] {
        switch algorithm {
        case .crc32, .crc32c, .crc64nvme:
            ChecksumAlgorithm.bigEndian(number, bytes: algorithm.bytes)
        case .sha1: sha1?.finish() ?? []
        case .sha256: sha256?.finish() ?? []
        }
    }
}
