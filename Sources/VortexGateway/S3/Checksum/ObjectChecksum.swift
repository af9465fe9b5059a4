internal import VortexCore

/// A kept checksum as S3 tells it.
extension StoredChecksum {
    /// A composite one says of how many parts it is made. (What a completed upload remembers of it
    /// has the parts' own no more: the number comes from the version's tag.)
    func text(of version: EntityTag) -> String {
        let encoded = Base64.encode(value)
        return kind == .composite ? "\(encoded)-\(version.parts)" : encoded
    }

    func headers(of version: EntityTag) -> [(String, String)] {
        [(algorithm.header, text(of: version)), ("x-amz-checksum-type", kind.name)]
    }
}

extension ChecksumKind {
    var name: String {
        switch self {
        case .fullObject: "FULL_OBJECT"
        case .composite: "COMPOSITE"
        }
    }

    init?(name: String) {
        switch name {
        case "FULL_OBJECT": self = .fullObject
        case "COMPOSITE": self = .composite
        default: return nil
        }
    }
}

extension ChecksumRule {
    /// What CreateMultipartUpload promises. Without a type, each algorithm has its own.
    static func find(_ headers: HeaderFields) throws(S3Error) -> ChecksumRule? {
        let type = headers["x-amz-checksum-type"]
        guard let name = headers["x-amz-checksum-algorithm"] else {
            guard type == nil else {
                throw S3Error(
                    .invalidRequest,
                    "The x-amz-checksum-type header can only be used with the "
                        + "x-amz-checksum-algorithm header.")
            }
            return nil
        }
        guard let algorithm = ChecksumAlgorithm(name: name) else {
            throw S3Error(.invalidRequest, "Checksum algorithm provided is unsupported.")
        }
        guard let type else {
            return ChecksumRule(algorithm, algorithm == .crc64nvme ? .fullObject : .composite)
        }
        guard let kind = ChecksumKind(name: type) else {
            throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
        }
        let isPossible = kind == .composite ? algorithm != .crc64nvme : algorithm.combines
        guard isPossible else {
            throw S3Error(
                .invalidRequest,
                "The \(type) checksum type cannot be used with the \(algorithm.name.lowercased()) "
                    + "checksum algorithm.")
        }
        return ChecksumRule(algorithm, kind)
    }

    var headers: [(String, String)] {
        [("x-amz-checksum-algorithm", algorithm.name), ("x-amz-checksum-type", kind.name)]
    }

    /// Of parts in order, each with its length; nil where one lacks it.
    func combined(_ parts: [(checksum: StoredChecksum?, length: UInt64)]) -> StoredChecksum? {
        var joined: [UInt8] = []
        var whole: [UInt8]?
        for part in parts {
            guard let checksum = part.checksum, checksum.algorithm == algorithm else { return nil }
            joined += checksum.value
            guard kind == .fullObject else { continue }
            whole =
                whole.map { algorithm.combined($0, checksum.value, length: part.length) }
                ?? checksum.value
        }
        if kind == .composite {
            var stream = StreamChecksum(algorithm)
            joined.withUnsafeBytes { stream.update($0) }
            whole = stream.value()
        }
        return whole.map { StoredChecksum(algorithm, kind, value: $0, parts: joined) }
    }
}

extension XMLWriter {
    mutating func checksum(_ checksum: StoredChecksum?, of tag: EntityTag) {
        guard let checksum else { return }
        element(checksum.algorithm.element, checksum.text(of: tag))
    }

    mutating func checksumRule(_ rule: ChecksumRule?) {
        guard let rule else { return }
        element("ChecksumAlgorithm", rule.algorithm.name)
        element("ChecksumType", rule.kind.name)
    }
}
