import Testing

@testable import VortexGateway

struct JSONWriterTests {
    @Test(arguments: [
        ("", #""""#), ("a/b", #""a/b""#), ("\"\\", #""\"\\""#), ("\n\r\t", #""\n\r\t""#),
        ("\0\u{1f}", ##""\u0000\u001f""##), ("🦑é\u{2028}", "\"🦑é\u{2028}\""),
    ])
    func `strings are escaped as RFC 8259 says`(text: String, json: String) {
        var writer = JSONWriter()
        writer.value(text)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == json)
    }

    @Test func `commas stand between members and values, and nowhere else`() {
        var writer = JSONWriter()
        writer.object { json in
            json.member("a", UInt64.max)
            json.array("b") { json in
                json.value("x")
                json.object { $0.member("c", true) }
                json.array { _ in }
                json.value(UInt64(0))
            }
            json.null("d")
            json.member("e", 0.5)
            json.member("f", Double.nan)
            json.member("g", time: 0)
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self) == """
                {"a":18446744073709551615,"b":["x",{"c":true},[],0],"d":null,"e":0.5,"f":null,\
                "g":"1970-01-01T00:00:00.000Z"}
                """)
    }
}
