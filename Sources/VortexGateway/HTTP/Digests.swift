internal import Crypto
public import VortexCluster

/// The digests that a request promises for its body: Content-MD5 (RFC 1864), and sha-256 in
/// Content-Digest and Repr-Digest (RFC 9530). Content and representation are the same bytes in a
/// PUT without Content-Range, so one SHA-256 serves both. Other algorithms are ignored, as the RFC
/// asks.
public struct ExpectedDigests: Sendable, Hashable {
    public var md5: [UInt8]?
    /// Content-Digest's and Repr-Digest's; two where they differ, and then no body matches.
    public var sha256: [[UInt8]] = []

    public init() {}

    public init(
        contentMD5: [String], contentDigest: [String], reprDigest: [String]
    ) throws(RequestError) {
        if let line = contentMD5.first {
            guard contentMD5.count == 1 else { throw .duplicate(.contentMD5) }
            guard let value = Base64.decode(line.utf8), value.count == 16 else {
                throw .malformed(.contentMD5)
            }
            md5 = value
        }
        try add(contentDigest, .contentDigest)
        try add(reprDigest, .reprDigest)
    }

    private mutating func add(_ lines: [String], _ part: RequestPart) throws(RequestError) {
        guard !lines.isEmpty else { return }
        guard let members = StructuredFields.dictionary(lines) else { throw .malformed(part) }
        for member in members where member.key.elementsEqual("sha-256".utf8) {
            guard case .bytes(let value) = member.value, value.count == 32 else {
                throw .malformed(part)
            }
            if !sha256.contains(value) { sha256.append(value) }
        }
    }

    public var isEmpty: Bool { md5 == nil && sha256.isEmpty }
}

/// Computes over the arriving body what `ExpectedDigests` asks for, and nothing where it asks for
/// nothing.
public struct BodyDigest: Sendable {
    private let expected: ExpectedDigests
    private var md5: Insecure.MD5?
    private var sha256: SHA256?

    public init(expected: ExpectedDigests) {
        self.expected = expected
        if expected.md5 != nil { md5 = Insecure.MD5() }
        if !expected.sha256.isEmpty { sha256 = SHA256() }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        md5?.update(bufferPointer: bytes)
        sha256?.update(bufferPointer: bytes)
    }

    /// Whether all bytes so far have the promised digests.
    public func matches() -> Bool {
        if let md5, let promised = expected.md5 {
            guard md5.finalize().elementsEqual(promised) else { return false }
        }
        if let sha256 {
            let actual = sha256.finalize()
            for promised in expected.sha256 {
                guard actual.elementsEqual(promised) else { return false }
            }
        }
        return true
    }
}

/// SHA-256 for `ClusterOptions.makeSHA256`: the cluster itself knows no cryptographic library.
public struct SHA256Digest: StreamDigest, Sendable {
    private var state = SHA256()

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state.update(bufferPointer: bytes)
    }
    public func finish() -> [UInt8] { Array(state.finalize()) }
}

/// SHA-1 for the checksum of that name; proof of nothing.
struct SHA1Digest: StreamDigest, Sendable {
    private var state = Insecure.SHA1()

    mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bufferPointer: bytes) }
    func finish() -> [UInt8] { Array(state.finalize()) }
}

/// MD5 for ETags; proof of nothing either.
struct MD5Digest: StreamDigest, Sendable {
    private var state = Insecure.MD5()

    mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bufferPointer: bytes) }
    func finish() -> [UInt8] { Array(state.finalize()) }
}
