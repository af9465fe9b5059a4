import Testing

@testable import VortexGateway

struct XMLTests {
    private func parse(_ text: String) throws(XMLElement.Failure) -> XMLElement {
        try XMLElement.parse(Array(text.utf8))
    }

    @Test func `a document is read with or without a namespace`() throws {
        let inside = "<Object><Key>a&amp;b &#x41;</Key></Object><Quiet> true </Quiet>"
        for open in ["<Delete>", "<Delete xmlns=\"\(XMLWriter.namespace)\">"] {
            let root = try parse("<?xml version=\"1.0\"?>" + open + inside + "</Delete>")
            #expect(root.name == "Delete")
            #expect(root.all("Object").map { $0.value("Key") } == ["a&b A"])
            #expect(root.value("Quiet") == "true")
            #expect(root.child("Missing") == nil)
        }
    }

    @Test(arguments: [
        "", "x", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a>\u{1}</a>", "<a b></a>",
    ])
    func `what is no document is refused`(text: String) {
        #expect(throws: XMLElement.Failure.malformed) { try parse(text) }
    }

    @Test func `a document type ends the reading, before any entity is looked at`() {
        let laughs = """
            <!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;&lol;&lol;&lol;">
            <!ENTITY l3 "&l2;&l2;&l2;&l2;">]><lolz>&l3;</lolz>
            """
        let outside = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"
        for text in [laughs, outside] {
            #expect(throws: XMLElement.Failure.tooMuch) { try parse(text) }
        }
    }

    @Test func `depth, elements and bytes are bounded`() throws {
        let depth = XMLElement.depthMax
        let deep = { (levels: Int) in
            String(repeating: "<a>", count: levels) + String(repeating: "</a>", count: levels)
        }
        _ = try parse(deep(depth))
        #expect(throws: XMLElement.Failure.tooMuch) { try parse(deep(depth + 1)) }
        let wide = "<a>" + String(repeating: "<b/>", count: XMLElement.elementsMax) + "</a>"
        #expect(throws: XMLElement.Failure.tooMuch) { try parse(wide) }
        let long = "<a>" + String(repeating: "x", count: XMLElement.bytesMax) + "</a>"
        #expect(throws: XMLElement.Failure.tooMuch) { try parse(long) }
    }

    @Test(arguments: ["plain", "a&b<c>\"d\"", "é😀", "line\nfeed\ttab", " spaces "])
    func `what is written is read back`(text: String) throws {
        let bytes = XMLWriter.document("Root") { $0.element("Text", text) }
        #expect(try XMLElement.parse(bytes).child("Text")?.text == text)
    }

    @Test func `an error has S3's elements and no namespace`() throws {
        let error = S3Error.argument("max-keys", "x", "Not a number.")
        let root = try XMLElement.parse(error.document(resource: "/b/<k>", requestID: "r1"))
        #expect(root.name == "Error")
        #expect(
            root.children.map(\.name) == [
                "Code", "Message", "ArgumentName", "ArgumentValue", "Resource", "RequestId",
                "HostId",
            ])
        #expect(root.value("Code") == "InvalidArgument")
        #expect(root.value("Resource") == "/b/<k>")
    }

    @Test(arguments: S3ErrorCode.allCases)
    func `each error has a status of a refusal and a message`(code: S3ErrorCode) {
        #expect(code.status == 304 || (400..<600).contains(code.status))
        #expect(!code.message.isEmpty)
    }
}
