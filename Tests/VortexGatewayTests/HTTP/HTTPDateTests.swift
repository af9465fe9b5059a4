import Testing

@testable import VortexGateway

struct HTTPDateTests {
    static let now: Int64 = 1_795_392_000  // November 2026

    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Wed, 31 Dec 2025 23:59:60 GMT", 1_767_225_599),
            ("Fri, 01-Jan-77 00:00:00 GMT", nil),
            ("Friday, 01-Jan-77 00:00:00 GMT", 220_924_800),
            ("Friday, 01-Jan-76 00:00:00 GMT", 3_345_062_400),
            ("Sun, 6 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 08:49:37", nil),
            ("Sun, 31 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 24:49:37 GMT", nil),
            ("Sun, 06 nov 1994 08:49:37 GMT", nil),
            ("Xyz, 06 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 08:49:37 GMT ", nil),
            ("1994-11-06T08:49:37Z", nil), ("", nil), ("Sun", nil), ("0", nil),
        ] as [(String, Int64?)])
    func `three forms are read, and nothing else`(text: String, seconds: Int64?) {
        #expect(HTTPDate.seconds(text, nowSeconds: Self.now) == seconds)
    }

    @Test func `what is written is read back`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5_000 {
            let seconds = Int64.random(in: -62_167_219_200...253_402_300_799, using: &random)
            let text = HTTPDate.string(seconds: seconds)
            #expect(text.utf8.count == 29)
            #expect(HTTPDate.seconds(text, nowSeconds: Self.now) == seconds)
        }
    }

    @Test(arguments: [
        (UInt64(784_111_777_042), "1994-11-06T08:49:37.042Z"), (0, "1970-01-01T00:00:00.000Z"),
    ])
    func `JSON's times are RFC 3339 with milliseconds`(milliseconds: UInt64, text: String) {
        #expect(RFC3339.string(milliseconds: milliseconds) == text)
    }

    @Test(arguments: [UInt64(1), 2])
    func `no date traps`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            var text = Array("Sun, 06 Nov 1994 08:49:37 GMT")
            for _ in 0..<3 {
                text[Int.random(in: 0..<text.count, using: &random)] =
                    Array(", :-09GZé").randomElement(using: &random)!
            }
            _ = HTTPDate.seconds(String(text), nowSeconds: Self.now)
            _ = RangeCondition(String(text), nowSeconds: Self.now)
        }
        _ = HTTPDate.string(seconds: .max)
        _ = RFC3339.string(milliseconds: .max)
    }
}
