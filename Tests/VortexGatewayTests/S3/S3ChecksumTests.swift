import Testing
import VortexCore

@testable import VortexGateway

struct S3ChecksumTests {
    private func value(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> [UInt8] {
        var checksum = StreamChecksum(algorithm)
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum.value()
    }

    /// The check values of the CRC catalogue (Koopman, Cook), over "123456789", and FIPS 180's.
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, "cbf43926"), (.crc32c, "e3069283"),
        (.crc64nvme, "ae8b14860a799888"),
        (.sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ])
    func `each algorithm has its check value`(algorithm: ChecksumAlgorithm, hex: String) {
        #expect(Hex.string(value(algorithm, Array("123456789".utf8))) == hex)
        #expect(value(algorithm, []).count == algorithm.bytes)
    }

    @Test(arguments: ChecksumAlgorithm.allCases)
    func `pieces of any size make the same`(algorithm: ChecksumAlgorithm) {
        var random = SeededGenerator(seed: 5)
        let bytes = (0..<5_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        var checksum = StreamChecksum(algorithm)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(Int.random(in: 0...97, using: &random)))
            piece.withUnsafeBytes { checksum.update($0) }
            rest = rest.dropFirst(piece.count)
        }
        #expect(checksum.value() == value(algorithm, bytes))
    }

    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme])
    func `parts' checksums combine to that of the whole`(algorithm: ChecksumAlgorithm) {
        var random = SeededGenerator(seed: 6)
        for count in [0, 1, 2, 7, 8, 9, 255, 256, 257, 4_096, 100_003] {
            let first = (0..<333).map { _ in UInt8.random(in: 0...255, using: &random) }
            let second = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let combined = algorithm.combined(
                value(algorithm, first), value(algorithm, second), length: UInt64(count))
            #expect(combined == value(algorithm, first + second), "\(count)")
        }
    }

    @Test func `a request promises one checksum, in its header or in a trailer`() throws {
        func find(
            _ fields: [(String, String)], _ trailers: [String] = []
        ) throws -> ClaimedChecksum? {
            try ClaimedChecksum.find(
                HeaderFields(fields.map { (name: $0.0, value: $0.1) }), trailers: trailers)
        }
        #expect(try find([]) == nil)
        #expect(
            try find([("X-Amz-Checksum-Crc32", "AAAAAA==")])
                == ClaimedChecksum(algorithm: .crc32, value: [0, 0, 0, 0]))
        #expect(
            try find([], ["x-amz-checksum-crc64nvme"])
                == ClaimedChecksum(algorithm: .crc64nvme, value: nil))
        for (fields, trailers) in [
            ([("x-amz-checksum-crc32", "AAAA")], []), ([("x-amz-checksum-sha1", "?")], []),
            ([("x-amz-checksum-crc32", "AAAAAA==")], ["x-amz-checksum-crc32c"]),
            ([("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")], []),
            ([("x-amz-sdk-checksum-algorithm", "MD4")], []),
            (
                [
                    ("x-amz-sdk-checksum-algorithm", "SHA1"),
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                ], []
            ),
        ] as [([(String, String)], [String])] {
            #expect(throws: S3Error.self) { try find(fields, trailers) }
        }
    }
}
