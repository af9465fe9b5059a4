internal import VortexCore

/// What a request promises about its body's checksum: a value in its header, or the name of a
/// trailer in which the value will come.
struct ClaimedChecksum: Hashable, Sendable {
    var algorithm: ChecksumAlgorithm
    /// Nil where a trailer brings it.
    var value: [UInt8]?

    /// One checksum at most: which of two would be kept, nobody could tell. `trailers` are the
    /// names in `x-amz-trailer`.
    static func find(
        _ headers: HeaderFields, trailers: [String]
    ) throws(S3Error) -> ClaimedChecksum? {
        var found: ClaimedChecksum?
        for (name, value) in headers {
            let name = name.lowercased()
            guard let algorithm = ChecksumAlgorithm(header: name) else { continue }
            guard let bytes = Base64.decode(value.utf8), bytes.count == algorithm.bytes else {
                throw S3Error(.invalidRequest, "Value for \(name) header is invalid.")
            }
            guard found == nil else {
                throw S3Error(
                    .invalidRequest, "Expecting a single x-amz-checksum- header.")
            }
            found = ClaimedChecksum(algorithm: algorithm, value: bytes)
        }
        for name in trailers {
            guard let algorithm = ChecksumAlgorithm(header: name) else { continue }
            guard found == nil else {
                throw S3Error(
                    .invalidRequest, "Expecting a single x-amz-checksum- header.")
            }
            found = ClaimedChecksum(algorithm: algorithm, value: nil)
        }
        try check(headers, found)
        return found
    }

    /// The algorithm that the SDK was told must be the one that it sent.
    private static func check(
        _ headers: HeaderFields, _ found: ClaimedChecksum?
    ) throws(S3Error) {
        guard let text = headers["x-amz-sdk-checksum-algorithm"] else { return }
        guard let algorithm = ChecksumAlgorithm(name: text) else {
            throw S3Error(
                .invalidRequest, "Checksum algorithm provided is unsupported.")
        }
        guard found == nil || found?.algorithm == algorithm else {
            throw S3Error(
                .invalidRequest, "x-amz-sdk-checksum-algorithm is not the checksum's algorithm.")
        }
    }
}
