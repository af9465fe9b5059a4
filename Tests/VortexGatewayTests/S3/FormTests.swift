import Crypto
import Testing
import VortexCluster
import VortexCore

@testable import VortexGateway

/// A form, as a browser sends it.
struct TestForm {
    var fields: [(String, String)]
    var file = "content"
    var filename = "photo.jpg"
    static let boundary = "----WebKitFormBoundary7MA4YWxk"

    static var headers: [(String, String)] {
        [("Host", "host"), ("Content-Type", "multipart/form-data; boundary=\(boundary)")]
    }

    var body: String {
        var text = ""
        for (name, value) in fields {
            text +=
                "--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n"
                + "\(value)\r\n"
        }
        return text
            + "--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"file\"; "
            + "filename=\"\(filename)\"\r\nContent-Type: image/jpeg\r\n\r\n\(file)\r\n"
            + "--\(Self.boundary)--\r\n"
    }
}

extension S3Client {
    /// A form's fields with a policy that this client has signed. `conditions` are beside those
    /// about the bucket and the signature's own fields.
    func form(
        _ fields: [(String, String)], _ conditions: String, expires: String = "2030-01-01T00:00:00Z"
    ) -> TestForm {
        let scope = SigningScope(date: String(time.date), region: region)
        let credential = "\(keyID)/\(scope.text)"
        let policy = """
            {"expiration": "\(expires)", "conditions": [{"bucket": "bucket"},
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "\(credential)"},
            {"x-amz-date": "\(time.text)"}, \(conditions)]}
            """
        let text = Base64.encode(Array(policy.utf8))
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8), using: scope.key(of: secret))
        return TestForm(
            fields: fields + [
                ("policy", text), ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
                ("x-amz-credential", credential), ("x-amz-date", time.text),
                ("x-amz-signature", Hex.string(Array(code))),
            ])
    }

    func post(_ form: TestForm, _ headers: [(String, String)] = []) async throws -> Reply {
        try await gateway.send("POST", "/bucket", TestForm.headers + headers, body: form.body)
    }
}

struct FormTests {
    private static let anyKey = #"["starts-with", "$key", "up/"]"#

    private func withBucket(_ body: @Sendable (S3Client) async throws -> Void) async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/bucket")
            try await body(client)
        }
    }

    @Test func `a signed form stores its file, with the fields as its headers`() async throws {
        try await withBucket { client in
            let form = client.form(
                [
                    ("key", "up/${filename}"), ("Content-Type", "text/plain"),
                    ("x-amz-meta-color", "red"), ("acl", "private"),
                    ("tagging", S3SettingsTests.tagging([("a", "1")])),
                    ("x-ignore-button", "send"),
                ],
                Self.anyKey + #", ["eq", "$content-type", "text/plain"], {"acl": "private"},"#
                    + #"{"x-amz-meta-color": "red"}, ["starts-with", "$tagging", ""]"#)
            let reply = try await client.post(form, [("Origin", "https://evil.example")])
            #expect(reply.status == 204 && reply.body.isEmpty)
            #expect(reply["Location"] == "http://host/bucket/up/photo.jpg")
            let get = try await client.send("GET", "/bucket/up/photo.jpg")
            #expect(get.text == "content" && get["Content-Type"] == "text/plain")
            #expect(get["x-amz-meta-color"] == "red" && get["x-amz-tagging-count"] == "1")
            #expect(get["ETag"] == reply["ETag"])
        }
    }

    @Test func `success is told as the form wants it`() async throws {
        try await withBucket { client in
            for (asked, status) in [("200", 200), ("201", 201), ("204", 204), ("404", 204)] {
                let form = client.form(
                    [("key", "up/a&b"), ("success_action_status", asked)],
                    Self.anyKey + #", ["starts-with", "$success_action_status", ""]"#)
                let reply = try await client.post(form)
                #expect(reply.status == status)
                guard status == 201 else { continue }
                let root = try XMLElement.parse(reply.body)
                #expect(root.name == "PostResponse" && root.value("Key") == "up/a&b")
                #expect(root.value("Location") == "http://host/bucket/up/a%26b")
                #expect(root.value("Bucket") == "bucket" && root.value("ETag") == reply["ETag"])
            }
            for (address, start) in [
                ("http://a.example/done", "http://a.example/done?bucket=bucket&key=up%2Fk&etag="),
                ("https://a.example/?x=1", "https://a.example/?x=1&bucket=bucket&key=up%2Fk&etag="),
            ] {
                let form = client.form(
                    [("key", "up/k"), ("success_action_redirect", address)],
                    Self.anyKey + #", ["starts-with", "$success_action_redirect", "http"]"#)
                let reply = try await client.post(form)
                #expect(reply.status == 303 && reply["Location"]?.hasPrefix(start) == true)
            }
            let odd = client.form(
                [("key", "up/k"), ("success_action_redirect", "http://a\r\nX: y")],
                Self.anyKey + #", ["starts-with", "$success_action_redirect", "http"]"#)
            #expect(try await client.post(odd).status == 204)
        }
    }

    @Test func `a form's version has a name where the bucket keeps versions`() async throws {
        try await withBucket { client in
            let form = client.form([("key", "up/k")], Self.anyKey)
            #expect(try await client.post(form)["x-amz-version-id"] == nil)
            let status = "<Status>Enabled</Status>"
            let enabled = "<VersioningConfiguration>\(status)</VersioningConfiguration>"
            #expect(
                try await client.send("PUT", "/bucket?versioning", body: enabled).status == 200)
            let named = try await client.post(form)["x-amz-version-id"]
            let read = try await client.send("GET", "/bucket/up/k")
            #expect(named != nil && read["x-amz-version-id"] == named)
        }
    }

    @Test func `what the policy does not allow is not stored`() async throws {
        try await withBucket { client in
            func expect(
                _ fields: [(String, String)], _ conditions: String, _ code: String,
                expires: String = "2030-01-01T00:00:00Z"
            ) async throws {
                let form = client.form(fields, conditions, expires: expires)
                let reply = try await client.post(form)
                #expect(reply.code == code, "\(fields) \(conditions): \(reply.text)")
                #expect(try await client.send("GET", "/bucket").text.contains("<Key>") == false)
            }
            let key = [("key", "up/k")]
            try await expect([("key", "down/k")], Self.anyKey, "AccessDenied")
            try await expect([("key", "${filename}")], Self.anyKey, "AccessDenied")
            try await expect(key, #"["eq", "$key", "up/"]"#, "AccessDenied")
            try await expect(
                [("key", "up/cafe\u{301}")], #"["eq", "$key", "up/caf\u00e9"]"#, "AccessDenied")
            // Refused for what it would make, not for what it makes.
            let many = "up/" + String(repeating: "${filename}", count: 1_800)
            var nameless = client.form([("key", many)], Self.anyKey)
            nameless.filename = ""
            #expect(try await client.post(nameless).code == "KeyTooLongError")
            try await expect(key + [("x-amz-meta-a", "1")], Self.anyKey, "AccessDenied")
            try await expect(key + [("Content-Type", "text/html")], Self.anyKey, "AccessDenied")
            try await expect(key, Self.anyKey + #", {"acl": "private"}"#, "AccessDenied")
            try await expect(key, Self.anyKey, "AccessDenied", expires: "2020-01-01T00:00:00Z")
            try await expect(
                key, Self.anyKey + #", ["content-length-range", 8, 100]"#, "EntityTooSmall")
            try await expect(
                key, Self.anyKey + #", ["content-length-range", 0, 6]"#, "EntityTooLarge")
            try await expect(
                key, Self.anyKey + #", ["content-length-range", 7, 6]"#, "InvalidPolicyDocument")
            try await expect(
                key, Self.anyKey + #", ["content-length-range", -1, 6]"#, "InvalidPolicyDocument")
            for wrong in [#"["like", "$key", ""]"#, #"["eq", "key", ""]"#, "1", "{}", "[[[[[]]]]]"]
            {
                try await expect(key, wrong, "InvalidPolicyDocument")
            }
            try await expect(
                key, Self.anyKey, "InvalidPolicyDocument", expires: "2030-01-01 00:00:00")
            try await expect([], Self.anyKey, "InvalidArgument")
            try await expect(
                key + [("acl", "public-read")], Self.anyKey + #", {"acl": "public-read"}"#,
                "NotImplemented")
            try await expect(
                key + [("x-amz-server-side-encryption", "AES256")],
                Self.anyKey + #", {"x-amz-server-side-encryption": "AES256"}"#, "NotImplemented")
            let fine = client.form(
                key, Self.anyKey + #", ["content-length-range", 7, "7"]"#)
            #expect(try await client.post(fine).status == 204)
        }
    }

    private static let key = [("key", "up/k")]

    /// With the policy of another form.
    private func tampered(_ client: S3Client) -> TestForm {
        let other = client.form(Self.key, #"["starts-with", "$key", ""]"#)
        let form = client.form(Self.key, Self.anyKey)
        return TestForm(
            fields: form.fields.map { field in
                field.0 == "policy" ? other.fields.first { $0.0 == "policy" } ?? field : field
            })
    }

    private func impostor(_ client: S3Client, id: String) -> S3Client {
        var other = client
        other.secret = [1]
        other.keyID = id
        return other
    }

    @Test func `a form whose signature is not right is refused, and counts as an attempt`()
        async throws
    {
        try await withBucket { client in
            let tampered = tampered(client)
            let wrong = impostor(client, id: client.keyID).form(Self.key, Self.anyKey)
            let unknown = impostor(client, id: "NOBODY").form(Self.key, Self.anyKey)
            let replies = [
                try await client.post(tampered), try await client.post(wrong),
                try await client.post(unknown),
            ]
            #expect(
                replies.map(\.code) == [
                    "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidAccessKeyId",
                ])
            #expect(client.gateway.authenticator.failures.total.count == 3)
            let listing = try await client.send("GET", "/bucket")
            #expect(!listing.text.contains("<Key>"))
            for _ in 3..<FailedAttempts.attemptsMax { _ = try await client.post(tampered) }
            let late = try await client.post(client.form(Self.key, Self.anyKey))
            #expect(late.code == "SlowDown")
        }
    }

    @Test(arguments: ["policy", "x-amz-date", "x-amz-algorithm", "x-amz-signature"])
    func `a form that is signed in part is refused`(missing: String) async throws {
        try await withBucket { client in
            let form = client.form(Self.key, Self.anyKey)
            let part = TestForm(fields: form.fields.filter { $0.0 != missing })
            let reply = try await client.post(part)
            #expect(reply.code == "InvalidArgument")
        }
    }

    @Test func `a stranger's form is refused, and that of a key without the grant`()
        async throws
    {
        try await withBucket { client in
            let old = TestForm(fields: Self.key + [("AWSAccessKeyId", "x"), ("Signature", "y")])
            let second = try await client.post(old)
            #expect(second.code == "InvalidRequest")
            let bare = try await client.post(TestForm(fields: Self.key))
            #expect(bare.code == "AccessDenied")
            let unsigned = try await client.post(
                TestForm(fields: Self.key + [("policy", "e30=")]))
            #expect(unsigned.code == "AccessDenied")
            let reader = try await client.with("read,list:bucket;write:bucket/other", id: "READER")
            let denied = try await client.post(reader.form(Self.key, Self.anyKey))
            #expect(denied.code == "AccessDenied")
        }
    }

    @Test func `an open gateway takes a form of its own pages, and of no others`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let client = S3Client(gateway: gateway)
            let form = TestForm(fields: [("key", "k")])
            #expect(try await client.post(form, [("Origin", "http://host")]).status == 204)
            #expect(try await client.post(form).status == 204)
            for page in ["http://evil.example", "null"] {
                #expect(try await client.post(form, [("Origin", page)]).code == "AccessDenied")
            }
            let policy = Base64.encode(
                Array(#"{"expiration": "2020-01-01T00:00:00Z", "conditions": []}"#.utf8))
            let expired = TestForm(fields: [("key", "k"), ("policy", policy)])
            #expect(try await client.post(expired).code == "AccessDenied")
            let missing = try await gateway.send(
                "POST", "/missing", TestForm.headers, body: form.body)
            #expect(missing.code == "NoSuchBucket")
        }
    }

    @Test func `a body that is no form is refused`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let form = TestForm(fields: [("key", "k")])
            func post(_ body: String, type: String? = nil) async throws -> Reply {
                let headers = type.map { [("Content-Type", $0)] } ?? TestForm.headers
                return try await gateway.send("POST", "/bucket", headers, body: body)
            }
            for type in [
                "text/plain", "multipart/form-data", "multipart/form-data; boundary=",
                "multipart/form-data; boundary=\(String(repeating: "b", count: 71))",
                "multipart/form-data; boundary=a\"b", "multipart/form-data; boundary=ü",
            ] {
                #expect(
                    try await post(form.body, type: type).code == "PreconditionFailed", "\(type)")
            }
            let whole = Array(form.body.utf8)
            for end in stride(from: 0, to: whole.count - 2, by: 7) {
                let reply = try await post(String(decoding: whole[..<end], as: UTF8.self))
                #expect(reply.status == 400, "\(end)")
            }
            let line = "--\(TestForm.boundary)\r\nContent-Disposition: form-data; name="
            for body in [
                "", "x" + form.body, "--\(TestForm.boundary)--\r\n", line,
                "\(line)\"a\"\r\n\r\n1\r\n--\(TestForm.boundary)--", "\(line)\"\"\r\n\r\n",
                "--\(TestForm.boundary)\r\n\r\nx\r\n--\(TestForm.boundary)--",
                "\(line)\"key\"\r\n\r\na\r\n\(line)\"KEY\"\r\n\r\nb\r\n" + form.body,
                form.body + String(repeating: "x", count: 100_000),
            ] { #expect(try await post(body).status == 400, "\(body.prefix(200))") }
            #expect(try await gateway.send("GET", "/bucket").text.contains("<Key>") == false)
            let more =
                form.body.dropLast(3) + "\r\nContent-Disposition: form-data; "
                + "name=\"late\"\r\n\r\nx\r\n--\(TestForm.boundary)--\r\n"
            #expect(try await post(String(more)).status == 204)
        }
    }

    @Test func `what comes before the file is bounded, in bytes and in number`() async throws {
        try await GatewayFixture.run(isOpen: false) { gateway in
            let client = S3Client(gateway: gateway)
            let many = TestForm(fields: (0..<101).map { ("f\($0)", "") })
            let large = TestForm(
                fields: [("key", "k"), ("a", String(repeating: "x", count: 20 << 10))])
            let headers = TestForm(
                fields: (0..<90).map { ("f\($0)" + String(repeating: "p", count: 400), "") })
            for form in [many, large, headers] {
                #expect(try await client.post(form).code == "MaxPostPreDataLengthExceededError")
            }
            let lines = String(repeating: "A: b\r\n", count: 1_000)
            let body = "--\(TestForm.boundary)\r\n\(lines)\r\n"
            let reply = try await gateway.send("POST", "/bucket", TestForm.headers, body: body)
            #expect(reply.code == "MalformedPOSTRequest")
        }
    }

    /// The body may come in any pieces; what looks like a delimiter and is none is content.
    @Test(arguments: [1, 2, 3, 7, 64, 4_096])
    func `a file is told from its delimiters however it comes`(piece: Int) throws {
        let boundary = "b-b"
        let content =
            "\r\n--b-\r\n--b\r\r\n--b-c--\r\n-\n--b-b\r--b-b\r\n\r\n--b-" + "\r\n--b-"
        let body = Array("--b-b\r\nX: y\r\n\r\n\(content)\r\n--b-b--".utf8)
        var scanner = try #require(FormScanner(boundary: boundary))
        var found: [UInt8] = []
        var stage = 0
        var given = 0
        loop: while true {
            var wantsMore = false
            switch stage {
            case 0:
                switch scanner.takeDelimiter() {
                case .part: stage = 1
                case .wantsMore: wantsMore = true
                case .end, .malformed:
                    Issue.record("no part")
                    break loop
                }
            case 1:
                if scanner.takeHeader(8) != nil { stage = 2 } else { wantsMore = true }
            case 2:
                let (bytes, isAll) = scanner.takeContent(5)
                found += bytes
                if isAll { stage = 3 } else { wantsMore = bytes.isEmpty }
            default:
                switch scanner.takeDelimiter() {
                case .end: break loop
                case .wantsMore: wantsMore = true
                case .part, .malformed:
                    Issue.record("no end")
                    break loop
                }
            }
            guard wantsMore else { continue }
            guard given < body.count else {
                Issue.record("stage \(stage) wants more than there is")
                break
            }
            let next = min(body.count, given + piece)
            body[given..<next].withUnsafeBytes { scanner.add($0) }
            given = next
            #expect(scanner.heldBytes <= piece + 200)
        }
        #expect(String(decoding: found, as: UTF8.self) == content)
    }

    @Test(
        arguments: [
            (#"form-data; name="file"; filename="a.txt""#, "a.txt"),
            (#"form-data; name="file"; filename="C:\dir\a.txt""#, #"C:\dir\a.txt"#),
            (#"form-data; name="file"; filename="a\"b""#, #"a"b"#),
            (#"Form-Data;name=file;filename=a.txt"#, "a.txt"),
            (#"form-data; name="file"; filename="ü;x=y""#, "ü;x=y"),
            (#"form-data; name="file"; filename="a"; filename="b""#, nil),
            (#"form-data; name="file"; filename="a"#, nil), (#"attachment; filename="a""#, nil),
            (#"form-data; name="file" filename="a""#, nil), (#"form-data; =x"#, nil),
        ] as [(String, String?)])
    func `parameters are read as browsers write them`(text: String, filename: String?) {
        #expect(FormParameters(text, of: "form-data")?["filename"] == filename)
    }
}
