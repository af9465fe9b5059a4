import Testing
import VortexCore

@testable import VortexGateway

struct S3BucketTests {
    private func root(_ reply: Reply) throws -> XMLElement { try XMLElement.parse(reply.body) }

    @Test func `a bucket is made, found, listed, and deleted when empty`() async throws {
        try await GatewayFixture.run { gateway in
            let location =
                "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
                + "</CreateBucketConfiguration>"
            let made = try await gateway.send("PUT", "/bucket-b", body: location)
            #expect(made.status == 200 && made["Location"] == "/bucket-b")
            #expect(try await gateway.send("PUT", "/bucket-b", body: "").status == 200)
            #expect(try await gateway.send("PUT", "/bucket-a/", body: "").status == 200)
            #expect(try await gateway.send("PUT", "/bucket-c", body: "<x").code == "MalformedXML")
            let head = try await gateway.send("HEAD", "/bucket-a")
            #expect(head.status == 200 && head["x-amz-bucket-region"] == "us-east-1")
            #expect(try await gateway.send("HEAD", "/bucket-c").status == 404)
            let list = try root(try await gateway.send("GET", "/"))
            #expect(list.name == "ListAllMyBucketsResult")
            let names = list.child("Buckets")?.all("Bucket").compactMap { $0.value("Name") }
            #expect(names == ["bucket-a", "bucket-b"])
            let one = try root(try await gateway.send("GET", "/?max-buckets=1"))
            #expect(one.child("Buckets")?.children.count == 1)
            let token = try #require(one.value("ContinuationToken"))
            let rest = try root(
                try await gateway.send("GET", "/?max-buckets=1&continuation-token=\(token)"))
            #expect(rest.child("Buckets")?.all("Bucket").map { $0.value("Name") } == ["bucket-b"])
            #expect(rest.value("ContinuationToken") == nil)
            _ = try await gateway.send("PUT", "/bucket-a/key", body: "x")
            let full = try await gateway.send("DELETE", "/bucket-a")
            #expect(full.status == 409 && full.code == "BucketNotEmpty")
            #expect(try await gateway.send("DELETE", "/bucket-b").status == 204)
            #expect(try await gateway.send("DELETE", "/bucket-b").code == "NoSuchBucket")
        }
    }

    @Test func `what is always so of a bucket is told`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let location = try await gateway.send("GET", "/bucket?location")
            #expect(
                location.text.hasSuffix(
                    "<LocationConstraint xmlns=\"\(XMLWriter.namespace)\"></LocationConstraint>"))
            let versioning = try root(try await gateway.send("GET", "/bucket?versioning"))
            #expect(versioning == XMLElement(name: "VersioningConfiguration"))
            let acl = try root(try await gateway.send("GET", "/bucket?acl"))
            let grant = acl.child("AccessControlList")?.child("Grant")
            #expect(grant?.value("Permission") == "FULL_CONTROL")
            for query in ["location", "versioning", "acl"] {
                let reply = try await gateway.send("GET", "/missing?\(query)")
                #expect(reply.code == "NoSuchBucket")
            }
        }
    }

    @Test func `hosts below the domain name buckets`() async throws {
        try await GatewayFixture.run(domain: "store.example") { gateway in
            let host = [("Host", "photos.store.example:8080")]
            #expect(try await gateway.send("PUT", "/", host, body: "").status == 200)
            #expect(try await gateway.send("PUT", "/v1/a", host, body: "x").status == 200)
            #expect(try await gateway.send("GET", "/photos/v1/a").text == "x")
            let plain = [("Host", "store.example")]
            #expect(try await gateway.send("GET", "/photos/v1/a", plain).text == "x")
            let list = try root(try await gateway.send("GET", "/", host))
            #expect(list.all("Contents").map { $0.value("Key") } == ["v1/a"])
        }
    }

    static let keys = ["a", "b/1", "b/2", "c/1", "d&e", "ü"]

    private func filled(_ body: @Sendable (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            for key in Self.keys {
                let path = String(decoding: PercentCoding.encode(key.utf8), as: UTF8.self)
                _ = try await gateway.send("PUT", "/bucket/\(path)", body: key)
            }
            try await body(gateway)
        }
    }

    @Test(arguments: [1, 2, 3, 1_000])
    func `pages of a listing of either version make the whole`(limit: Int) async throws {
        try await filled { gateway in
            for isSecond in [false, true] {
                var (keys, prefixes): ([String], [String]) = ([], [])
                var cursor = ""
                var pages = 0
                repeat {
                    let query = isSecond ? "list-type=2&" : ""
                    let reply = try await gateway.send(
                        "GET", "/bucket?\(query)delimiter=%2F&max-keys=\(limit)\(cursor)")
                    let page = try root(reply)
                    #expect(page.name == "ListBucketResult" && page.value("Name") == "bucket")
                    keys += page.all("Contents").compactMap { $0.value("Key") }
                    prefixes += page.all("CommonPrefixes").compactMap { $0.value("Prefix") }
                    let count = page.all("Contents").count + page.all("CommonPrefixes").count
                    #expect(count <= limit)
                    let next = page.value(isSecond ? "NextContinuationToken" : "NextMarker")
                    #expect(page.value("IsTruncated") == (next == nil ? "false" : "true"))
                    if isSecond { #expect(page.value("KeyCount") == String(count)) }
                    cursor =
                        next.map { next in
                            let value = String(
                                decoding: PercentCoding.encode(next.utf8), as: UTF8.self)
                            return isSecond ? "&continuation-token=\(value)" : "&marker=\(value)"
                        } ?? ""
                    pages += 1
                } while !cursor.isEmpty && pages < 20
                #expect(keys == ["a", "d&e", "ü"])
                #expect(prefixes == ["b/", "c/"])
            }
        }
    }

    @Test func `a listing shows size, tag and time, and begins where it is told`() async throws {
        try await filled { gateway in
            let reply = try await gateway.send(
                "GET", "/bucket?list-type=2&prefix=b&start-after=b%2F1&fetch-owner=true")
            let page = try root(reply)
            let entry = try #require(page.all("Contents").first)
            #expect(page.all("Contents").count == 1 && entry.value("Key") == "b/2")
            #expect(entry.value("Size") == "3" && entry.value("StorageClass") == "STANDARD")
            #expect(entry.value("ETag")?.count == 34)
            #expect(entry.child("Owner")?.value("ID") == S3Owner.id)
            #expect(entry.value("LastModified")?.hasSuffix("Z") == true)
            let none = try root(try await gateway.send("GET", "/bucket?max-keys=0"))
            #expect(none.value("IsTruncated") == "false" && none.all("Contents").isEmpty)
        }
    }

    @Test(arguments: [
        ("/bucket?max-keys=x", "InvalidArgument"), ("/bucket?max-keys=-1", "InvalidArgument"),
        ("/bucket?list-type=3", "InvalidArgument"), ("/bucket?encoding-type=x", "InvalidArgument"),
        ("/bucket?list-type=2&continuation-token=x", "InvalidArgument"),
        ("/bucket?prefix=%FF", "InvalidArgument"), ("/bucket?prefix=a&prefix=b", "InvalidArgument"),
        ("/missing", "NoSuchBucket"), ("/BUCKET", "InvalidBucketName"),
        ("/bucket/%FF", "InvalidURI"), ("/bucket/%4", "InvalidURI"),
        ("/bucket?versions&version-id-marker=null", "InvalidArgument"),
        ("/bucket?versions&key-marker=a&version-id-marker=x", "InvalidArgument"),
        ("/bucket/key?uploadId=1", "NoSuchUpload"),
        ("/bucket?policy", "NotImplemented"), ("/bucket/key?tagging", "NoSuchKey"),
        ("/bucket?acl&policy", "InvalidRequest"), ("/bucket/key?versionId=1", "InvalidArgument"),
        ("/bucket/key?versionId", "InvalidArgument"),
        ("/bucket/key?versionId=null", "NoSuchVersion"),
        ("/bucket/key?partNumber=1", "NoSuchKey"),
    ])
    func `what cannot be done is refused with its code`(target: String, code: String) async throws {
        try await filled { gateway in
            let reply = try await gateway.send("GET", target)
            #expect(reply.code == code)
            #expect(reply.text.contains("<RequestId>r1</RequestId>"))
        }
    }

    @Test func `every operation is known by name, those that are not there are 501`() async throws {
        try await filled { gateway in
            for route in S3Routes.table where route.operation == nil {
                let path = ["service": "/", "bucket": "/bucket", "object": "/bucket/a"]
                let scope = try #require(path["\(route.scope)"])
                let target = scope + (route.subresource.map { "?\($0)" } ?? "")
                let reply = try await gateway.send(route.method, target, body: "")
                #expect(reply.status == 501 && reply.code == "NotImplemented", "\(route.name)")
            }
            let reply = try await gateway.send("PATCH", "/bucket/a", body: "")
            #expect(reply.status == 405 && reply.code == "MethodNotAllowed")
        }
    }
}
