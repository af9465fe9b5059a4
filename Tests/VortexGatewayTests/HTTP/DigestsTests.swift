import Testing

@testable import VortexGateway

struct DigestsTests {
    static let hello = Array("hello".utf8)
    static let sha = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"

    @Test(
        arguments: [
            (["XUFAKrxLKna5cZ2REBfFkg=="], [], [], true),
            (["XUFAKrxLKna5cZ2REBfFkA=="], [], [], false),
            ([], [sha], [], true), ([], [], [sha], true), ([], [sha], [sha], true),
            ([], ["sha-512=:AAAA:, " + sha], [], true),
            ([], ["unknown=(1 2 \"x\");a=b;c, " + sha + ";p=?1"], [], true),
            ([], ["a=1", sha], [], true),
            ([], ["sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"], [], false),
            ([], [sha], ["sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"], false),
            ([], ["md5=:AAAA:"], [], true), ([], [], [], true),
        ] as [([String], [String], [String], Bool)])
    func `a body matches its promised digests or not`(
        md5: [String], content: [String], repr: [String], matches: Bool
    ) throws {
        let expected = try ExpectedDigests(
            contentMD5: md5, contentDigest: content, reprDigest: repr)
        var digest = BodyDigest(expected: expected)
        for byte in Self.hello {
            withUnsafeBytes(of: byte) { digest.update($0) }
        }
        #expect(digest.matches() == matches)
    }

    @Test(arguments: [
        "sha-256", "sha-256=1", "sha-256=:AAAA:", "sha-256=:!!:", "=:AA:", "sha-256=:AA==", ",",
        "sha-256=\"x\"", "SHA-256=:AAAA:", "a=1,", "a=1 b=2", "a=(1 2", "a=:A:",
    ])
    func `a malformed digest field is refused`(line: String) {
        #expect(throws: RequestError.malformed(.contentDigest)) {
            try ExpectedDigests(contentMD5: [], contentDigest: [line], reprDigest: [])
        }
    }

    @Test(arguments: ["", "AAAA", "XUFAKrxLKna5cZ2REBfFkg", "5d41402abc4b2a76b9719d911017c592"])
    func `a malformed Content-MD5 is refused`(line: String) {
        #expect(throws: RequestError.malformed(.contentMD5)) {
            try ExpectedDigests(contentMD5: [line], contentDigest: [], reprDigest: [])
        }
    }

    @Test func `base64 round-trips and has one spelling`() {
        var random = SeededGenerator(seed: 3)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Base64.encode(bytes).utf8) == bytes)
        }
        for text in ["A", "AA", "AA=A", "AB==", "AAB=", "====", "A===", "AA==AA=="] {
            #expect(Base64.decode(text.utf8) == nil)
        }
    }

    @Test(arguments: [UInt64(1), 2])
    func `no digest field traps`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let line = random.text(from: "sha-256=::()\"\\;?1,. aA*é", upTo: 30)
            do throws(RequestError) {
                _ = try ExpectedDigests(contentMD5: [line], contentDigest: [line], reprDigest: [])
            } catch { #expect(Problem(refused: error).type.status == 400) }
            _ = StructuredFields.boolean(line)
        }
    }
}
