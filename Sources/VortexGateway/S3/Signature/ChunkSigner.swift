internal import Crypto
internal import VortexCore

/// The signatures of an `aws-chunked` body: each chunk's is made over the one before it, so that no
/// chunk can be left out, repeated, moved, or taken from another upload. The first one before is
/// the signature of the request's header.
struct ChunkSigner: Sendable {
    private let key: SymmetricKey
    /// Time and scope, each with its newline.
    private let context: String
    /// In hex, as it is signed.
    private var previous: String
    private var hash = SHA256()
    private var claimed: [UInt8] = []

    private static let emptyHash = Hex.string(Array(SHA256.hash(data: [UInt8]())))

    init(_ claim: SignatureClaim, key: SymmetricKey) {
        self.key = key
        context = claim.time.text + "\n" + claim.scope.text + "\n"
        previous = Hex.string(claim.signature)
    }

    /// A chunk's header came, with its signature.
    mutating func begin(_ signature: [UInt8]) {
        claimed = signature
        hash = SHA256()
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// All bytes of the chunk came; false where it is not what was signed, here.
    mutating func end() -> Bool {
        matches(
            "AWS4-HMAC-SHA256-PAYLOAD\n" + context + previous + "\n" + Self.emptyHash + "\n"
                + Hex.string(Array(hash.finalize())), claimed)
    }

    /// The trailers, each `name:value` and a newline.
    mutating func endTrailers(_ lines: [UInt8], _ signature: [UInt8]) -> Bool {
        matches(
            "AWS4-HMAC-SHA256-TRAILER\n" + context + previous + "\n"
                + Hex.string(Array(SHA256.hash(data: lines))), signature)
    }

    private mutating func matches(_ text: String, _ signature: [UInt8]) -> Bool {
        let code = Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        previous = Hex.string(code)
        return ConstantTime.equal(code, signature)
    }
}
