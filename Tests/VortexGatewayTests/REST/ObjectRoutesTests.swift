import Testing

@testable import VortexGateway

struct ObjectRoutesTests {
    /// A gateway with the bucket `files`.
    private func withBucket(
        _ body: @Sendable (GatewayFixture) async throws -> Void
    ) async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/v1/buckets/files").status == 201)
            try await body(gateway)
        }
    }

    @Test(arguments: [0, 1, 65_536, 65_537, 1 << 20, (1 << 20) + 1, (3 << 20) + 17])
    func `what was put comes back, whole and in parts`(count: Int) async throws {
        try await withBucket { gateway in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let path = "/v1/objects/files/a/b"
            let put = try await gateway.send(
                "PUT", path, [("Content-Type", "text/x"), ("x-vortex-meta-a", "1")], bytes: bytes)
            #expect(put.status == 201)
            let tag = try #require(put["ETag"])
            let get = try await gateway.send("GET", path)
            #expect(get.status == 200 && get.body == bytes)
            #expect(get["ETag"] == tag && get["Content-Type"] == "text/x")
            #expect(get["x-vortex-meta-a"] == "1" && get["Accept-Ranges"] == "bytes")
            #expect(get["x-vortex-version"] == put["x-vortex-version"])
            let head = try await gateway.send("HEAD", path, [("Range", "bytes=0-0")])
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.contentLength == UInt64(count))
            #expect(head.headers.map(\.0) == get.headers.map(\.0))
            guard count > 2_000 else { return }
            let part = try await gateway.send("GET", path, [("Range", "bytes=1000-1999")])
            #expect(part.status == 206 && part.body == Array(bytes[1_000..<2_000]))
            #expect(part["Content-Range"] == "bytes 1000-1999/\(count)")
            try await several(gateway, path, bytes)
        }
    }

    private func several(
        _ gateway: GatewayFixture, _ path: String, _ bytes: [UInt8]
    ) async throws {
        let reply = try await gateway.send("GET", path, [("Range", "bytes=0-9,-10")])
        #expect(reply.status == 206 && reply.contentLength == UInt64(reply.body.count))
        let type = try #require(reply["Content-Type"])
        let boundary = try #require(type.split(separator: "boundary=").last)
        let size = bytes.count
        var expected = Array(
            "\r\n--\(boundary)\r\nContent-Type: text/x\r\nContent-Range: bytes 0-9/\(size)\r\n\r\n"
                .utf8)
        expected += bytes[..<10]
        expected += Array(
            ("\r\n--\(boundary)\r\nContent-Type: text/x\r\n"
                + "Content-Range: bytes \(size - 10)-\(size - 1)/\(size)\r\n\r\n").utf8)
        expected += bytes[(size - 10)...]
        expected += Array("\r\n--\(boundary)--\r\n".utf8)
        #expect(reply.body == expected)
    }

    @Test func `conditions of writes hold or answer 412`() async throws {
        try await withBucket { gateway in
            let path = "/v1/objects/files/k"
            let absent = [("If-None-Match", "*")]
            #expect(
                try await gateway.send("PUT", path, [("If-Match", "*")], body: "x").status == 412)
            let first = try await gateway.send("PUT", path, absent, body: "one")
            #expect(first.status == 201)
            #expect(try await gateway.send("PUT", path, absent, body: "two").status == 412)
            let tag = try #require(first["ETag"])
            let weak = [("If-Match", "W/" + tag)]
            #expect(try await gateway.send("PUT", path, weak, body: "two").status == 412)
            let match = [("If-Match", tag)]
            #expect(try await gateway.send("PUT", path, match, body: "two").status == 200)
            #expect(try await gateway.send("PUT", path, match, body: "three").status == 412)
            #expect(try await gateway.send("DELETE", path, match).status == 412)
            #expect(try await gateway.send("GET", path).text == "two")
            let gone = try await gateway.send("DELETE", path)
            #expect(gone.status == 204 && gone["x-vortex-existed"] == "true")
            let again = try await gateway.send("DELETE", path)
            #expect(again.status == 204 && again["x-vortex-existed"] == "false")
            #expect(try await gateway.send("DELETE", path, [("If-Match", "*")]).status == 412)
            #expect(try await gateway.send("GET", path).problem == "no-such-object")
        }
    }

    @Test func `conditions of reads answer 304 and 412, ranges beyond the end 416`() async throws {
        try await withBucket { gateway in
            let path = "/v1/objects/files/k"
            let tag = try #require(
                try await gateway.send("PUT", path, [("Cache-Control", "max-age=9")], body: "0123")[
                    "ETag"])
            let same = try await gateway.send("GET", path, [("If-None-Match", tag)])
            #expect(same.status == 304 && same.body.isEmpty && same["ETag"] == tag)
            #expect(same["Cache-Control"] == "max-age=9" && same["Content-Type"] == nil)
            let date = try #require(same["Last-Modified"])
            #expect(
                try await gateway.send("GET", path, [("If-Modified-Since", date)]).status == 304)
            #expect(
                try await gateway.send("GET", path, [("If-Unmodified-Since", date)]).status == 200)
            #expect(try await gateway.send("GET", path, [("If-Match", "\"x\"")]).status == 412)
            let beyond = try await gateway.send("GET", path, [("Range", "bytes=4-")])
            #expect(beyond.status == 416 && beyond["Content-Range"] == "bytes */4")
            let range = ("Range", "bytes=1-2")
            #expect(try await gateway.send("GET", path, [range, ("If-Range", tag)]).text == "12")
            #expect(try await gateway.send("GET", path, [range, ("If-Range", date)]).text == "12")
            #expect(
                try await gateway.send("GET", path, [range, ("If-Range", "\"x\"")]).text == "0123")
        }
    }

    @Test func `a body without the promised digest stores nothing`() async throws {
        try await withBucket { gateway in
            let path = "/v1/objects/files/k"
            for header in [("Content-Digest", DigestsTests.sha), ("Repr-Digest", DigestsTests.sha)]
            {
                let bad = try await gateway.send("PUT", path, [header], body: "hellp")
                #expect(bad.status == 400 && bad.problem == "digest-mismatch")
                #expect(try await gateway.send("GET", path).status == 404)
            }
            let good = try await gateway.send(
                "PUT", path, [("Content-Digest", DigestsTests.sha)], body: "hello")
            #expect(good.status == 201)
        }
    }

    @Test func `a repeated write gets the first answer`() async throws {
        try await withBucket { gateway in
            let path = "/v1/objects/files/k"
            let headers = [("Idempotency-Key", "a-1"), ("If-None-Match", "*")]
            let first = try await gateway.send("PUT", path, headers, body: "x")
            let again = try await gateway.send("PUT", path, headers, body: "x")
            #expect(first.status == 201 && again.status == 201)
            #expect(again["ETag"] == first["ETag"] && again["x-vortex-replayed"] == "true")
            #expect(again["x-vortex-version"] == first["x-vortex-version"])
            let other = try await gateway.send("PUT", path, headers, body: "y")
            #expect(other.status == 409 && other.problem == "idempotency-mismatch")
        }
    }

    @Test(arguments: [
        "..", "a//b", "/", "x/", "%00", "🦑", "a%2Fb", "%25", "%3F", "+", "a b", "\"\\",
    ])
    func `odd keys are kept as they are`(raw: String) async throws {
        try await withBucket { gateway in
            let target = "/v1/objects/files/" + raw.replacing(" ", with: "%20")
            let put = try await gateway.send("PUT", target, body: raw)
            let get = try await gateway.send("GET", target)
            #expect(put.status == 201 && get.text == raw)
        }
    }
}
