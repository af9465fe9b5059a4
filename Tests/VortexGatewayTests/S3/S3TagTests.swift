import Testing
import VortexCore

@testable import VortexGateway

struct S3TagTests {
    private func run(_ body: @Sendable (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/bucket", body: "").status == 200)
            try await body(gateway)
        }
    }

    private func tags(_ gateway: GatewayFixture, _ key: String) async throws -> [String] {
        let reply = try await gateway.send("GET", "/bucket/\(key)?tagging")
        let set = try XMLElement.parse(reply.body).child("TagSet")
        return set?.children.map { "\($0.value("Key") ?? "")=\($0.value("Value") ?? "")" } ?? []
    }

    private static func document(_ tags: [(String, String)]) -> String {
        let items = tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }
        return "<Tagging><TagSet>\(items.joined())</TagSet></Tagging>"
    }

    @Test func `tags come with an object, are replaced and deleted, and change nothing else`()
        async throws
    {
        try await run { gateway in
            let tagged = [("x-amz-tagging", "a=b&c%20d=e+f&g")]
            let put = try await gateway.send("PUT", "/bucket/key", tagged, body: "x")
            #expect(try await tags(gateway, "key") == ["a=b", "c d=e f", "g="])
            let head = try await gateway.send("HEAD", "/bucket/key")
            #expect(head["x-amz-tagging-count"] == "3")
            let body = Self.document([("new", "1")])
            #expect(try await gateway.send("PUT", "/bucket/key?tagging", body: body).status == 200)
            #expect(try await tags(gateway, "key") == ["new=1"])
            let after = try await gateway.send("GET", "/bucket/key")
            #expect(after.text == "x" && after["ETag"] == put["ETag"])
            #expect(after["Last-Modified"] == head["Last-Modified"])
            #expect(try await gateway.send("DELETE", "/bucket/key?tagging").status == 204)
            #expect(try await tags(gateway, "key").isEmpty)
            #expect(
                try await gateway.send("GET", "/bucket/key")["x-amz-tagging-count"] == nil)
            let missing = try await gateway.send("PUT", "/bucket/none?tagging", body: body)
            #expect(missing.status == 404 && missing.code == "NoSuchKey")
        }
    }

    @Test func `a copy has its source's tags, or its own`() async throws {
        try await run { gateway in
            _ = try await gateway.send("PUT", "/bucket/key", [("x-amz-tagging", "a=b")], body: "x")
            let source = ("x-amz-copy-source", "/bucket/key")
            _ = try await gateway.send("PUT", "/bucket/same", [source])
            #expect(try await tags(gateway, "same") == ["a=b"])
            let replaced = [
                source, ("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "c=d"),
            ]
            _ = try await gateway.send("PUT", "/bucket/other", replaced)
            #expect(try await tags(gateway, "other") == ["c=d"])
        }
    }

    @Test func `an upload in parts brings its tags from its beginning`() async throws {
        try await run { gateway in
            let made = try await gateway.send(
                "POST", "/bucket/key?uploads", [("x-amz-tagging", "a=b")])
            let id = try XMLElement.parse(made.body).value("UploadId") ?? ""
            let part = try await gateway.send(
                "PUT", "/bucket/key?uploadId=\(id)&partNumber=1", body: "x")
            let list =
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
                + "<ETag>\(part["ETag"] ?? "")</ETag></Part></CompleteMultipartUpload>"
            let done = try await gateway.send("POST", "/bucket/key?uploadId=\(id)", body: list)
            #expect(done.status == 200)
            #expect(try await tags(gateway, "key") == ["a=b"])
        }
    }

    @Test func `what is no set of tags is refused by name`() async throws {
        try await run { gateway in
            _ = try await gateway.send("PUT", "/bucket/key", body: "x")
            let many = (0...10).map { ("k\($0)", "v") }
            let long = String(repeating: "x", count: 129)
            for (body, code) in [
                (Self.document(many), "BadRequest"), (Self.document([("", "v")]), "InvalidTag"),
                (Self.document([(long, "v")]), "InvalidTag"),
                (Self.document([("k", long + long)]), "InvalidTag"),
                (Self.document([("k", "v"), ("k", "w")]), "InvalidTag"),
                (Self.document([("aws:k", "v")]), "InvalidTag"), ("<Tagging/>", "MalformedXML"),
                ("no XML", "MalformedXML"),
            ] {
                let refused = try await gateway.send("PUT", "/bucket/key?tagging", body: body)
                #expect(refused.status == 400 && refused.code == code, "\(body)")
            }
            let header = try await gateway.send(
                "PUT", "/bucket/key", [("x-amz-tagging", "%zz=1")], body: "y")
            #expect(header.status == 400 && header.code == "InvalidArgument")
            #expect(try await gateway.send("GET", "/bucket/key").text == "x")
        }
    }
}
