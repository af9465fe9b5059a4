import Testing

@testable import VortexGateway

struct RESTHandlerTests {
    @Test func `a token lets in, nothing else does, and health needs none`() async throws {
        try await GatewayFixture.run(token: "secret") { gateway in
            for target in ["/v1/buckets", "/v1/nothing", "/v1/objects/b/k"] {
                let reply = try await gateway.send("GET", target)
                #expect(reply.status == 401 && reply.problem == "unauthenticated")
                #expect(reply["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
            }
            #expect(try await gateway.send("GET", "/v1/health/live").status == 200)
            #expect(try await gateway.send("GET", "/v1/health/ready").status == 200)
            let bearer = [("Authorization", "Bearer secret")]
            #expect(try await gateway.send("GET", "/v1/nothing", bearer).status == 404)
            #expect(try await gateway.send("GET", "/v1/buckets", bearer).status == 200)
        }
    }

    @Test(
        arguments: [
            ("GET", "/v1/health/live?x=1", [], "unknown-parameter"),
            ("GET", "/v1/status?a=1&a=2", [], "duplicate-parameter"),
            ("GET", "/v1/nothing", [], "no-such-route"),
            ("POST", "/v1/status", [], "method-not-allowed"),
            ("GET", "/v1/objects/bucket?limit=0", [], "malformed-request"),
            ("GET", "/v1/objects/bucket?limit=1001", [], "malformed-request"),
            ("GET", "/v1/objects/bucket?limit=x", [], "malformed-request"),
            ("GET", "/v1/objects/bucket?prefix=%FF", [], "malformed-request"),
            ("GET", "/v1/objects/bucket/", [], "invalid-key"),
            ("GET", "/v1/objects/bucket/%FF", [], "invalid-key"),
            ("GET", "/v1/objects/bucket/%4", [], "malformed-request"),
            ("GET", "/v1/objects/bucket/k", [("If-Match", "x")], "malformed-request"),
            ("PUT", "/v1/objects/bucket/k", [], "length-required"),
            ("PUT", "/v1/objects/bucket/k", [("Content-Range", "bytes 0-1/2")], "not-implemented"),
            ("PUT", "/v1/objects/bucket/k", [("x-amz-copy-source", "/a/b")], "not-implemented"),
            ("PUT", "/v1/objects/bucket/k?acl", [], "unknown-parameter"),
            ("PUT", "/v1/objects/bucket/k", [("Content-MD5", "x")], "malformed-request"),
            ("PUT", "/v1/objects/bucket/k", [("Idempotency-Key", "")], "malformed-request"),
            (
                "PUT", "/v1/objects/bucket/k",
                [("x-vortex-meta-a", String(repeating: "x", count: 9_000))],
                "metadata-too-large"
            ),
            ("GET", "/v1/uploads/xyz", [], "malformed-request"),
            ("POST", "/v1/uploads?key=k", [], "missing-parameter"),
            ("PATCH", "/v1/uploads/0193550b9ac77a1c00000000deadbeef", [], "missing-parameter"),
        ] as [(String, String, [(String, String)], String)])
    func `a bad request is told what is wrong, with its id`(
        method: String, target: String, headers: [(String, String)], problem: String
    ) async throws {
        try await GatewayFixture.run { gateway in
            let reply = try await gateway.send(method, target, headers)
            #expect(reply.problem == problem)
            #expect(reply.text.contains("\"instance\":\"r1\""))
            #expect(reply.text.contains("\"status\":\(reply.status)"))
        }
    }

    @Test func `a draining node says so`() async throws {
        try await GatewayFixture.run { gateway in
            gateway.handler.beginDraining()
            let reply = try await gateway.send("GET", "/v1/health/ready")
            #expect(reply.status == 503 && reply["Retry-After"] != nil)
            #expect(try await gateway.send("GET", "/v1/health/live").status == 200)
        }
    }
}
