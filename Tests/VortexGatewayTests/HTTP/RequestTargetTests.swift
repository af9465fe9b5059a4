import Testing

@testable import VortexGateway

struct RequestTargetTests {
    @Test(arguments: [
        ("/v1/objects/b/a%2Fb", "a/b"),
        ("/v1/objects/b/..", ".."),
        ("/v1/objects/b/../x", "../x"),
        ("/v1/objects/b//x//", "/x//"),
        ("/v1/objects/b/x/", "x/"),
        ("/v1/objects/b/a+b", "a+b"),
        ("/v1/objects/b/%00", "\0"),
        ("/v1/objects/b/%F0%9F%A6%91", "🦑"),
        ("/v1/objects/b/🦑?prefix=x", "🦑"),
        ("/v1/objects/b/a%3Fb", "a?b"),
        ("http://host:80/v1/objects/b/k", "k"),
        ("/v1/objects/b/", ""),
    ])
    func `the bytes of a key are those of the target`(raw: String, key: String) throws {
        let pieces = try #require(try RequestTarget(raw).pieces(4))
        #expect(pieces[0] == Array("v1".utf8) && pieces[2] == Array("b".utf8))
        #expect(pieces[3] == Array(key.utf8))
    }

    @Test(arguments: ["/%", "/%4", "/%zz", "/a%2", "/%%41"])
    func `bad percent coding in a path is malformed`(raw: String) throws {
        let target = try RequestTarget(raw)
        #expect(throws: RequestError.malformed(.target)) { try target.pieces(1) }
    }

    @Test(arguments: [
        "", "*", "x", "http://", "http:///x", "ftp://a/b", "/a b", "/a#b", "/\u{7f}", "/a?b=%",
    ])
    func `a target of no known form is malformed`(raw: String) {
        #expect(throws: RequestError.malformed(.target)) { try RequestTarget(raw) }
    }

    @Test func `a path with too few pieces has none`() throws {
        #expect(try RequestTarget("/v1/objects/b").pieces(4) == nil)
        #expect(try RequestTarget("/v1/objects/b").pieceCount == 3)
    }

    @Test(arguments: [
        ("/?a=1&b=2", "a", "1"), ("/?a=x+y%2B", "a", "x y+"), ("/?a", "a", ""),
        ("/?&&a==", "a", "="), ("http://h?a=1", "a", "1"), ("/?%61=1", "a", "1"),
    ])
    func `parameters are decoded as forms are`(raw: String, name: String, value: String) throws {
        #expect(try RequestTarget(raw).query[name] == Array(value.utf8))
    }

    @Test func `a repeated parameter is refused, an unknown one too`() throws {
        #expect(throws: RequestError.duplicate(.query)) { try RequestTarget("/?a=1&%61=2") }
        let query = try RequestTarget("/?a=1&b=2").query
        #expect(throws: RequestError.unknownParameter) { try query.allow(only: ["a"]) }
        try query.allow(only: ["a", "b"])
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `no target traps`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let raw = random.text(from: "/%?&=+#aF0 \u{1}é:ht:p//", upTo: 40)
            do throws(RequestError) {
                let target = try RequestTarget(raw)
                let count = Int(random.next() % 6) + 1
                _ = try target.pieces(count)
            } catch {
                #expect(Problem(refused: error).type.status == 400)
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), so that a failure has a seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
    mutating func text(from alphabet: String, upTo length: Int) -> String {
        let letters = Array(alphabet)
        return String(
            (0..<Int.random(in: 0...length, using: &self)).map { _ in
                letters.randomElement(using: &self)!
            })
    }
}
