import Testing
import VortexCluster
import VortexCore

@testable import VortexGateway

struct CORSTests {
    static let configuration = """
        <CORSConfiguration>
          <CORSRule>
            <ID>first</ID>
            <AllowedOrigin>https://app.example</AllowedOrigin>
            <AllowedOrigin>https://*.dev.example</AllowedOrigin>
            <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>
            <AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>
            <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader>
            <MaxAgeSeconds>600</MaxAgeSeconds>
          </CORSRule>
          <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
        </CORSConfiguration>
        """

    private func withRules(
        isOpen: Bool = true, _ body: @Sendable (GatewayFixture) async throws -> Void
    ) async throws {
        try await GatewayFixture.run(isOpen: isOpen) { gateway in
            _ = try await gateway.node.createBucket("bucket")
            let rules = try CORSDocument.parse(Array(Self.configuration.utf8))
            let refusal: S3Error? = try await gateway.node.changeBucket("bucket") {
                $0.cors = rules
                return nil
            }
            #expect(refusal == nil)
            try await body(gateway)
        }
    }

    @Test func `rules are put, told and deleted`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let none = try await gateway.send("GET", "/bucket?cors")
            #expect(none.status == 404 && none.code == "NoSuchCORSConfiguration")
            let put = try await gateway.send("PUT", "/bucket?cors", body: Self.configuration)
            #expect(put.status == 200)
            let told = try await gateway.send("GET", "/bucket?cors")
            #expect(
                try CORSDocument.parse(told.body)
                    == CORSDocument.parse(Array(Self.configuration.utf8)))
            #expect(try await gateway.send("DELETE", "/bucket?cors").status == 204)
            #expect(try await gateway.send("GET", "/bucket?cors").status == 404)
        }
    }

    @Test(arguments: [
        ("<x/>", "MalformedXML"), ("<CORSConfiguration/>", "MalformedXML"),
        ("<AllowedMethod>GET</AllowedMethod>", "MalformedXML"),
        ("<AllowedOrigin>*</AllowedOrigin>", "MalformedXML"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod>", "InvalidRequest"),
        ("<AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>", "InvalidRequest"),
        (
            "<AllowedOrigin>a&#10;b</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
            "InvalidRequest"
        ),
        (
            "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
                + "<ExposeHeader>a: b</ExposeHeader>", "InvalidRequest"
        ),
        (
            "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
                + "<ExposeHeader>*</ExposeHeader>", "InvalidRequest"
        ),
        (
            "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
                + "<MaxAgeSeconds>-1</MaxAgeSeconds>", "MalformedXML"
        ),
        (
            "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><Other/>",
            "MalformedXML"
        ),
    ])
    func `a configuration that is none is refused`(inside: String, code: String) async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let document =
                inside.hasPrefix("<AllowedO") || inside.hasPrefix("<AllowedM")
                ? "<CORSConfiguration><CORSRule>\(inside)</CORSRule></CORSConfiguration>" : inside
            let put = try await gateway.send("PUT", "/bucket?cors", body: document)
            #expect(put.status == 400 && put.code == code)
        }
    }

    @Test func `rules are bounded in number and in bytes`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            func put(_ count: Int, _ origin: String) async throws -> Reply {
                let rule =
                    "<CORSRule><AllowedOrigin>\(origin)</AllowedOrigin>"
                    + "<AllowedMethod>GET</AllowedMethod></CORSRule>"
                return try await gateway.send(
                    "PUT", "/bucket?cors",
                    body: "<CORSConfiguration>" + String(repeating: rule, count: count)
                        + "</CORSConfiguration>")
            }
            #expect(try await put(100, "https://a.example").status == 200)
            #expect(try await put(101, "a").code == "MalformedXML")
            let large = try await put(40, String(repeating: "a", count: 600))
            #expect(large.status == 400 && large.code == "InvalidRequest")
            #expect(large.text.contains("16384"))
        }
    }

    @Test(
        arguments: [
            ("https://app.example", "PUT", "", "https://app.example"),
            ("https://app.example", "PUT", "X-Amz-Date, content-type", "https://app.example"),
            ("https://x.dev.example", "POST", "x-amz-acl", "https://x.dev.example"),
            ("https://app.example", "GET", "", "*"), ("http://any.example", "GET", "", "*"),
            ("http://any.example", "PUT", "", nil), ("https://app.example", "DELETE", "", nil),
            ("https://app.example", "PUT", "authorization", nil),
            ("http://app.example", "PUT", "", nil), ("https://dev.example", "PUT", "", nil),
            ("https://app.example.evil", "PUT", "", nil),
            ("https://app.example", "GET", "range", nil),
        ] as [(String, String, String, String?)])
    func `a preflight is answered by the first rule that allows all of it`(
        origin: String, method: String, headers: String, allowed: String?
    ) async throws {
        try await withRules(isOpen: false) { gateway in
            var fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
            if !headers.isEmpty { fields.append(("Access-Control-Request-Headers", headers)) }
            for target in ["/bucket/some/key", "/bucket", "/bucket/key?uploads"] {
                let reply = try await gateway.send("OPTIONS", target, fields)
                #expect(reply["Access-Control-Allow-Origin"] == allowed)
                guard let allowed else {
                    #expect(reply.status == 403 && reply.code == "AccessForbidden")
                    continue
                }
                #expect(reply.status == 200 && reply["Vary"]?.contains("Origin") == true)
                #expect(
                    reply["Access-Control-Allow-Credentials"] == (allowed == "*" ? nil : "true"))
                #expect(reply["Access-Control-Max-Age"] == (allowed == "*" ? nil : "600"))
                #expect(
                    reply["Access-Control-Allow-Headers"]
                        == (headers.isEmpty ? nil : headers.lowercased()))
            }
        }
    }

    @Test func `a preflight without a question, a bucket or rules is refused`() async throws {
        try await withRules(isOpen: false) { gateway in
            _ = try await gateway.node.createBucket("plain")
            let origin = ("Origin", "https://app.example")
            let method = ("Access-Control-Request-Method", "GET")
            #expect(try await gateway.send("OPTIONS", "/bucket/key", [method]).status == 400)
            #expect(try await gateway.send("OPTIONS", "/bucket/key", [origin]).status == 400)
            let odd = [origin, ("Access-Control-Request-Method", "PATCH")]
            #expect(try await gateway.send("OPTIONS", "/bucket/key", odd).status == 400)
            let plain = try await gateway.send("OPTIONS", "/plain/key", [origin, method])
            let missing = try await gateway.send("OPTIONS", "/missing/key", [origin, method])
            #expect(plain.status == 403 && plain.code == "AccessForbidden")
            #expect(plain.text.replacing("plain", with: "missing") == missing.text)
            let many = [
                origin, method,
                (
                    "Access-Control-Request-Headers",
                    (0..<101).map { "x-amz-\($0)" }.joined(separator: ",")
                ),
            ]
            #expect(try await gateway.send("OPTIONS", "/bucket/key", many).status == 403)
            #expect(try await gateway.send("OPTIONS", "/", [origin, method]).status == 405)
        }
    }

    @Test func `an answer to a page says what the rules allow, errors too`() async throws {
        try await withRules { gateway in
            let page = [("Origin", "https://app.example"), ("Host", "store")]
            let put = try await gateway.send("PUT", "/bucket/key", page, body: "x")
            #expect(put.status == 200)
            #expect(put["Access-Control-Allow-Origin"] == "https://app.example")
            #expect(put["Access-Control-Expose-Headers"] == "ETag, x-amz-request-id")
            let get = try await gateway.send("GET", "/bucket/key", page)
            #expect(get["Access-Control-Allow-Origin"] == "*" && get.text == "x")
            let missing = try await gateway.send("GET", "/bucket/none", page)
            #expect(missing.status == 404 && missing["Access-Control-Allow-Origin"] == "*")
            // Cached for who is no page, it must not be taken for the answer to one.
            let plain = try await gateway.send("GET", "/bucket/key")
            #expect(plain["Vary"]?.contains("Origin") == true)
            #expect(plain["Access-Control-Allow-Origin"] == nil)
            // No rule has DELETE: a page may not, and is told nothing.
            let delete = try await gateway.send("DELETE", "/bucket/key", page)
            #expect(delete.code == "AccessDenied")
            #expect(delete["Access-Control-Allow-Origin"] == nil)
            // A page that may write here copies nothing here that it may not read.
            _ = try await gateway.node.createBucket("plain")
            _ = try await gateway.send("PUT", "/plain/key", body: "secret")
            let copy = page + [("x-amz-copy-source", "/plain/key")]
            #expect(try await gateway.send("PUT", "/bucket/copy", copy).code == "AccessDenied")
            let own = page + [("x-amz-copy-source", "/bucket/key")]
            #expect(try await gateway.send("PUT", "/bucket/copy", own).status == 200)
            // A page among the objects is not of the gateway's own origin.
            for target in ["/bucket/key", "/v1/objects/bucket/key"] {
                let object = try await gateway.send("GET", target)
                #expect(object["Content-Security-Policy"] == "sandbox", "\(target)")
            }
            // The rules are about objects: no page changes the bucket by them.
            for target in ["/bucket?acl", "/bucket?cors", "/bucket?tagging", "/bucket"] {
                let reply = try await gateway.send("PUT", target, page, body: "")
                #expect(reply.code == "AccessDenied", "\(target)")
            }
            #expect(
                try await gateway.send("POST", "/bucket?delete", page, body: "").code
                    == "AccessDenied")
            let other = [("Origin", "https://evil.example"), ("Host", "store")]
            #expect(try await gateway.send("PUT", "/bucket/key", other, body: "y").status == 403)
        }
    }

    @Test func `an answer about a bucket without rules says nothing of pages`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let page = [("Origin", "https://app.example")]
            for target in ["/bucket", "/bucket/key", "/"] {
                let reply = try await gateway.send("GET", target, page)
                #expect(reply["Access-Control-Allow-Origin"] == nil && reply["Vary"] == nil)
            }
        }
    }
}
