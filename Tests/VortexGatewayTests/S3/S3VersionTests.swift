import Testing
import VortexCore

@testable import VortexGateway

struct S3VersionTests {
    private static func configuration(_ inside: String) -> String {
        "<VersioningConfiguration>\(inside)</VersioningConfiguration>"
    }

    private func set(_ status: String, _ gateway: GatewayFixture) async throws {
        let body = Self.configuration("<Status>\(status)</Status>")
        #expect(try await gateway.send("PUT", "/bucket?versioning", body: body).status == 200)
    }

    private func run(_ body: @Sendable (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            try await set("Enabled", gateway)
            try await body(gateway)
        }
    }

    /// Its name, as the answer tells it.
    private func put(
        _ gateway: GatewayFixture, _ key: String, _ body: String
    ) async throws -> String {
        let reply = try await gateway.send("PUT", "/bucket/\(key)", body: body)
        #expect(reply.status == 200)
        return try #require(reply["x-amz-version-id"])
    }

    private func listing(_ gateway: GatewayFixture, _ query: String = "") async throws -> XMLElement
    {
        try XMLElement.parse(try await gateway.send("GET", "/bucket?versions" + query).body)
    }

    /// `key name`, with `-` behind markers and `*` behind the newest of each key.
    private func shown(_ root: XMLElement) -> [String] {
        root.children.filter { ["Version", "DeleteMarker"].contains($0.name) }.map { entry in
            let marks =
                (entry.name == "DeleteMarker" ? "-" : "")
                + (entry.value("IsLatest") == "true" ? "*" : "")
            return "\(entry.value("Key") ?? "") \(entry.value("VersionId") ?? "")" + marks
        }
    }

    @Test func `versioning is set and told, and what cannot be set is refused by its code`()
        async throws
    {
        try await run { gateway in
            for status in ["Suspended", "Enabled"] {
                try await set(status, gateway)
                let told = try await gateway.send("GET", "/bucket?versioning")
                #expect(try XMLElement.parse(told.body).value("Status") == status)
            }
            for (inside, code) in [
                ("", "IllegalVersioningConfigurationException"),
                ("<Status>Off</Status>", "MalformedXML"),
                ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", "NotImplemented"),
            ] {
                let reply = try await gateway.send(
                    "PUT", "/bucket?versioning", body: Self.configuration(inside))
                #expect(reply.code == code, "\(inside)")
            }
            let other = try await gateway.send("PUT", "/bucket?versioning", body: "<Other/>")
            #expect(other.code == "MalformedXML")
            let missing = try await gateway.send(
                "PUT", "/missing?versioning", body: Self.configuration("<Status>Enabled</Status>"))
            #expect(missing.code == "NoSuchBucket")
        }
    }

    @Test func `each version is read by its name, and the newest without one`() async throws {
        try await run { gateway in
            let (old, new) = (
                try await put(gateway, "key", "old"), try await put(gateway, "key", "new!")
            )
            for (query, body, name) in [
                ("", "new!", new), ("?versionId=\(new)", "new!", new),
                ("?versionId=\(old)", "old", old),
            ] {
                let reply = try await gateway.send("GET", "/bucket/key" + query)
                #expect(reply.text == body && reply["x-amz-version-id"] == name)
                let head = try await gateway.send("HEAD", "/bucket/key" + query)
                #expect(head.status == 200 && head["x-amz-version-id"] == name)
            }
            #expect(try await gateway.send("GET", "/v1/objects/bucket/key").text == "new!")
            let first = try await gateway.send("GET", "/v1/objects/bucket/key?version=\(old)")
            #expect(first.text == "old" && first["x-vortex-version"] == old)
            #expect(
                try await gateway.send("GET", "/v1/objects/bucket/key?version=x").status == 400)
            let none = String(repeating: "0", count: 32)
            let other = try await gateway.send("GET", "/bucket/key?versionId=\(none)")
            #expect(other.status == 404 && other.code == "NoSuchVersion")
            let attributes = try await gateway.send(
                "GET", "/bucket/key?attributes&versionId=\(old)",
                [("x-amz-object-attributes", "ObjectSize")])
            #expect(try XMLElement.parse(attributes.body).value("ObjectSize") == "3")
            #expect(attributes["x-amz-version-id"] == old)
        }
    }

    @Test func `a delete marker is told by header and refused by name`() async throws {
        try await run { gateway in
            let version = try await put(gateway, "key", "x")
            let deleted = try await gateway.send("DELETE", "/bucket/key")
            #expect(deleted.status == 204 && deleted["x-amz-delete-marker"] == "true")
            let marker = try #require(deleted["x-amz-version-id"])
            let gone = try await gateway.send("GET", "/bucket/key")
            #expect(gone.status == 404 && gone.code == "NoSuchKey")
            #expect(gone["x-amz-delete-marker"] == "true" && gone["x-amz-version-id"] == marker)
            for method in ["GET", "HEAD"] {
                let named = try await gateway.send(method, "/bucket/key?versionId=\(marker)")
                #expect(named.status == 405 && named["x-amz-delete-marker"] == "true")
                #expect(named["Last-Modified"] != nil && named["Allow"] == "DELETE")
            }
            #expect(
                try await gateway.send("GET", "/bucket/key?tagging&versionId=\(marker)").code
                    == "MethodNotAllowed")
            #expect(try await gateway.send("GET", "/bucket/key?tagging").code == "NoSuchKey")
            #expect(
                try await shown(listing(gateway)) == ["key \(marker)-*", "key \(version)"])
            let list = try await gateway.send("GET", "/bucket?list-type=2")
            #expect(try XMLElement.parse(list.body).all("Contents").isEmpty)
            #expect(try await gateway.send("DELETE", "/bucket").code == "BucketNotEmpty")
            let undone = try await gateway.send("DELETE", "/bucket/key?versionId=\(marker)")
            #expect(undone.status == 204 && undone["x-amz-delete-marker"] == "true")
            #expect(undone["x-amz-version-id"] == marker)
            #expect(try await gateway.send("GET", "/bucket/key").text == "x")
            let last = try await gateway.send("DELETE", "/bucket/key?versionId=\(version)")
            #expect(last.status == 204 && last["x-amz-delete-marker"] == nil)
            #expect(try await shown(listing(gateway)).isEmpty)
            #expect(try await gateway.send("DELETE", "/bucket").status == 204)
        }
    }

    @Test func `suspended, puts and deletes replace the null version`() async throws {
        try await run { gateway in
            let kept = try await put(gateway, "key", "kept")
            try await set("Suspended", gateway)
            #expect(try await put(gateway, "key", "a") == "null")
            #expect(try await put(gateway, "key", "b") == "null")
            #expect(try await shown(listing(gateway)) == ["key null*", "key \(kept)"])
            #expect(try await gateway.send("GET", "/bucket/key?versionId=null").text == "b")
            let deleted = try await gateway.send("DELETE", "/bucket/key")
            #expect(deleted["x-amz-version-id"] == "null")
            #expect(deleted["x-amz-delete-marker"] == "true")
            #expect(try await shown(listing(gateway)) == ["key null-*", "key \(kept)"])
        }
    }

    @Test func `where versions were never kept, nothing is said of them`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let put = try await gateway.send("PUT", "/bucket/key", body: "x")
            #expect(put["x-amz-version-id"] == nil)
            #expect(try await gateway.send("GET", "/bucket/key")["x-amz-version-id"] == nil)
            #expect(try await gateway.send("GET", "/bucket/key?versionId=null").text == "x")
            #expect(try await shown(listing(gateway)) == ["key null*"])
            let deleted = try await gateway.send("DELETE", "/bucket/key")
            #expect(deleted.status == 204 && deleted["x-amz-version-id"] == nil)
            #expect(try await shown(listing(gateway)).isEmpty)
        }
    }

    @Test func `a version is copied and tagged by its name`() async throws {
        try await run { gateway in
            let old = try await put(gateway, "key", "old")
            let new = try await put(gateway, "key", "new")
            let copied = try await gateway.send(
                "PUT", "/bucket/key", [("x-amz-copy-source", "bucket/key?versionId=\(old)")])
            #expect(copied.status == 200 && copied["x-amz-copy-source-version-id"] == old)
            #expect(copied["x-amz-version-id"] != nil)
            #expect(try await gateway.send("GET", "/bucket/key").text == "old")
            let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
            let tagged = try await gateway.send(
                "PUT", "/bucket/key?tagging&versionId=\(new)", body: tags)
            #expect(tagged.status == 200 && tagged["x-amz-version-id"] == new)
            let told = try await gateway.send("GET", "/bucket/key?tagging&versionId=\(new)")
            #expect(told.text.contains("<Key>a</Key>"))
            #expect(
                try await gateway.send("GET", "/bucket/key")["x-amz-tagging-count"] == nil)
            let marker = try #require(
                try await gateway.send("DELETE", "/bucket/key")["x-amz-version-id"])
            for (source, code) in [
                ("bucket/key", "NoSuchKey"), ("bucket/key?versionId=\(marker)", "InvalidRequest"),
                ("bucket/key?versionId=x", "InvalidArgument"),
            ] {
                let reply = try await gateway.send(
                    "PUT", "/bucket/other", [("x-amz-copy-source", source)])
                #expect(reply.code == code, "\(source)")
            }
        }
    }

    @Test func `many versions and keys are deleted at once, and each tells what became of it`()
        async throws
    {
        try await run { gateway in
            let (old, new) = (
                try await put(gateway, "key", "old"), try await put(gateway, "key", "new")
            )
            _ = try await put(gateway, "other", "x")
            let objects =
                "<Object><Key>key</Key><VersionId>\(new)</VersionId></Object>"
                + "<Object><Key>other</Key></Object>"
            let reply = try await gateway.send(
                "POST", "/bucket?delete", body: "<Delete>\(objects)</Delete>")
            let deleted = try XMLElement.parse(reply.body).all("Deleted")
            #expect(deleted.map { $0.value("VersionId") } == [new, nil])
            #expect(deleted.map { $0.value("DeleteMarker") } == [nil, "true"])
            let marker = try #require(deleted[1].value("DeleteMarkerVersionId"))
            #expect(try await gateway.send("GET", "/bucket/key").text == "old")
            #expect(try await shown(listing(gateway)).contains("other \(marker)-*"))
            #expect(try await shown(listing(gateway)).first == "key \(old)*")
        }
    }

    @Test(arguments: [1, 2, 1_000])
    func `a listing of versions comes in pages, folded where it is asked for`(
        limit: Int
    ) async throws {
        try await run { gateway in
            var wanted: [String] = []
            for key in ["a b", "dir/1", "dir/2", "z"] {
                let (old, new) = (
                    try await put(gateway, key.replacing(" ", with: "%20"), "x"),
                    try await put(gateway, key.replacing(" ", with: "%20"), "y")
                )
                wanted += ["\(key) \(new)*", "\(key) \(old)"]
            }
            var (found, prefixes): ([String], [String]) = ([], [])
            var markers = ""
            repeat {
                let root = try await listing(gateway, "&max-keys=\(limit)&delimiter=/" + markers)
                #expect(root.name == "ListVersionsResult")
                found += shown(root)
                prefixes += root.all("CommonPrefixes").compactMap { $0.value("Prefix") }
                #expect(
                    (root.value("IsTruncated") == "true") == (root.value("NextKeyMarker") != nil))
                markers = ""
                if let key = root.child("NextKeyMarker")?.text {
                    markers = "&key-marker=\(key.replacing(" ", with: "%20"))"
                    let version = root.value("NextVersionIdMarker")
                    if let version { markers += "&version-id-marker=\(version)" }
                }
            } while !markers.isEmpty
            #expect(found == Array(wanted[0..<2] + wanted[6...]))
            #expect(prefixes == ["dir/"])
            let name = wanted[2].split(separator: " ")[1].dropLast()
            let behind = try await listing(
                gateway, "&key-marker=dir/1&version-id-marker=\(name)&prefix=dir/")
            #expect(shown(behind) == Array(wanted[3..<6]))
            let encoded = try await listing(gateway, "&encoding-type=url&max-keys=1")
            #expect(encoded.all("Version").first?.value("Key") == "a%20b")
            let none = try await listing(gateway, "&max-keys=0")
            #expect(none.value("IsTruncated") == "false" && shown(none).isEmpty)
        }
    }

    @Test func `an upload in parts becomes a version that its answer names`() async throws {
        try await run { gateway in
            let made = try await gateway.send("POST", "/bucket/key?uploads")
            let id = try XMLElement.parse(made.body).value("UploadId") ?? ""
            let part = try await gateway.send(
                "PUT", "/bucket/key?uploadId=\(id)&partNumber=1", body: "x")
            let list =
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
                + "<ETag>\(part["ETag"] ?? "")</ETag></Part></CompleteMultipartUpload>"
            let done = try await gateway.send("POST", "/bucket/key?uploadId=\(id)", body: list)
            let name = try #require(done["x-amz-version-id"])
            let again = try await gateway.send("POST", "/bucket/key?uploadId=\(id)", body: list)
            #expect(again["x-amz-version-id"] == name)
            _ = try await put(gateway, "key", "y")
            #expect(try await gateway.send("GET", "/bucket/key?versionId=\(name)").text == "x")
        }
    }
}
