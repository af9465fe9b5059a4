internal import VortexCore

/// What `x-amz-content-sha256` says about the body, and so how its bytes are framed and checked.
enum PayloadKind: Hashable, Sendable {
    /// The body's SHA-256, 32 bytes.
    case sha256([UInt8])
    case unsigned
    /// `aws-chunked`, every chunk signed; with trailers, which are signed too.
    case signedChunks(hasTrailer: Bool)
    /// `aws-chunked`, not signed, with trailers.
    case unsignedChunks

    init(_ text: String) throws(SignatureError) {
        switch text {
        case "UNSIGNED-PAYLOAD": self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .signedChunks(hasTrailer: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
            self = .signedChunks(hasTrailer: true)
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .unsignedChunks
        case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER":
            throw .unsupportedPayload
        default:
            guard let digest = Hex.bytes(text.utf8), digest.count == 32 else {
                throw .malformedPayloadHash
            }
            self = .sha256(digest)
        }
    }

    var isChunked: Bool {
        switch self {
        case .signedChunks, .unsignedChunks: true
        case .sha256, .unsigned: false
        }
    }
}

extension Hex {
    /// The bytes that an even number of digits of either case spell.
    static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for character in text {
            guard let digit = digit(character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }
}
