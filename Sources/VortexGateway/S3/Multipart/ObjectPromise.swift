internal import VortexCluster
internal import VortexCore

/// What CompleteMultipartUpload promises about the whole object in its headers.
struct ObjectPromise: Sendable {
    var size: UInt64?
    var kind: ChecksumKind?
    var checksum: (algorithm: ChecksumAlgorithm, text: String)?

    init(_ headers: HeaderFields) throws(S3Error) {
        if let text = headers["x-amz-mp-object-size"] {
            guard let value = UInt64(text) else {
                throw S3Error(
                    .invalidRequest, "Value for x-amz-mp-object-size header is invalid.")
            }
            size = value
        }
        if let text = headers["x-amz-checksum-type"] {
            guard let value = ChecksumKind(name: text) else {
                throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
            }
            kind = value
        }
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = headers[algorithm.header] else { continue }
            guard checksum == nil else {
                throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header.")
            }
            checksum = (algorithm, text)
        }
    }

    /// The object's checksum, as the upload was created for it. Without a word about it then, what
    /// is promised now is verified all the same.
    func verified(
        _ rule: ChecksumRule?, _ parts: [StoredPart]
    ) throws(S3Error) -> StoredChecksum? {
        let bytes = parts.reduce(0) { $0 + $1.extent.length }
        if let size, size != bytes {
            throw S3Error(
                .invalidRequest,
                "The provided 'x-amz-mp-object-size' header value \(size) does not match what was "
                    + "computed: \(bytes)")
        }
        if let kind, let rule, kind != rule.kind {
            throw S3Error(
                .invalidRequest,
                "The upload was created using the \(rule.kind.name) checksum mode. The complete "
                    + "request must use the same checksum mode.")
        }
        let lengths = parts.map { ($0.checksum, $0.extent.length) }
        let made = rule?.combined(lengths)
        guard let checksum else { return made }
        let fits = rule == nil || rule?.algorithm == checksum.algorithm
        let compared =
            rule == nil && checksum.algorithm.combines
            ? ChecksumRule(checksum.algorithm, .fullObject).combined(lengths) : made
        guard fits, let compared else {
            throw S3Error(
                .invalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: "
                    + "\(rule?.algorithm.name.lowercased() ?? "null"), actual checksum Type: "
                    + checksum.algorithm.name.lowercased())
        }
        let tag = EntityTag(digest: Digest128(high: 0, low: 0), parts: UInt32(parts.count))
        guard compared.text(of: tag) == checksum.text else {
            throw S3Error(
                .badDigest,
                "The \(checksum.algorithm.name) you specified did not match the calculated "
                    + "checksum.")
        }
        return compared
    }
}
