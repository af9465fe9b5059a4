import Crypto
import Testing
import VortexCore

@testable import VortexGateway

/// Objects by S3, on an open gateway: who may is `S3AccessTests`' matter.
struct S3ObjectTests {
    private static let digest = "9dd4e461268c8034f5c8564e155c67a6"  // MD5 of "x"

    private func run(_ body: @Sendable (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/bucket", body: "").status == 200)
            try await body(gateway)
        }
    }

    @Test func `what is put comes back, with the MD5 as its tag, by both APIs`() async throws {
        try await run { gateway in
            let headers = [
                ("Content-Type", "text/plain"), ("x-amz-meta-Color", "blue"),
                ("Content-Encoding", "aws-chunked,gzip"), ("Cache-Control", "no-cache"),
            ]
            let put = try await gateway.send("PUT", "/bucket/a%20b/c", headers, body: "x")
            #expect(put.status == 200 && put["ETag"] == "\"\(Self.digest)\"")
            let get = try await gateway.send("GET", "/bucket/a%20b/c")
            #expect(get.text == "x" && get["ETag"] == "\"\(Self.digest)\"")
            #expect(get["Content-Type"] == "text/plain" && get["x-amz-meta-color"] == "blue")
            #expect(get["Content-Encoding"] == "gzip" && get["Cache-Control"] == "no-cache")
            #expect(get["x-amz-request-id"] == "r1")
            let rest = try await gateway.send("GET", "/v1/objects/bucket/a%20b/c")
            #expect(rest.text == "x" && rest["ETag"] == get["ETag"])
            #expect(rest["x-vortex-meta-color"] == "blue")
            let head = try await gateway.send("HEAD", "/bucket/a%20b/c")
            #expect(head.status == 200 && head.contentLength == 1 && head.body.isEmpty)
            #expect(try await gateway.send("DELETE", "/bucket/a%20b/c").status == 204)
            #expect(try await gateway.send("DELETE", "/bucket/a%20b/c").status == 204)
            let gone = try await gateway.send("GET", "/bucket/a%20b/c")
            #expect(gone.status == 404 && gone.code == "NoSuchKey")
        }
    }

    @Test(arguments: [
        "a", "/", "//a", "..", "a/../b", "a//", "ü€😀", "a+b c", "a%25", "?&=", "*'()!",
    ])
    func `any key is its own bytes`(key: String) async throws {
        try await run { gateway in
            let path =
                "/bucket/" + String(decoding: PercentCoding.encode(key.utf8), as: UTF8.self)
            #expect(try await gateway.send("PUT", path, body: key).status == 200)
            #expect(try await gateway.send("GET", path).text == key)
            let list = try await gateway.send("GET", "/bucket?list-type=2&encoding-type=url")
            let root = try XMLElement.parse(list.body)
            let shown = root.all("Contents").compactMap { $0.value("Key") }
            let encoded = PercentCoding.encode(key.utf8, keepsSlash: true)
            #expect(shown == [String(decoding: encoded, as: UTF8.self)])
        }
    }

    @Test(arguments: [0, 1, 16 << 10, (16 << 10) + 1, 1 << 20, (1 << 20) + 1, 3_000_001])
    func `a body of any size has its MD5 as tag, and comes back in ranges`(count: Int) async throws
    {
        try await run { gateway in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let put = try await gateway.send("PUT", "/bucket/key", bytes: bytes)
            let md5 = Hex.string(Array(Insecure.MD5.hash(data: bytes)))
            #expect(put.status == 200 && put["ETag"] == "\"\(md5)\"")
            let whole = try await gateway.send("GET", "/bucket/key")
            #expect(whole.body == bytes && whole.status == 200)
            guard count > 1 else { return }
            let part = try await gateway.send("GET", "/bucket/key", [("Range", "bytes=1-")])
            #expect(part.status == 206 && part.body == Array(bytes[1...]))
            #expect(part["Content-Range"] == "bytes 1-\(count - 1)/\(count)")
            let beyond = try await gateway.send(
                "GET", "/bucket/key", [("Range", "bytes=\(count)-")])
            #expect(beyond.status == 416 && beyond.code == "InvalidRange")
            let copy = try await gateway.send(
                "PUT", "/bucket/copy", [("x-amz-copy-source", "/bucket/key")], body: "")
            #expect(copy.status == 200 && copy.text.contains("&quot;\(md5)&quot;"))
            #expect(try await gateway.send("GET", "/bucket/copy").body == bytes)
        }
    }

    @Test func `aws-chunked with a trailer is taken apart, and its checksum told back`()
        async throws
    {
        try await run { gateway in
            let headers = [
                ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
                ("x-amz-decoded-content-length", "5"), ("Content-Encoding", "aws-chunked"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ]
            let right = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
            let put = try await gateway.send("PUT", "/bucket/key", headers, body: right)
            #expect(put.status == 200 && put["x-amz-checksum-crc32"] == "NhCmhg==")
            let get = try await gateway.send("GET", "/bucket/key")
            #expect(get.text == "hello" && get["Content-Encoding"] == nil)
            for (body, code) in [
                (right.replacing("NhCm", with: "NhCn"), "BadDigest"),
                (right.replacing("hello", with: "hallo"), "BadDigest"),
                (right.replacing("0\r\n", with: ""), "IncompleteBody"),
                (right.replacing("-crc32:", with: "-crc32c:"), "MalformedTrailerError"),
                ("5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"),
            ] {
                let reply = try await gateway.send("PUT", "/bucket/other", headers, body: body)
                #expect(reply.code == code, "\(body)")
            }
            #expect(try await gateway.send("GET", "/bucket/other").code == "NoSuchKey")
            var empty = headers
            empty[1].1 = "0"
            let nothing = "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
            #expect(
                try await gateway.send("PUT", "/bucket/empty", empty, body: nothing).status == 200)
            let wrong = nothing.replacing("AAAAAA", with: "AAAAAQ")
            #expect(
                try await gateway.send("PUT", "/bucket/empty", empty, body: wrong).code
                    == "BadDigest")
        }
    }

    @Test(
        arguments: [
            ([("Content-MD5", "ndTkYSaMgDT1yFZOFVxnpg==")], nil),
            ([("Content-MD5", "ndTkYSaMgDT1yFZOFVxnpA==")], "BadDigest"),
            ([("Content-MD5", "x")], "InvalidDigest"),
            ([("x-amz-checksum-crc32", "jNxgwQ==")], "BadDigest"),
            ([("x-amz-checksum-sha1", "EfbZwYhYsQ==")], "InvalidRequest"),
            ([("x-amz-trailer", "x-amz-checksum-crc32")], "InvalidRequest"),
            ([("x-amz-server-side-encryption", "AES256")], "NotImplemented"),
            ([("x-amz-acl", "public-read")], "NotImplemented"),
            ([("x-amz-acl", "private")], nil),
            ([("x-amz-storage-class", "GLACIER")], "NotImplemented"),
            ([("x-amz-storage-class", "STANDARD")], nil),
            ([("x-amz-tagging", "a=b&a=c")], "InvalidTag"),
            ([("x-amz-unheard-of", "1")], "NotImplemented"),
            ([("x-amz-expected-bucket-owner", "somebody")], "AccessDenied"),
            ([("x-amz-expected-bucket-owner", S3Owner.id)], nil),
            ([("If-None-Match", "\"a\"")], "NotImplemented"),
            ([("x-amz-meta-a", String(repeating: "x", count: 9_000))], "MetadataTooLarge"),
            (
                [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")],
                "MissingContentLength"
            ),
            ([("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], "AccessDenied"),
        ] as [([(String, String)], String?)])
    func `a header is obeyed, or refused by name`(
        headers: [(String, String)], code: String?
    ) async throws {
        try await run { gateway in
            let reply = try await gateway.send("PUT", "/bucket/key", headers, body: "x")
            #expect(reply.code == code && (reply.status == 200) == (code == nil))
            let get = try await gateway.send("GET", "/bucket/key")
            #expect(get.status == (code == nil ? 200 : 404))
        }
    }

    @Test func `conditions on writes hold or are 412, and a retry gets its success again`()
        async throws
    {
        try await run { gateway in
            let create = [("If-None-Match", "*"), ("amz-sdk-invocation-id", "i1")]
            #expect(try await gateway.send("PUT", "/bucket/key", create, body: "x").status == 200)
            #expect(try await gateway.send("PUT", "/bucket/key", create, body: "x").status == 200)
            var other = create
            other[1].1 = "i2"
            let lost = try await gateway.send("PUT", "/bucket/key", other, body: "x")
            #expect(lost.status == 412 && lost.code == "PreconditionFailed")
            #expect(lost.condition == "If-None-Match")
            let tag = "\"\(Self.digest)\""
            let update = [("If-Match", tag)]
            #expect(try await gateway.send("PUT", "/bucket/key", update, body: "y").status == 200)
            let late = try await gateway.send("PUT", "/bucket/key", update, body: "z")
            #expect(late.status == 412 && late.condition == "If-Match")
            #expect(try await gateway.send("DELETE", "/bucket/key", update).status == 412)
            #expect(try await gateway.send("GET", "/bucket/key").text == "y")
            #expect(
                try await gateway.send("DELETE", "/bucket/key", [("If-Match", "*")]).status == 204)
        }
    }

    @Test func `conditions on reads hold, or are 304 or 412`() async throws {
        try await run { gateway in
            let put = try await gateway.send("PUT", "/bucket/key", body: "x")
            let tag = try #require(put["ETag"])
            for (header, value, status) in [
                ("If-Match", tag, 200), ("If-Match", Self.digest, 200), ("If-Match", "\"a\"", 412),
                ("If-None-Match", tag, 304), ("If-None-Match", "\"a\", \(tag)", 304),
                ("If-None-Match", "\"a\"", 200), ("If-None-Match", "*", 304),
                ("If-Modified-Since", "Fri, 15 Jan 2038 00:00:00 GMT", 304),
                ("If-Unmodified-Since", "Fri, 15 Jan 2010 00:00:00 GMT", 412),
                ("If-Unmodified-Since", "nonsense", 200),
            ] {
                let reply = try await gateway.send("GET", "/bucket/key", [(header, value)])
                #expect(reply.status == status, "\(header): \(value)")
                if status == 412 { #expect(reply.condition == header) }
            }
        }
    }

    @Test func `a copy takes the metadata along or is given its own`() async throws {
        try await run { gateway in
            _ = try await gateway.send(
                "PUT", "/bucket/a%2Bb", [("x-amz-meta-n", "1"), ("Content-Type", "a/b")], body: "x")
            func copy(_ target: String, _ headers: [(String, String)]) async throws -> Reply {
                try await gateway.send(
                    "PUT", target, [("x-amz-copy-source", "bucket/a%2Bb")] + headers, body: "")
            }
            #expect(try await copy("/bucket/copy", []).status == 200)
            let kept = try await gateway.send("HEAD", "/bucket/copy")
            #expect(kept["x-amz-meta-n"] == "1" && kept["Content-Type"] == "a/b")
            let replace = [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", "2")]
            #expect(try await copy("/bucket/copy", replace).status == 200)
            let replaced = try await gateway.send("HEAD", "/bucket/copy")
            #expect(replaced["x-amz-meta-n"] == nil && replaced["x-amz-meta-m"] == "2")
            #expect(try await copy("/bucket/a%2Bb", []).code == "InvalidRequest")
            #expect(try await copy("/bucket/a%2Bb", replace).status == 200)
            let failed = try await copy("/bucket/c", [("x-amz-copy-source-if-match", "\"a\"")])
            #expect(failed.status == 412 && failed.condition == "x-amz-copy-source-If-Match")
            #expect(
                try await copy("/bucket/c", [("x-amz-metadata-directive", "MOVE")]).code
                    == "InvalidArgument")
            for (source, code) in [
                ("/bucket/none", "NoSuchKey"), ("/none/key", "NoSuchBucket"),
                ("bucket", "InvalidArgument"), ("bucket/key?versionId=3", "InvalidArgument"),
            ] {
                let reply = try await gateway.send(
                    "PUT", "/bucket/c", [("x-amz-copy-source", source)], body: "")
                #expect(reply.code == code, "\(source)")
            }
        }
    }

    @Test func `a plus in the name of what is copied is a space, as in a form`() async throws {
        try await run { gateway in
            for (key, body) in [("a%20b", "space"), ("a%2Bb", "plus")] {
                _ = try await gateway.send("PUT", "/bucket/\(key)", body: body)
            }
            for (source, body) in [
                ("a+b", "space"), ("a%20b", "space"), ("a b", "space"), ("a%2Bb", "plus"),
            ] {
                let headers = [("x-amz-copy-source", "bucket/\(source)")]
                let copied = try await gateway.send("PUT", "/bucket/copy", headers, body: "")
                #expect(copied.status == 200, "\(source)")
                #expect(try await gateway.send("GET", "/bucket/copy").text == body, "\(source)")
            }
        }
    }

    @Test func `a client may say which date of the interface it was made for`() async throws {
        try await run { gateway in
            let dated = [("x-amz-api-version", "2006-03-01")]
            let head = try await gateway.send("HEAD", "/bucket", dated)
            #expect(head.status == 200)
            let unknown = [("x-amz-api-versions", "2006-03-01")]
            let refused = try await gateway.send("GET", "/bucket", unknown)
            #expect(refused.code == "NotImplemented")
        }
    }

    @Test func `many are deleted at once, and each tells what became of it`() async throws {
        try await run { gateway in
            for number in 0..<40 {
                _ = try await gateway.send("PUT", "/bucket/k\(number)", body: "x")
            }
            let objects = (0..<40).map { "<Object><Key>k\($0)</Key></Object>" }.joined()
            let wrong = "<Object><Key>k0</Key><VersionId>9</VersionId></Object>"
            let reply = try await gateway.send(
                "POST", "/bucket?delete", body: "<Delete>\(objects)\(wrong)</Delete>")
            let root = try XMLElement.parse(reply.body)
            #expect(root.name == "DeleteResult")
            #expect(
                root.all("Deleted").compactMap { $0.value("Key") } == (0..<40).map { "k\($0)" })
            #expect(root.all("Error").map { $0.value("Code") } == ["InvalidArgument"])
            let list = try await gateway.send("GET", "/bucket")
            #expect(try XMLElement.parse(list.body).all("Contents").isEmpty)
            let quiet = "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>"
            let silent = try await gateway.send("POST", "/bucket?delete", body: quiet)
            #expect(try XMLElement.parse(silent.body).children.isEmpty)
            for body in ["", "<Delete/>", "<Other/>", "<Delete><Object/></Delete>", "<Delete>"] {
                let reply = try await gateway.send("POST", "/bucket?delete", body: body)
                #expect(reply.code == "MalformedXML", "\(body)")
            }
        }
    }
}
