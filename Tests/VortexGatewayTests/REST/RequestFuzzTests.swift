import Testing

@testable import VortexGateway

/// Requests put together at random from what requests are made of.
struct RequestFuzzTests {
    private static let methods = [
        "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "get",
    ]
    private static let pieces = [
        "/", "v1", "objects", "files", "buckets", "uploads", "complete", "placement", "health",
        "live", "k", "delete", "list-type=2", "acl", "uploadId=1", "X-Amz-Signature=1",
        "max-keys=2", "..", "%2F", "%00", "%", "%FF", "é", "🦑", "?", "&", "=", "prefix",
        "delimiter",
        "after", "limit", "1", "+", "bucket=files", "key=k", "http://h", "#", " ",
        "0193550b9ac77a1c00000000deadbeef",
    ]
    private static let headers = [
        "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since",
        "If-Unmodified-Since", "Content-MD5", "Content-Digest", "Repr-Digest", "Idempotency-Key",
        "Content-Type", "Cache-Control", "x-vortex-meta-a", "x-amz-meta-a", "x-amz-copy-source",
        "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-date",
        "x-amz-checksum-crc32", "amz-sdk-invocation-id", "Upload-Offset", "Upload-Complete",
        "Upload-Length", "Authorization", "Content-Range", "Transfer-Encoding", "Expires",
    ]
    private static let values = [
        "*", "\"x\"", "W/\"x\"", "bytes=0-0", "bytes=0-0,-1", "bytes=-0", "bytes=5-", "?1", "?0",
        "0", "3", "18446744073709551616", "sha-256=:AAAA:", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "AAAAAA==",
        "UNSIGNED-PAYLOAD", "files/k", "x-amz-checksum-crc32", "Thu, 01 Jan 1970 00:00:00 GMT", "",
        "\u{0}", "é", "XUFAKrxLKna5cZ2REBfFkg==", "a,b;c=d", "\"", "(", ":",
    ]

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `every request gets an answer of HTTP, and errors are problems`(
        seed: UInt64
    ) async throws {
        try await GatewayFixture.run { gateway in
            var random = SeededGenerator(seed: seed)
            _ = try await gateway.send("PUT", "/v1/buckets/files")
            _ = try await gateway.send("PUT", "/v1/objects/files/k", body: "hello")
            for _ in 0..<1_500 {
                let request = Self.request(&random)
                let reply = try await gateway.send(
                    request.method, request.target, request.headers, body: request.body)
                let what = "\(request)"
                #expect((200...599).contains(reply.status) && reply.status != 500, "\(what)")
                if reply.status >= 400, request.method != "HEAD" {
                    #expect(reply.problem != nil || reply.code != nil, "\(what)")
                }
                if reply.status == 206, let length = reply.contentLength {
                    #expect(length == UInt64(reply.body.count) || request.method == "HEAD")
                }
            }
            let whole = try await gateway.send("GET", "/v1/health/live")
            #expect(whole.status == 200)
        }
    }

    private struct Request {
        var method: String
        var target: String
        var headers: [(String, String)]
        var body: String?
    }

    private static func request(_ random: inout SeededGenerator) -> Request {
        var target = [
            "/v1/objects/files/k", "/v1/objects/files", "/v1/uploads", "/v1/", "", "/files/k",
            "/files", "/files?", "/files/k?",
        ].randomElement(using: &random)!
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            target += pieces.randomElement(using: &random)!
        }
        let fields = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            (headers.randomElement(using: &random)!, values.randomElement(using: &random)!)
        }
        let bodies: [String?] = [nil, "", "hello"]
        return Request(
            method: methods.randomElement(using: &random)!, target: target, headers: fields,
            body: bodies.randomElement(using: &random)!)
    }
}
