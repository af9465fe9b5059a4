import Testing
import VortexCore

@testable import VortexGateway

struct ContentHeadersTests {
    typealias Headers = [(name: String, value: String)]

    @Test func `content headers and metadata go in and come out`() throws {
        let headers: Headers = [
            ("Content-TYPE", "text/plain; charset=utf-8"), ("content-encoding", "gzip"),
            ("content-disposition", "attachment; filename=\"ü\""), ("content-language", "de"),
            ("cache-control", "max-age=1"), ("expires", "0"), ("host", "x"),
            ("X-Vortex-Meta-B", "2"), ("x-vortex-meta-a", "é"),
        ]
        let attributes = try ContentHeaders.attributes(of: headers)
        let out = ContentHeaders.headers(of: attributes)
        #expect(
            out.map { "\($0.0): \($0.1)" } == [
                "Content-Type: text/plain; charset=utf-8", "Content-Encoding: gzip",
                "Content-Disposition: attachment; filename=\"ü\"", "Content-Language: de",
                "Cache-Control: max-age=1", "Expires: 0", "x-vortex-meta-a: é",
                "x-vortex-meta-b: 2",
            ])
        #expect(
            ContentHeaders.headers(of: ObjectAttributes()).map(\.1) == ["application/octet-stream"])
    }

    @Test(
        arguments: [
            ([("content-type", "a\nb")], .malformed(.contentHeader)),
            ([("content-type", "a"), ("Content-Type", "b")], .duplicate(.contentHeader)),
            ([("x-vortex-meta-", "b")], .malformed(.userMetadata)),
            ([("x-vortex-meta-a b", "b")], .malformed(.userMetadata)),
            ([("x-vortex-meta-a", "\u{0}")], .malformed(.userMetadata)),
            ([("x-vortex-meta-a", "1"), ("x-vortex-meta-A", "2")], .duplicate(.userMetadata)),
            ([("x-vortex-meta-a", String(repeating: "x", count: 8_192))], .tooLarge(.userMetadata)),
        ] as [(Headers, RequestError)])
    func `what cannot be kept is refused`(headers: Headers, error: RequestError) {
        #expect(throws: error) { try ContentHeaders.attributes(of: headers) }
    }

    @Test(arguments: [
        ("Content-Range", "bytes 0-1/2"), ("x-amz-copy-source", "/a/b"), ("x-amz-acl", "private"),
        ("X-Amz-Meta-A", "1"), ("If-Unmodified-Since", "x"), ("X-HTTP-Method-Override", "DELETE"),
        ("content-encoding", "aws-chunked,gzip"), ("x-vortex-replicas", "2"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ])
    func `a header that would change a write is not passed over`(name: String, value: String) {
        var refused: RequestError?
        do throws(RequestError) { try UnsupportedHeaders.refuse([(name, value)]) } catch {
            refused = error
        }
        #expect(refused.map { Problem(refused: $0).type } == .notImplemented)
    }

    @Test func `harmless headers are passed over`() throws {
        let headers: Headers = [
            ("x-amz-date", "x"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-vortex-meta-a", "1"), ("range", "bytes=0-1"), ("content-encoding", "gzip"),
        ]
        try UnsupportedHeaders.refuse(headers)
    }

    @Test(
        arguments: [
            ("Bearer secret", true), ("bearer  secret", true), ("Bearer secre", false),
            ("Bearer secretsecret", false), ("Bearer ", false), ("Basic secret", false),
            (nil, false),
            ("Bearer Secret", false), ("Bearer secret ", false),
        ] as [(String?, Bool)])
    func `only the whole token is let in`(authorization: String?, admitted: Bool) {
        #expect(BearerToken(Array("secret".utf8)).admits(authorization) == admitted)
    }
}
