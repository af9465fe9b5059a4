import Testing
import VortexCluster
import VortexCore

@testable import VortexGateway

/// Who gets in, and to what.
struct S3AccessTests {
    @Test func `a stranger is let in nowhere, and learns nothing`() async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/bucket")
            for (method, target) in [
                ("GET", "/"), ("GET", "/bucket"), ("GET", "/bucket/key"), ("PUT", "/bucket/key"),
                ("DELETE", "/bucket"), ("GET", "/missing/key"), ("POST", "/bucket?delete"),
                ("GET", "/bucket?policy"),
            ] {
                let reply = try await client.gateway.send(method, target, body: "")
                #expect(reply.status == 403 && reply.code == "AccessDenied", "\(method) \(target)")
            }
            let head = try await client.gateway.send("HEAD", "/bucket/key")
            #expect(head.status == 403 && head.body.isEmpty)
            #expect(try await client.gateway.send("GET", "/v1/buckets").status == 401)
            #expect(try await client.gateway.send("GET", "/v1/health/live").status == 200)
        }
    }

    @Test func `on an open gateway whoever says nothing may do all, and a wrong key nothing`()
        async throws
    {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/bucket", body: "").status == 200)
            #expect(try await gateway.send("PUT", "/bucket/key", body: "x").status == 200)
            let client = S3Client(gateway: gateway)
            let reply = try await client.send("GET", "/bucket/key")
            #expect(reply.status == 403 && reply.code == "InvalidAccessKeyId")
        }
    }

    @Test func `a key that is revoked or expired is refused within five seconds`() async throws {
        try await S3Client.run { client in
            let other = try await client.with("read,list:bucket", id: "OTHER")
            _ = try await client.send("PUT", "/bucket")
            #expect(try await other.send("GET", "/bucket").status == 200)
            // Revoked at another node: this gateway still knows it.
            try await client.gateway.node.changeAccessKey("OTHER") { _ in nil }
            client.gateway.clock.move(milliseconds: 5_000)
            let reply = try await other.send("GET", "/bucket")
            #expect(reply.status == 403 && reply.code == "InvalidAccessKeyId")
            let order = KeyRing.Order(
                id: "BRIEF", secret: other.secret,
                expiresMilliseconds: client.gateway.clock.wallMilliseconds + 2_000,
                grants: [KeyGrant(actions: .all)])
            _ = try await client.gateway.keys.create(order)
            var brief = other
            brief.keyID = "BRIEF"
            #expect(try await brief.send("GET", "/bucket").status == 200)
            client.gateway.clock.move(milliseconds: 2_000)
            #expect(try await brief.send("GET", "/bucket").code == "InvalidAccessKeyId")
        }
    }

    @Test func `a rotated key's old secret is refused, the new one is let in`() async throws {
        try await S3Client.run { client in
            let other = try await client.with("admin:*", id: "OTHER")
            #expect(try await other.send("GET", "/").status == 200)
            let made = try #require(try await client.gateway.keys.rotate("OTHER"))
            #expect(try await other.send("GET", "/").code == "SignatureDoesNotMatch")
            var rotated = other
            rotated.secret = Array(made.secret.utf8)
            #expect(try await rotated.send("GET", "/").status == 200)
        }
    }

    @Test func `a key does what it has a grant for, and nothing else`() async throws {
        try await S3Client.run { client in
            for bucket in ["photos", "letters"] {
                #expect(try await client.send("PUT", "/\(bucket)").status == 200)
                for key in ["a/1", "b/1"] {
                    _ = try await client.send("PUT", "/\(bucket)/\(key)", body: "x")
                }
            }
            let reader = try await client.with("read:photos/a/", id: "READER")
            #expect(try await reader.send("GET", "/photos/a/1").status == 200)
            for (method, target) in [
                ("GET", "/photos/b/1"), ("GET", "/letters/a/1"), ("PUT", "/photos/a/1"),
                ("DELETE", "/photos/a/1"), ("GET", "/photos?prefix=a/"), ("DELETE", "/photos"),
                ("PUT", "/another"), ("GET", "/letters?location"),
            ] {
                let reply = try await reader.send(method, target)
                #expect(reply.code == "AccessDenied", "\(method) \(target)")
            }
            let lister = try await client.with("list:photos/a/;write:letters", id: "LISTER")
            #expect(try await lister.send("GET", "/photos?prefix=a/").status == 200)
            #expect(try await lister.send("GET", "/photos").code == "AccessDenied")
            #expect(try await lister.send("GET", "/photos?prefix=b/").code == "AccessDenied")
            #expect(try await lister.send("PUT", "/letters/c", body: "y").status == 200)
            #expect(try await lister.send("GET", "/letters/c").code == "AccessDenied")
            let buckets = try await reader.send("GET", "/").text
            #expect(buckets.contains("photos") && !buckets.contains("letters"))
            let copy = [("x-amz-copy-source", "photos/b/1")]
            #expect(try await lister.send("PUT", "/letters/d", copy).code == "AccessDenied")
        }
    }

    @Test func `by v1 the same grants hold, as a bearer and by signature`() async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/photos")
            let other = try await client.with("read,write:photos/a/", id: "OTHER")
            let bearer = [("Authorization", "Bearer OTHER:secret of OTHER")]
            let gateway = client.gateway
            #expect(
                try await gateway.send("PUT", "/v1/objects/photos/a/1", bearer, body: "x").status
                    == 201)
            #expect(try await other.send("GET", "/v1/objects/photos/a/1").text == "x")
            #expect(
                try await other.send("PUT", "/v1/objects/photos/a/2", body: "y").status == 201)
            for (method, target) in [
                ("GET", "/v1/objects/photos/b/1"), ("GET", "/v1/objects/photos"),
                ("GET", "/v1/status"), ("GET", "/v1/metrics"), ("GET", "/v1/keys"),
                ("POST", "/v1/keys?grants=admin:*"), ("DELETE", "/v1/keys/OTHER"),
                ("PUT", "/v1/buckets/new"), ("DELETE", "/v1/buckets/photos"),
                ("GET", "/v1/uploads"), ("POST", "/v1/uploads?bucket=photos&key=b/1"),
                ("GET", "/v1/placement/photos/b/1"),
            ] {
                for reply in [
                    try await gateway.send(method, target, bearer),
                    try await other.send(method, target),
                ] { #expect(reply.problem == "forbidden", "\(method) \(target)") }
            }
            _ = try await client.send("PUT", "/letters")
            let names = try await other.send("GET", "/v1/buckets").text
            #expect(names.contains("photos") && !names.contains("letters"))
            for wrong in ["Bearer OTHER:secret", "Bearer OTHER", "Bearer NOBODY:x", "Bearer :"] {
                let reply = try await gateway.send(
                    "GET", "/v1/objects/photos/a/1", [("Authorization", wrong)])
                #expect(reply.problem == "unauthenticated", "\(wrong)")
            }
        }
    }

    @Test func `a body that was tampered with is refused, by both APIs`() async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/bucket")
            let other = SignatureTests.empty
            let reply = try await client.send("PUT", "/bucket/key", body: "x", payload: other)
            #expect(reply.status == 400 && reply.code == "XAmzContentSHA256Mismatch")
            let rest = try await client.send(
                "PUT", "/v1/objects/bucket/key", body: "x", payload: other)
            #expect(rest.problem == "digest-mismatch")
            #expect(try await client.send("GET", "/bucket/key").code == "NoSuchKey")
            let unsigned = try await client.send(
                "PUT", "/bucket/key", body: "x", payload: "UNSIGNED-PAYLOAD")
            #expect(unsigned.status == 200)
        }
    }

    @Test func `a presigned URL does its one thing until its time is over`() async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/bucket")
            let gateway = client.gateway
            let host = [("Host", "host")]
            let put = try client.presigned("PUT", "/bucket/key", expires: 60)
            #expect(try await gateway.send("PUT", put, host, body: "x").status == 200)
            let get = try client.presigned(
                "GET", "/bucket/key?response-content-type=text%2Fplain", expires: 60)
            let reply = try await gateway.send("GET", get, host)
            #expect(reply.text == "x" && reply["Content-Type"] == "text/plain")
            #expect(try await gateway.send("PUT", get, host, body: "y").status == 403)
            #expect(
                try await gateway.send("GET", get.replacing("/key", with: "/kez"), host).status
                    == 403)
            #expect(
                try await gateway.send("GET", get.replacing("plain", with: "html"), host).status
                    == 403)
            client.gateway.clock.move(milliseconds: 61_000)
            #expect(try await gateway.send("GET", get, host).code == "AccessDenied")
        }
    }

    @Test func `a presigned URL is of the bucket whose host was signed`() async throws {
        try await S3Client.run(domain: "store.example") { client in
            for bucket in ["photos", "letters"] {
                _ = try await client.send("PUT", "/\(bucket)")
                _ = try await client.send("PUT", "/\(bucket)/key", body: bucket)
            }
            let host = "photos.store.example"
            let get = try client.presigned("GET", "/key", expires: 60, host: host)
            func read(_ arrived: String, _ forwarded: String?) async throws -> Reply {
                try await client.gateway.send("GET", get, [("Host", arrived)], forwarded: forwarded)
            }
            #expect(try await read(host, nil).text == "photos")
            #expect(try await read("inner:8080", host).text == "photos")
            #expect(try await read(host, "letters.store.example").text == "photos")
            #expect(try await read("letters.store.example", nil).status == 403)
        }
    }

    @Test func `an address that guesses has to wait, and others have not`() async throws {
        let failures = FailedAttempts(addressesMax: 10)
        for _ in 0..<FailedAttempts.attemptsMax {
            #expect(!failures.isBlocked("a", now: 1_000))
            failures.note("a", now: 1_000)
        }
        #expect(failures.isBlocked("a", now: 1_001))
        #expect(!failures.isBlocked("b", now: 1_001))
        #expect(!failures.isBlocked("a", now: 1_000 + FailedAttempts.windowMilliseconds))
        for number in 0..<100 { failures.note("address \(number)", now: 1_002) }
        #expect(failures.total.count == UInt64(FailedAttempts.attemptsMax) + 100)
    }

    @Test func `guessing is stopped at the gateway`() async throws {
        try await S3Client.run { client in
            var wrong = client
            wrong.secret = [1]
            for _ in 0..<FailedAttempts.attemptsMax {
                #expect(try await wrong.send("GET", "/").code == "SignatureDoesNotMatch")
            }
            let reply = try await client.send("GET", "/")
            #expect(reply.status == 503 && reply.code == "SlowDown")
            client.gateway.clock.move(milliseconds: FailedAttempts.windowMilliseconds)
            #expect(try await client.send("GET", "/").status == 200)
        }
    }
}
