import Testing
import VortexCore

@testable import VortexGateway

struct ChunkedDecoderTests {
    typealias Failure = ChunkedDecoder.Failure

    static let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    static let trailerSignatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    static let trailer =
        "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        + "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"

    /// Of Amazon's example: 65,536 and 1,024 times the letter a.
    static func chunk(_ count: Int, _ signature: String) -> [UInt8] {
        let line = String(count, radix: 16) + ";chunk-signature=" + signature + "\r\n"
        let data = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        return Array(line.utf8) + data + (count == 0 ? [] : Array("\r\n".utf8))
    }

    static var example: [UInt8] {
        chunk(65_536, signatures[0]) + chunk(1_024, signatures[1]) + chunk(0, signatures[2])
            + Array("\r\n".utf8)
    }

    static var trailerExample: [UInt8] {
        chunk(65_536, trailerSignatures[0]) + chunk(1_024, trailerSignatures[1])
            + chunk(0, trailerSignatures[2]) + Array(trailer.utf8)
    }

    /// The decoder that the example's header asks for.
    static func signed(
        withTrailer: Bool = false, length: UInt64 = 66_560
    ) throws -> ChunkedDecoder {
        let example = SignatureTests.examples[withTrailer ? 5 : 4]
        let target = try S3Target(example.target)
        let claim = try #require(try SignatureClaim.find(example.fields, target))
        return ChunkedDecoder(
            length: length,
            signer: ChunkSigner(claim, key: claim.scope.key(of: SignatureTests.secret)),
            signsTrailers: withTrailer,
            trailerNames: withTrailer ? ["x-amz-checksum-crc32c"] : [])
    }

    static func unsigned(_ length: UInt64, trailers: [String] = []) -> ChunkedDecoder {
        ChunkedDecoder(length: length, signer: nil, signsTrailers: false, trailerNames: trailers)
    }

    /// Decodes pieces of `step` bytes into buffers of `room`, and gives the content.
    static func decode(
        _ bytes: [UInt8], _ start: ChunkedDecoder, step: Int = .max, room: Int = 70_000
    ) throws(Failure) -> (content: [UInt8], decoder: ChunkedDecoder) {
        var decoder = start
        var content: [UInt8] = []
        var output = ChunkBuffer(capacity: room)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(step))
            var taken = 0
            while taken < piece.count {
                let left = Array(piece[taken...])
                let result = left.withUnsafeBytes { raw -> Result<Int, Failure> in
                    do throws(Failure) {
                        return .success(try decoder.decode(raw, into: output))
                    } catch { return .failure(error) }
                }
                taken += try result.get()
                if output.isFull {
                    content += output.bytes
                    output = ChunkBuffer(capacity: room)
                }
            }
            rest = rest.dropFirst(piece.count)
        }
        content += output.bytes
        try decoder.finish()
        return (content, decoder)
    }

    @Test(arguments: [(Int.max, 70_000), (1, 1_000), (7, 13), (8_192, 4_096), (65_622, 65_536)])
    func `Amazon's chunked example decodes, cut anywhere`(step: Int, room: Int) throws {
        let (content, decoder) = try Self.decode(
            Self.example, try Self.signed(), step: step, room: room)
        #expect(content == [UInt8](repeating: UInt8(ascii: "a"), count: 66_560))
        #expect(decoder.hasAllContent)
    }

    @Test(arguments: [Int.max, 1, 100])
    func `Amazon's example with a trailer decodes, and its checksum is right`(step: Int) throws {
        let (content, decoder) = try Self.decode(
            Self.trailerExample, try Self.signed(withTrailer: true), step: step)
        var checksum = StreamChecksum(.crc32c)
        content.withUnsafeBytes { checksum.update($0) }
        #expect(decoder.trailers.map(\.value) == [Base64.encode(checksum.value())])
    }

    @Test func `a trailer's lines may end with a line feed, an empty line before the signature`()
        throws
    {
        let text = Self.trailer.replacing("==\r\n", with: "==\n\r\n\r\n").dropLast(2)
        let bytes =
            Self.trailerExample.dropLast(Self.trailer.utf8.count) + Array(text.utf8)
        _ = try Self.decode(Array(bytes), try Self.signed(withTrailer: true))
    }

    @Test func `a chunk that is changed, moved, repeated or left out does not verify`() throws {
        let parts = [
            Self.chunk(65_536, Self.signatures[0]), Self.chunk(1_024, Self.signatures[1]),
            Self.chunk(0, Self.signatures[2]) + Array("\r\n".utf8),
        ]
        var changed = Self.example
        changed[40_000] ^= 1
        let cases: [(bytes: [UInt8], length: UInt64)] = [
            (changed, 66_560), (parts[1] + parts[0] + parts[2], 66_560),
            (parts[0] + parts[0] + parts[2], 131_072), (parts[1] + parts[2], 1_024),
            (parts[0] + parts[2], 65_536), (parts[2], 0),
        ]
        for (bytes, length) in cases {
            #expect(throws: Failure.wrongSignature) {
                try Self.decode(bytes, try Self.signed(length: length))
            }
        }
    }

    @Test func `a signed trailer that is changed or has no signature does not verify`() throws {
        for (old, new, failure) in [
            ("sOO8", "sOO9", Failure.wrongSignature), ("e435", "e436", .wrongSignature),
            ("x-amz-trailer-signature", "x-amz-other", .malformedTrailer),
            ("-crc32c:", "-crc32:", .malformedTrailer),
        ] {
            let text = Self.trailer.replacing(old, with: new)
            let bytes =
                Self.trailerExample.dropLast(Self.trailer.utf8.count) + Array(text.utf8)
            #expect(throws: failure) {
                try Self.decode(Array(bytes), try Self.signed(withTrailer: true))
            }
        }
        let cut = Self.trailerExample.dropLast(Self.trailer.utf8.count)
        #expect(throws: Failure.self) {
            try Self.decode(Array(cut), try Self.signed(withTrailer: true))
        }
    }

    @Test func `content shorter or longer than promised is refused`() throws {
        for length in [UInt64(0), 66_559, 66_561, 1 << 40] {
            #expect(throws: Failure.wrongLength) {
                try Self.decode(Self.example, try Self.signed(length: length))
            }
        }
    }

    @Test(
        arguments: [
            ("5\r\nhello\r\n0\r\n\r\n", nil), ("5\r\nhello\r\n0\r\n", nil),
            ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", nil), ("05\r\nhello\r\n000\r\n\r\n", nil),
            ("5\nhello\r\n0\r\n\r\n", .malformed), ("5\r\nhelloX\r\n0\r\n\r\n", .malformed),
            ("5\r\nhello\n0\r\n\r\n", .malformed), ("-5\r\nhello\r\n0\r\n\r\n", .malformed),
            ("5;x=y\r\nhello\r\n0\r\n\r\n", .malformed), ("\r\nhello", .malformed),
            ("0x5\r\nhello\r\n0\r\n\r\n", .malformed), ("5 \r\nhello\r\n0\r\n\r\n", .malformed),
            ("5\r\nhello", .incomplete), ("5\r\nhello\r\n", .incomplete), ("", .incomplete),
            ("6\r\nhello!\r\n0\r\n\r\n", .wrongLength), ("4\r\nhell\r\n0\r\n\r\n", .wrongLength),
            ("ffffffffffffffff\r\nhello", .wrongLength),
            ("5\r\nhello\r\n0\r\nx-amz-extra: 1\r\n\r\n", .malformedTrailer),
            ("5\r\nhello\r\n0\r\n\r\nmore", .malformedTrailer),
        ] as [(String, Failure?)])
    func `the framing is taken as it must be, or refused`(text: String, failure: Failure?) throws {
        let decode = { () throws(Failure) in
            try Self.decode(Array(text.utf8), Self.unsigned(5), step: 3).content
        }
        if let failure {
            #expect(throws: failure) { try decode() }
        } else {
            #expect(try decode() == Array("hello".utf8))
        }
    }

    @Test func `lines without an end are refused before they grow`() {
        let long = [UInt8](repeating: UInt8(ascii: "0"), count: 4_096)
        #expect(throws: Failure.malformed) { try Self.decode(long, Self.unsigned(5), step: 10) }
        let trailers = Array("0\r\nx-amz-a:".utf8) + [UInt8](repeating: 0x61, count: 20_000)
        #expect(throws: Failure.malformedTrailer) {
            try Self.decode(trailers, Self.unsigned(0, trailers: ["x-amz-a"]), step: 100)
        }
    }

    @Test func `an announced trailer must come, once`() throws {
        let names = ["x-amz-checksum-crc32"]
        for text in ["0\r\n\r\n", "0\r\nX-Amz-Checksum-Crc32:a\r\nx-amz-checksum-crc32:a\r\n\r\n"] {
            #expect(throws: Failure.malformedTrailer) {
                try Self.decode(Array(text.utf8), Self.unsigned(0, trailers: names))
            }
        }
        let (_, decoder) = try Self.decode(
            Array("0\r\nx-amz-checksum-crc32: AAAAAA== \r\n\r\n".utf8),
            Self.unsigned(0, trailers: names))
        #expect(decoder.trailers.map(\.value) == ["AAAAAA=="])
    }
}
