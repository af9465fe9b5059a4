internal import Crypto
internal import VortexCore

/// How a request's body is framed, and what has to be true of it.
struct BodyPlan: Sendable {
    /// `aws-chunked`; nil for a body that is as it comes.
    var decoder: ChunkedDecoder?
    /// Of the content; nil where nobody says.
    var length: UInt64?
    var md5: [UInt8]?
    var sha256: [UInt8]?
    var checksum: ClaimedChecksum?
    /// Of what is computed all the same where nothing is promised.
    var computed: ChecksumAlgorithm?

    /// What the checksum in a request's header is of.
    enum Claim: Sendable {
        case body
        /// The object that the request makes of others' bodies.
        case object
    }

    init(
        _ head: RequestHead, expectedBytes: UInt64?, _ signed: SignedHead?, claim: Claim = .body
    ) throws(S3Error) {
        let headers = head.headers
        let payload: PayloadKind
        if let signed {
            payload = signed.claim.payload
        } else {
            payload = try Self.unsignedPayload(headers)
        }
        let trailers = try Self.trailers(headers, payload)
        checksum =
            claim == .body ? try ClaimedChecksum.find(headers, trailers: trailers) : nil
        length = expectedBytes
        if case .sha256(let digest) = payload { sha256 = digest }
        let lines = headers.all("content-md5")
        if let line = lines.first {
            guard lines.count == 1, let value = Base64.decode(line.utf8), value.count == 16 else {
                throw S3Error(.invalidDigest)
            }
            md5 = value
        }
        guard payload.isChunked else { return }
        guard let text = headers["x-amz-decoded-content-length"] else {
            throw S3Error(.missingContentLength)
        }
        guard let decoded = UInt64(text), decoded <= Limits.objectBytesMax else {
            throw .argument("x-amz-decoded-content-length", text, "Not a length.")
        }
        length = decoded
        var signer: ChunkSigner?
        var signsTrailers = false
        if case .signedChunks(let hasTrailer) = payload, let signed {
            signer = ChunkSigner(signed.claim, key: signed.key)
            signsTrailers = hasTrailer
        }
        decoder = ChunkedDecoder(
            length: decoded, signer: signer, signsTrailers: signsTrailers, trailerNames: trailers)
    }

    /// Of a form's file: what its fields promise.
    init(fields: HeaderFields) throws(S3Error) {
        checksum = try ClaimedChecksum.find(fields, trailers: [])
        guard let line = fields["content-md5"] else { return }
        guard let value = Base64.decode(line.utf8), value.count == 16 else {
            throw S3Error(.invalidDigest)
        }
        md5 = value
    }

    /// A request without a signature can still have the framing, and cannot have signed chunks.
    private static func unsignedPayload(_ headers: HeaderFields) throws(S3Error) -> PayloadKind {
        guard let text = headers["x-amz-content-sha256"] else { return .unsigned }
        let kind: PayloadKind
        do throws(SignatureError) { kind = try PayloadKind(text) } catch {
            throw S3Error(signature: error)
        }
        if case .signedChunks = kind { throw S3Error(.accessDenied) }
        return kind
    }

    private static func trailers(
        _ headers: HeaderFields, _ payload: PayloadKind
    ) throws(S3Error) -> [String] {
        let names = headers.all("x-amz-trailer").flatMap { $0.split(separator: ",") }
            .map { String(decoding: SignatureCheck.trimmed(String($0)), as: UTF8.self) }
            .map { $0.lowercased() }
        guard !names.isEmpty else { return [] }
        guard names.count <= ChunkedDecoder.trailerNamesMax, Set(names).count == names.count
        else { throw S3Error(.malformedTrailer) }
        switch payload {
        case .signedChunks(hasTrailer: true), .unsignedChunks: return names
        default:
            throw S3Error(
                .invalidRequest, "x-amz-trailer without a payload that has trailers.")
        }
    }

    /// What has to be computed over the content. `wantsTag`: it becomes an object, whose ETag is
    /// its MD5.
    func digests(wantsTag: Bool) -> BodyDigests {
        BodyDigests(
            md5: wantsTag || md5 != nil ? MD5Digest() : nil,
            sha256: sha256 == nil ? nil : SHA256Digest(),
            checksum: (checksum?.algorithm ?? computed).map { StreamChecksum($0) })
    }
}

/// The head of a request whose signature is right, and the key that signed it.
struct SignedHead: Sendable {
    var claim: SignatureClaim
    var key: SymmetricKey
}
