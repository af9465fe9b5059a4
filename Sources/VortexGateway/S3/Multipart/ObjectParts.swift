internal import VortexCluster
internal import VortexCore

/// The parts that an object was made of, as they can be read one by one.
extension ObjectVersion {
    /// Whether its tag is one of several parts' digests.
    var isInParts: Bool { tag.parts > 0 && Int(tag.parts) == partCount }

    /// 1 for an object that was made in one piece.
    var partCount: Int {
        if case .spread(let extents) = body { extents.count } else { 1 }
    }

    /// The bytes of a part; nil where there are not as many.
    func bytes(ofPart index: Int) -> Range<UInt64>? {
        guard index >= 0, index < partCount else { return nil }
        guard case .spread(let extents) = body else { return 0..<size }
        let start = extents[..<index].reduce(0) { $0 + $1.length }
        return start..<start + extents[index].length
    }
}

/// `partNumber` on GetObject and HeadObject.
struct AskedPart: Sendable, Hashable {
    /// From 0.
    var index: Int
    var bytes: Range<UInt64>

    /// nil where the part has no bytes: no header can tell of none.
    var contentRange: Range<UInt64>? { bytes.isEmpty ? nil : bytes }
}

extension S3Handler {
    static func part(
        of version: ObjectVersion, _ call: S3Call
    ) throws(S3Error) -> AskedPart? {
        guard call.target.has("partNumber") else { return nil }
        let number = try call.partNumber()
        guard call.headers["range"] == nil else {
            throw S3Error(
                .invalidRequest,
                "Cannot specify both Range header and partNumber query parameter")
        }
        let index = Int(number) - 1
        guard let bytes = version.bytes(ofPart: index) else {
            throw S3Error(
                .invalidPartNumber, nil,
                [
                    .init(name: .partNumberRequested, value: String(number)),
                    .init(name: .actualPartCount, value: String(version.partCount)),
                ])
        }
        return AskedPart(index: index, bytes: bytes)
    }

    /// With `x-amz-checksum-mode`: of what is sent, where that is known. Clients verify it.
    static func checksumHeaders(
        of version: ObjectVersion, _ headers: HeaderFields, _ part: AskedPart?,
        _ range: Range<UInt64>?
    ) -> [(String, String)] {
        guard headers["x-amz-checksum-mode"]?.uppercased() == "ENABLED",
            let checksum = version.checksum
        else { return [] }
        if range == nil || range == 0..<version.size { return checksum.headers(of: version.tag) }
        guard let part, let value = checksum.part(part.index) else { return [] }
        return StoredChecksum(checksum.algorithm, checksum.kind, value: value).partHeaders
    }
}

extension StoredChecksum {
    fileprivate var partHeaders: [(String, String)] {
        [(algorithm.header, Base64.encode(value)), ("x-amz-checksum-type", kind.name)]
    }
}
