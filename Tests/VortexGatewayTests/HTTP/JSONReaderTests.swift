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
}
