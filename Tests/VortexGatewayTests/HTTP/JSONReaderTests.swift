import Testing

@testable import VortexGateway

struct JSONReaderTests {
    private func parse(_ text: String, depth: Int = 4, values: Int = 20) -> JSONValue? {
        do throws(JSONValue.Malformed) {
            return try JSONValue.parse(Array(text.utf8), depthMax: depth, valuesMax: values)
        } catch { return nil }
    }

    @Test func `values are read`() {
        #expect(
            parse(#" {"a" : [1, -2.5e3, true, false, null, "x"], "b": {}} "#)
                == .object([
                    .init(
                        name: "a",
                        value: .array([
                            .number("1"), .number("-2.5e3"), .bool(true), .bool(false), .null,
                            .string("x"),
                        ])), .init(name: "b", value: .object([])),
                ]))
        #expect(parse(#""\u00fc\ud83d\ude00\n\\\"\/\$""#) == .string("ü😀\n\\\"/$"))
    }

    @Test(arguments: [
        "", "{", "[1,]", "[1 2]", #"{"a":1,"a":2}"#, #"{"a"}"#, #"{a:1}"#, "\"\n\"", #""\ud800""#,
        #""\ud800\u0041""#, #""\x""#, "\"abc", "tru", "01x", "--1", "[] []", "\u{feff}1", "'a'",
        "[1", "{\"a\":1,}", "nullx", "\"\\u+041\"",
    ])
    func `what is no JSON is refused`(text: String) { #expect(parse(text) == nil) }

    @Test func `depth and number are bounded`() {
        #expect(parse("[[[1]]]") != nil && parse("[[[[1]]]]") == nil)
        #expect(parse(String(repeating: "[", count: 100_000)) == nil)
        let many = { (count: Int) in
            "[" + (0..<count).map { _ in "1" }.joined(separator: ",") + "]"
        }
        #expect(parse(many(19)) != nil && parse(many(20)) == nil)
    }

    @Test func `members and whole numbers are found`() {
        let value = parse(#"{"a": 18446744073709551615, "b": "7", "c": -1, "d": 1.5, "e": [1]}"#)
        #expect(value?["a"]?.number == .max && value?["b"]?.number == nil)
        #expect(value?["b"]?.count == 7 && value?["b"]?.text == "7")
        #expect(value?["c"]?.number == nil && value?["d"]?.count == nil)
        #expect(value?["e"]?.items == [.number("1")] && value?["f"] == nil)
        #expect(parse("18446744073709551616")?.number == nil)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `no bytes make it trap`(seed: UInt64) {
        var state = seed
        let alphabet = Array("{}[]\",:\\u0truefalsn 1e-.d8".utf8)
        let bytes = (0..<64).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return alphabet[Int(state >> 33) % alphabet.count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if let value = parse(text, depth: 32, values: 100) {
            #expect(value.number == nil || UInt64(text.filter { $0 != " " }) == value.number)
        }
    }
}
