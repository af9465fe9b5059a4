import Testing
import VortexCluster
import VortexCore

@testable import VortexGateway

/// Buckets that anybody may read, and nobody else may write.
struct S3PublicTests {
    private static let publicRead = [("x-amz-acl", "public-read")]

    private func withPublic(_ body: @Sendable (S3Client) async throws -> Void) async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/open", Self.publicRead)
            _ = try await client.send("PUT", "/shut")
            for bucket in ["open", "shut"] {
                _ = try await client.send("PUT", "/\(bucket)/key", body: "text of \(bucket)")
            }
            try await body(client)
        }
    }

    @Test func `a stranger reads and lists a public-read bucket, by both APIs`() async throws {
        try await withPublic { client in
            let gateway = client.gateway
            #expect(try await gateway.send("GET", "/open/key").text == "text of open")
            let head = try await gateway.send("HEAD", "/open/key")
            #expect(head.status == 200 && head.contentLength == 12)
            #expect(try await gateway.send("GET", "/open").text.contains("<Key>key</Key>"))
            #expect(
                try await gateway.send("GET", "/open?list-type=2").text.contains("<Key>key</Key>"))
            #expect(try await gateway.send("HEAD", "/open").status == 200)
            #expect(try await gateway.send("GET", "/open/other").code == "NoSuchKey")
            #expect(
                try await gateway.send("GET", "/v1/objects/open/key").text == "text of open")
            #expect(try await gateway.send("HEAD", "/v1/objects/open/key").status == 200)
            #expect(try await gateway.send("GET", "/v1/objects/open").text.contains("\"key\""))
            let range = try await gateway.send("GET", "/open/key", [("Range", "bytes=0-3")])
            #expect(range.status == 206 && range.text == "text")
            let named = try await gateway.send(
                "GET", "/open/key?response-content-type=text%2Fhtml")
            #expect(named.code == "InvalidRequest")
        }
    }

    @Test func `what was deleted of a public-read bucket is not everybody's`() async throws {
        try await withPublic { client in
            let enabled =
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            _ = try await client.send("PUT", "/open?versioning", body: enabled)
            #expect(try await client.send("DELETE", "/open/key").status == 204)
            let named = try await client.gateway.send("GET", "/open/key?versionId=null")
            #expect(named.code == "AccessDenied")
            let other = try await client.gateway.send("GET", "/v1/objects/open/key?version=null")
            #expect(other.status == 401)
            #expect(try await client.send("GET", "/open/key?versionId=null").status == 200)
            let writer = try await client.with("write:shut", id: "WRITER")
            let source = [("x-amz-copy-source", "/open/key?versionId=null")]
            #expect(try await writer.send("PUT", "/shut/copy", source).code == "AccessDenied")
        }
    }

    @Test func `a stranger writes nothing and learns nothing of a public-read bucket`()
        async throws
    {
        try await withPublic { client in
            for (method, target) in [
                ("PUT", "/open/key"), ("DELETE", "/open/key"), ("PUT", "/open"),
                ("DELETE", "/open"), ("POST", "/open?delete"), ("GET", "/open?acl"),
                ("PUT", "/open?acl"), ("GET", "/open?tagging"), ("GET", "/open?cors"),
                ("GET", "/open?location"), ("GET", "/open?uploads"), ("GET", "/open?versioning"),
                ("POST", "/open/key?uploads"), ("GET", "/open/key?tagging"),
                ("GET", "/open/key?acl"), ("GET", "/open/key?attributes"), ("GET", "/"),
                ("GET", "/shut"), ("GET", "/shut/key"), ("HEAD", "/shut"), ("GET", "/none"),
                ("GET", "/none/key"), ("GET", "/open?acl&policy"), ("PATCH", "/open"),
                ("GET", "/open?policy"), ("GET", "/X/key"),
            ] where target != "/X/key" || method == "GET" {
                let reply = try await client.gateway.send(method, target, body: "")
                let isRest = target == "/X/key"
                #expect(reply.status == (isRest ? 401 : 403), "\(method) \(target)")
                if !isRest, method != "HEAD" { #expect(reply.code == "AccessDenied") }
            }
            for (method, target) in [
                ("PUT", "/v1/objects/open/new"), ("DELETE", "/v1/objects/open/key"),
                ("GET", "/v1/objects/shut/key"), ("GET", "/v1/objects/shut"),
                ("GET", "/v1/objects/none"), ("GET", "/v1/buckets/open"), ("GET", "/v1/buckets"),
                ("GET", "/v1/placement/open/key"), ("POST", "/v1/uploads?bucket=open&key=k"),
                ("DELETE", "/v1/buckets/open"), ("GET", "/v1/keys"),
                ("GET", "/v1/uploads/00000000000000000000000000000000"), ("GET", "/v1/nothing"),
            ] {
                let reply = try await client.gateway.send(method, target, body: "")
                #expect(reply.problem == "unauthenticated", "\(method) \(target)")
            }
            #expect(try await client.send("GET", "/open/key").text == "text of open")
        }
    }

    @Test func `public-read that was taken back, or is ignored, lets nobody in`() async throws {
        try await withPublic { client in
            let gateway = client.gateway
            let ignore = S3SettingsTests.block([("IgnorePublicAcls", true)])
            _ = try await client.send("PUT", "/open?publicAccessBlock", body: ignore)
            for target in ["/open/key", "/open"] {
                #expect(try await gateway.send("GET", target).code == "AccessDenied")
            }
            _ = try await client.send("DELETE", "/open?publicAccessBlock")
            #expect(try await gateway.send("GET", "/open/key").status == 200)
            _ = try await client.send("PUT", "/open?acl", [("x-amz-acl", "private")])
            for target in ["/open/key", "/open"] {
                #expect(try await gateway.send("GET", target).code == "AccessDenied")
            }
            #expect(
                try await gateway.send("GET", "/v1/objects/open/key").problem
                    == "unauthenticated")
        }
    }

    @Test func `a key without a grant reads what everybody may, and no more`() async throws {
        try await withPublic { client in
            let other = try await client.with("read,write:mine", id: "OTHER")
            #expect(try await other.send("GET", "/open/key").text == "text of open")
            #expect(try await other.send("GET", "/open").status == 200)
            #expect(try await other.send("HEAD", "/open").status == 200)
            #expect(try await other.send("GET", "/v1/objects/open/key").status == 200)
            #expect(try await other.send("GET", "/shut/key").code == "AccessDenied")
            #expect(try await other.send("PUT", "/open/key", body: "x").code == "AccessDenied")
            #expect(try await other.send("GET", "/open?acl").code == "AccessDenied")
        }
    }

    @Test func `what everybody may read anybody may copy, to where they may write`()
        async throws
    {
        try await withPublic { client in
            _ = try await client.send("PUT", "/mine")
            let other = try await client.with("read,write:mine", id: "OTHER")
            func copy(_ source: String, to target: String) async throws -> Reply {
                try await other.send("PUT", target, [("x-amz-copy-source", source)])
            }
            #expect(try await copy("open/key", to: "/mine/copy").status == 200)
            #expect(try await other.send("GET", "/mine/copy").text == "text of open")
            #expect(try await copy("shut/key", to: "/mine/two").code == "AccessDenied")
            #expect(try await copy("none/key", to: "/mine/two").code == "AccessDenied")
            #expect(try await copy("open/key", to: "/shut/copy").code == "AccessDenied")
            let begun = try await other.send("POST", "/mine/parts?uploads")
            let id = try #require(try XMLElement.parse(begun.body).value("UploadId"))
            let part = "/mine/parts?uploadId=\(id)&partNumber=1"
            #expect(try await copy("open/key", to: part).status == 200)
            #expect(try await copy("shut/key", to: part).code == "AccessDenied")
            let stranger = try await client.gateway.send(
                "PUT", "/open/copy", [("x-amz-copy-source", "open/key")])
            #expect(stranger.code == "AccessDenied")
        }
    }

    @Test func `a page of another origin changes nothing at an open gateway`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            _ = try await gateway.send("PUT", "/bucket/key", body: "x")
            let host = ("Host", "localhost:8080")
            let delete = "<Delete><Object><Key>key</Key></Object></Delete>"
            for page in ["http://evil.example", "null", "http://localhost:8081", "file://"] {
                let headers = [host, ("Origin", page)]
                for (method, target) in [
                    ("POST", "/bucket?delete"), ("PUT", "/bucket/key"), ("DELETE", "/bucket/key"),
                    ("POST", "/bucket/key?uploads"), ("PUT", "/bucket"),
                ] {
                    let reply = try await gateway.send(method, target, headers, body: delete)
                    #expect(reply.code == "AccessDenied", "\(page) \(method) \(target)")
                }
                for (method, target) in [
                    ("POST", "/v1/keys?grants=admin:*"), ("PUT", "/v1/objects/bucket/key"),
                    ("DELETE", "/v1/buckets/bucket"),
                    ("POST", "/v1/uploads?bucket=bucket&key=k"),
                ] {
                    let reply = try await gateway.send(method, target, headers, body: "")
                    #expect(reply.problem == "forbidden", "\(page) \(method) \(target)")
                }
                // What it reads the browser does not show it.
                let read = try await gateway.send("GET", "/bucket/key", headers)
                #expect(read.text == "x" && read["Access-Control-Allow-Origin"] == nil)
            }
            for page in ["http://localhost:8080", "http://LOCALHOST:8080"] {
                let headers = [host, ("Origin", page)]
                let put = try await gateway.send("PUT", "/bucket/key", headers, body: "y")
                #expect(put.status == 200)
                let rest = try await gateway.send(
                    "PUT", "/v1/objects/bucket/key", headers, body: "z")
                #expect(rest.status == 200)
            }
            let proxied = try await gateway.send(
                "PUT", "/bucket/key", [host, ("Origin", "https://store.example")], body: "y",
                forwarded: "store.example:443")
            #expect(proxied.status == 200)
        }
    }
}
