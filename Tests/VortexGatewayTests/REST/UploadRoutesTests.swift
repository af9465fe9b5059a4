import Testing

@testable import VortexGateway

struct UploadRoutesTests {
    private func withUpload(
        _ body: @Sendable (GatewayFixture, _ location: String) async throws -> Void
    ) async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/v1/buckets/files").status == 201)
            let created = try await gateway.send(
                "POST", "/v1/uploads?bucket=files&key=a%2Fb", [("Content-Type", "text/x")])
            #expect(created.status == 201 && created["Upload-Offset"] == "0")
            try await body(gateway, try #require(created["Location"]))
        }
    }

    @Test func `an upload goes on where it is, and becomes an object`() async throws {
        try await withUpload { gateway, location in
            let first = try await gateway.send(
                "PATCH", location, [("Upload-Offset", "0")], body: "hel")
            #expect(first.status == 204 && first["Upload-Offset"] == "3")
            let wrong = try await gateway.send(
                "PATCH", location, [("Upload-Offset", "2")], body: "lo")
            #expect(wrong.status == 409 && wrong.problem == "offset-mismatch")
            #expect(wrong["Upload-Offset"] == "3")
            let head = try await gateway.send("HEAD", location)
            #expect(head.status == 204 && head["Upload-Offset"] == "3")
            #expect(head["Cache-Control"] == "no-store" && head["Upload-Complete"] == "?0")
            #expect(try await gateway.send("GET", "/v1/objects/files/a/b").status == 404)
            let listed = try await gateway.send("GET", "/v1/uploads").text
            #expect(listed.contains("\"key\":\"a/b\"") && listed.contains("\"offset\":3"))
            let last = try await gateway.send(
                "PATCH", location, [("Upload-Offset", "3")], body: "lo")
            #expect(last["Upload-Offset"] == "5")
            let done = try await gateway.send(
                "POST", location + "/complete", [("Repr-Digest", DigestsTests.sha)])
            #expect(done.status == 201 && done["ETag"] != nil)
            let again = try await gateway.send("POST", location + "/complete")
            #expect(again.status == 201 && again["ETag"] == done["ETag"])
            let object = try await gateway.send("GET", "/v1/objects/files/a/b")
            #expect(object.text == "hello" && object["Content-Type"] == "text/x")
            #expect(object["ETag"] == done["ETag"])
        }
    }

    @Test func `Upload-Complete ends it with the piece`() async throws {
        try await withUpload { gateway, location in
            let done = try await gateway.send(
                "PATCH", location, [("Upload-Offset", "0"), ("Upload-Complete", "?1")],
                body: "hello")
            #expect(done.status == 201 && done["Upload-Complete"] == "?1")
            #expect(try await gateway.send("GET", "/v1/objects/files/a/b").text == "hello")
            let whole = try await gateway.send(
                "POST", "/v1/uploads?bucket=files&key=c", [("Upload-Complete", "?1")], body: "c")
            #expect(whole.status == 201 && whole["ETag"] != nil && whole["Location"] != nil)
            #expect(try await gateway.send("GET", "/v1/objects/files/c").text == "c")
        }
    }

    @Test func `an aborted upload is gone and leaves nothing`() async throws {
        try await withUpload { gateway, location in
            #expect(try await gateway.send("DELETE", location).status == 204)
            #expect(try await gateway.send("GET", location).problem == "no-such-upload")
            #expect(try await gateway.send("HEAD", location).status == 404)
            let late = try await gateway.send(
                "PATCH", location, [("Upload-Offset", "0")], body: "x")
            #expect(late.status == 404)
            #expect(try await gateway.send("GET", "/v1/objects/files/a/b").status == 404)
        }
    }

    @Test func `a wrong digest of the whole completes nothing`() async throws {
        try await withUpload { gateway, location in
            _ = try await gateway.send("PATCH", location, [("Upload-Offset", "0")], body: "hellp")
            let done = try await gateway.send(
                "POST", location + "/complete", [("Repr-Digest", DigestsTests.sha)])
            #expect(done.status == 400 && done.problem == "digest-mismatch")
            #expect(try await gateway.send("GET", "/v1/objects/files/a/b").status == 404)
        }
    }
}
