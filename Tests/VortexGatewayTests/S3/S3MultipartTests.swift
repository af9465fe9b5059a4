import Crypto
import Testing
import VortexCore

@testable import VortexGateway

/// A multipart upload of "/bucket/key" by S3, on an open gateway.
private struct Upload {
    let gateway: GatewayFixture
    let id: String
    static let minimum = 5 << 20

    static func run(
        _ headers: [(String, String)] = [], _ body: @Sendable (Upload) async throws -> Void
    ) async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/bucket", body: "").status == 200)
            try await body(try await Upload(gateway, headers))
        }
    }

    init(
        _ gateway: GatewayFixture, _ headers: [(String, String)] = [], key: String = "key"
    ) async throws {
        self.gateway = gateway
        let made = try await gateway.send("POST", "/bucket/\(key)?uploads", headers)
        #expect(made.status == 200)
        id = try XMLElement.parse(made.body).value("UploadId") ?? ""
    }

    static func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* (seed + 2) &+ $0 >> 8) }
    }

    func part(
        _ number: Int, _ bytes: [UInt8], _ headers: [(String, String)] = []
    ) async throws -> Reply {
        try await gateway.send(
            "PUT", "/bucket/key?partNumber=\(number)&uploadId=\(id)", headers, bytes: bytes)
    }

    static func list(_ parts: [(Int, String)], extra: String = "") -> String {
        let items = parts.map {
            "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag>\(extra)</Part>"
        }
        return "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + items.joined() + "</CompleteMultipartUpload>"
    }

    func complete(
        _ parts: [(Int, String)], _ headers: [(String, String)] = [], extra: String = ""
    ) async throws -> Reply {
        try await gateway.send(
            "POST", "/bucket/key?uploadId=\(id)", headers,
            body: Self.list(parts, extra: extra))
    }

    func send(_ method: String, _ query: String = "") async throws -> Reply {
        try await gateway.send(method, "/bucket/key?uploadId=\(id)\(query)")
    }

    func isOpen() async throws -> Bool { try await send("GET").status == 200 }
}

private func md5(_ bytes: [UInt8]) -> [UInt8] { Array(Insecure.MD5.hash(data: bytes)) }

private func quoted(_ bytes: [UInt8]) -> String { "\"\(Hex.string(md5(bytes)))\"" }

struct S3MultipartTests {
    @Test func `parts make an object with the MD5 of their MD5s, the same by both APIs`()
        async throws
    {
        let headers = [("Content-Type", "text/plain"), ("x-amz-meta-color", "blue")]
        try await Upload.run(headers) { upload in
            let (first, last) = (Upload.bytes(Upload.minimum, 1), Upload.bytes(77, 2))
            let sent = try await upload.part(2, last)
            #expect(sent.status == 200 && sent["ETag"] == quoted(last))
            #expect(try await upload.part(1, first)["ETag"] == quoted(first))
            let parts = [(1, quoted(first)), (2, Hex.string(md5(last)))]
            let done = try await upload.complete(parts)
            let tag = "\"\(Hex.string(md5(md5(first) + md5(last))))-2\""
            let root = try XMLElement.parse(done.body)
            #expect(done.status == 200 && root.name == "CompleteMultipartUploadResult")
            #expect(root.value("ETag") == tag && root.value("Key") == "key")
            let s3 = try await upload.gateway.send("GET", "/bucket/key")
            #expect(s3.body == first + last && s3["ETag"] == tag)
            #expect(s3["Content-Type"] == "text/plain" && s3["x-amz-meta-color"] == "blue")
            let rest = try await upload.gateway.send("GET", "/v1/objects/bucket/key")
            #expect(rest.body == s3.body && rest["ETag"] == tag)
            #expect(rest["x-vortex-meta-color"] == "blue")
            let range = try await upload.gateway.send(
                "GET", "/v1/objects/bucket/key", [("Range", "bytes=5242870-5242889")])
            #expect(range.body == Array(first.suffix(10) + last.prefix(10)))
            // Once more, and the answer is the same; with other parts it is no upload any more.
            let again = try XMLElement.parse(try await upload.complete(parts).body)
            #expect(again.value("ETag") == tag)
            let other = try await upload.complete([(2, quoted(last))])
            #expect(other.status == 404 && other.code == "NoSuchUpload")
        }
    }

    @Test func `each part is read by its number, and told how many there are`() async throws {
        try await Upload.run { upload in
            let (first, last) = (Upload.bytes(Upload.minimum, 1), Upload.bytes(77, 2))
            _ = try await upload.part(3, first)
            _ = try await upload.part(7, last)
            _ = try await upload.complete([(3, quoted(first)), (7, quoted(last))])
            let second = try await upload.gateway.send("GET", "/bucket/key?partNumber=2")
            #expect(second.status == 206 && second.body == last)
            #expect(second["x-amz-mp-parts-count"] == "2")
            #expect(second["Content-Range"] == "bytes 5242880-5242956/5242957")
            let head = try await upload.gateway.send("HEAD", "/bucket/key?partNumber=1")
            #expect(head.status == 206 && head.contentLength == UInt64(Upload.minimum))
            let beyond = try await upload.gateway.send("GET", "/bucket/key?partNumber=3")
            #expect(beyond.status == 416 && beyond.code == "InvalidPartNumber")
            let both = try await upload.gateway.send(
                "GET", "/bucket/key?partNumber=1", [("Range", "bytes=0-1")])
            #expect(both.status == 400 && both.code == "InvalidRequest")
            let none = try await upload.gateway.send("GET", "/bucket/key?partNumber=0")
            #expect(none.status == 400 && none.code == "InvalidArgument")
            _ = try await upload.gateway.send("PUT", "/bucket/plain", body: "x")
            let plain = try await upload.gateway.send("GET", "/bucket/plain?partNumber=1")
            #expect(plain.text == "x" && plain["x-amz-mp-parts-count"] == nil)
        }
    }

    @Test func `what cannot be put together is refused by name, and the upload stays open`()
        async throws
    {
        try await Upload.run { upload in
            let (small, whole) = (Upload.bytes(100, 1), Upload.bytes(Upload.minimum, 2))
            _ = try await upload.part(1, small)
            _ = try await upload.part(2, whole)
            let cases: [([(Int, String)], Int, String)] = [
                ([(1, quoted(small)), (2, quoted(whole))], 400, "EntityTooSmall"),
                ([(2, quoted(whole)), (1, quoted(small))], 400, "InvalidPartOrder"),
                ([(2, quoted(whole)), (2, quoted(whole))], 400, "InvalidPartOrder"),
                ([(3, quoted(whole))], 400, "InvalidPart"),
                ([(1, quoted(whole))], 400, "InvalidPart"),
                ([(1, "nonsense")], 400, "InvalidPart"),
                ([(0, quoted(small))], 400, "InvalidArgument"),
                ([(10_001, quoted(small))], 400, "InvalidArgument"),
                ([], 400, "MalformedXML"),
            ]
            for (parts, status, code) in cases {
                let refused = try await upload.complete(parts)
                #expect(refused.status == status && refused.code == code, "\(parts)")
            }
            for body in ["", "<CompleteMultipartUpload>", "<Other/>", "no XML"] {
                let refused = try await upload.gateway.send(
                    "POST", "/bucket/key?uploadId=\(upload.id)", body: body)
                #expect(refused.status == 400 && refused.code == "MalformedXML")
            }
            let size = try await upload.complete(
                [(2, quoted(whole))], [("x-amz-mp-object-size", "5")])
            #expect(size.status == 400 && size.code == "InvalidRequest")
            #expect(try await upload.isOpen())
            // Not all that was sent has to be used, and the last one may be small.
            #expect(try await upload.complete([(2, quoted(whole))]).status == 200)
            #expect(try await upload.gateway.send("GET", "/bucket/key").body == whole)
        }
    }

    @Test func `an upload that is not there, or over, is no such upload for every operation`()
        async throws
    {
        try await Upload.run { upload in
            #expect(try await upload.part(1, [1]).status == 200)
            #expect(try await upload.send("DELETE").status == 204)
            let other = String(repeating: "0", count: 32)
            for id in [upload.id, other, "nonsense", ""] {
                let target = "/bucket/key?uploadId=\(id)"
                let list = Upload.list([(1, quoted([1]))])
                let answers = [
                    try await upload.gateway.send("PUT", target + "&partNumber=1", body: "x"),
                    try await upload.gateway.send(
                        "PUT", target + "&partNumber=1",
                        [("x-amz-copy-source", "/bucket/key")]),
                    try await upload.gateway.send("GET", target),
                    try await upload.gateway.send("POST", target, body: list),
                ]
                for answer in answers {
                    #expect(answer.status == 404 && answer.code == "NoSuchUpload", "\(id)")
                }
                // A repeat of an abort finds done what it asks for.
                let aborted = try await upload.gateway.send("DELETE", target)
                #expect(aborted.status == (id == upload.id ? 204 : 404))
            }
            // Of another key it is none either.
            let open = try await Upload(upload.gateway)
            let elsewhere = try await upload.gateway.send(
                "GET", "/bucket/other?uploadId=\(open.id)")
            #expect(elsewhere.code == "NoSuchUpload")
            let nowhere = try await upload.gateway.send("POST", "/nowhere/key?uploads")
            #expect(nowhere.status == 404 && nowhere.code == "NoSuchBucket")
            #expect(try await upload.gateway.send("GET", "/bucket/key").code == "NoSuchKey")
        }
    }

    @Test(arguments: ["0", "10001", "-1", "x", ""])
    func `a part's number is from 1 to 10,000`(number: String) async throws {
        try await Upload.run { upload in
            let refused = try await upload.gateway.send(
                "PUT", "/bucket/key?uploadId=\(upload.id)&partNumber=\(number)", body: "x")
            #expect(refused.status == 400 && refused.code == "InvalidArgument")
            // Without its upload it is not an object either.
            let stray = try await upload.gateway.send(
                "PUT", "/bucket/key?partNumber=\(number)", body: "x")
            #expect(stray.status == 400 && stray.code == "InvalidArgument")
        }
    }

    @Test func `parts are listed a page at a time`() async throws {
        try await Upload.run { upload in
            for number in [5, 1, 3] { _ = try await upload.part(number, [UInt8(number)]) }
            let first = try XMLElement.parse(try await upload.send("GET", "&max-parts=2").body)
            #expect(first.name == "ListPartsResult" && first.value("IsTruncated") == "true")
            #expect(first.all("Part").compactMap { $0.value("PartNumber") } == ["1", "3"])
            #expect(first.all("Part")[1].value("ETag") == quoted([3]))
            #expect(first.all("Part")[1].value("Size") == "1")
            let next = first.value("NextPartNumberMarker") ?? ""
            let second = try XMLElement.parse(
                try await upload.send("GET", "&part-number-marker=\(next)").body)
            #expect(second.all("Part").compactMap { $0.value("PartNumber") } == ["5"])
            #expect(second.value("IsTruncated") == "false")
            let wrong = try await upload.send("GET", "&part-number-marker=x")
            #expect(wrong.status == 400 && wrong.code == "InvalidArgument")
        }
    }

    @Test func `uploads are listed by key, folded, in pages`() async throws {
        try await Upload.run { upload in
            for key in ["dir/a", "dir/b", "z"] { _ = try await Upload(upload.gateway, key: key) }
            func list(_ query: String) async throws -> XMLElement {
                try XMLElement.parse(
                    try await upload.gateway.send("GET", "/bucket?uploads" + query).body)
            }
            let all = try await list("")
            #expect(all.name == "ListMultipartUploadsResult")
            #expect(
                all.all("Upload").compactMap { $0.value("Key") } == ["dir/a", "dir/b", "key", "z"])
            #expect(all.all("Upload")[2].value("UploadId") == upload.id)
            let folded = try await list("&delimiter=/&max-uploads=2")
            #expect(folded.all("CommonPrefixes").compactMap { $0.value("Prefix") } == ["dir/"])
            #expect(folded.all("Upload").compactMap { $0.value("Key") } == ["key"])
            #expect(folded.value("IsTruncated") == "true")
            let marker = folded.value("NextKeyMarker") ?? ""
            let id = folded.value("NextUploadIdMarker") ?? ""
            let rest = try await list(
                "&delimiter=/&key-marker=\(marker)&upload-id-marker=\(id)")
            #expect(rest.all("Upload").compactMap { $0.value("Key") } == ["z"])
            #expect(rest.value("IsTruncated") == "false")
            let below = try await list("&prefix=dir/&encoding-type=url")
            #expect(below.all("Upload").count == 2)
            let wrong = try await upload.gateway.send(
                "GET", "/bucket?uploads&key-marker=a&upload-id-marker=x")
            #expect(wrong.status == 400 && wrong.code == "InvalidArgument")
            let none = try await upload.gateway.send("GET", "/nowhere?uploads")
            #expect(none.code == "NoSuchBucket")
        }
    }

    @Test func `conditions decide, and what they refuse can be completed otherwise`() async throws {
        try await Upload.run { upload in
            _ = try await upload.part(1, [1])
            let there = try await upload.gateway.send("PUT", "/bucket/key", body: "x")
            let first = try await upload.complete([(1, quoted([1]))], [("If-None-Match", "*")])
            #expect(first.status == 412 && first.code == "PreconditionFailed")
            let stale = try await upload.complete([(1, quoted([1]))], [("If-Match", "\"old\"")])
            #expect(stale.status == 412)
            #expect(try await upload.isOpen())
            let match = [("If-Match", there["ETag"] ?? "")]
            #expect(try await upload.complete([(1, quoted([1]))], match).status == 200)
            // The retry whose first answer was lost.
            #expect(try await upload.complete([(1, quoted([1]))], match).status == 200)
            #expect(try await upload.gateway.send("GET", "/bucket/key").body == [1])
        }
    }

    @Test func `stretches of objects are copied as parts, under conditions`() async throws {
        try await Upload.run { upload in
            let source = Upload.bytes(Upload.minimum + 100, 3)
            let put = try await upload.gateway.send("PUT", "/bucket/source", bytes: source)
            func copy(_ number: Int, _ headers: [(String, String)]) async throws -> Reply {
                try await upload.gateway.send(
                    "PUT", "/bucket/key?partNumber=\(number)&uploadId=\(upload.id)",
                    [("x-amz-copy-source", "/bucket/source")] + headers)
            }
            let range = [("x-amz-copy-source-range", "bytes=50-\(Upload.minimum + 49)")]
            let middle = Array(source[50..<Upload.minimum + 50])
            let copied = try XMLElement.parse(try await copy(1, range).body)
            #expect(copied.name == "CopyPartResult" && copied.value("ETag") == quoted(middle))
            #expect(try await copy(2, []).status == 200)
            for text in ["bytes=5", "0-5", "bytes=5-2", "bytes=0-1,3-4", "bytes=-5", "bytes=2-"] {
                let refused = try await copy(3, [("x-amz-copy-source-range", text)])
                #expect(refused.status == 400 && refused.code == "InvalidArgument", "\(text)")
            }
            let beyond = try await copy(
                3, [("x-amz-copy-source-range", "bytes=0-\(source.count)")])
            #expect(beyond.status == 416 && beyond.code == "InvalidRange")
            let tag = put["ETag"] ?? ""
            #expect(
                try await copy(3, [("x-amz-copy-source-if-none-match", tag)]).code
                    == "PreconditionFailed")
            #expect(try await copy(3, [("x-amz-copy-source-if-match", tag)]).status == 200)
            let missing = try await upload.gateway.send(
                "PUT", "/bucket/key?partNumber=3&uploadId=\(upload.id)",
                [("x-amz-copy-source", "/bucket/missing")])
            #expect(missing.status == 404 && missing.code == "NoSuchKey")
            let done = try await upload.complete([(1, quoted(middle)), (2, quoted(source))])
            #expect(done.status == 200)
            #expect(try await upload.gateway.send("GET", "/bucket/key").body == middle + source)
        }
    }

    @Test func `who may not write the key may not do any of it`() async throws {
        try await S3Client.run { client in
            #expect(try await client.send("PUT", "/bucket").status == 200)
            let reader = try await client.with("read,list:bucket", id: "READER")
            let made = try await client.send("POST", "/bucket/key?uploads")
            let id = try XMLElement.parse(made.body).value("UploadId") ?? ""
            #expect(try await reader.send("POST", "/bucket/key?uploads").code == "AccessDenied")
            for (method, query) in [
                ("PUT", "&partNumber=1"), ("GET", ""), ("POST", ""), ("DELETE", ""),
            ] {
                let refused = try await reader.send(
                    method, "/bucket/key?uploadId=\(id)\(query)",
                    body: method == "GET" || method == "DELETE" ? nil : "x")
                #expect(refused.status == 403 && refused.code == "AccessDenied", "\(method)")
            }
            #expect(try await reader.send("GET", "/bucket?uploads").status == 200)
            let writer = try await client.with("write:bucket", id: "WRITER")
            #expect(try await writer.send("GET", "/bucket?uploads").code == "AccessDenied")
        }
    }
}

/// Checksums of parts and of what they make.
struct S3MultipartChecksumTests {
    private func crc32(_ bytes: [UInt8]) -> [UInt8] {
        var stream = StreamChecksum(.crc32)
        bytes.withUnsafeBytes { stream.update($0) }
        return stream.value()
    }

    private let first = Upload.bytes(Upload.minimum, 1)
    private let last = Upload.bytes(77, 2)
    private var parts: [(Int, String)] { [(1, quoted(first)), (2, quoted(last))] }

    @Test func `a composite checksum is made of the parts', kept, and told when asked for`()
        async throws
    {
        let headers = [("x-amz-checksum-algorithm", "CRC32")]
        try await Upload.run(headers) { upload in
            let crc = Base64.encode(crc32(first))
            let sent = try await upload.part(1, first, [("x-amz-checksum-crc32", crc)])
            #expect(sent["x-amz-checksum-crc32"] == crc)
            // One that comes without is computed.
            let second = try await upload.part(2, last)
            #expect(second["x-amz-checksum-crc32"] == Base64.encode(crc32(last)))
            let listed = try XMLElement.parse(try await upload.send("GET").body)
            #expect(listed.value("ChecksumAlgorithm") == "CRC32")
            #expect(listed.all("Part")[0].value("ChecksumCRC32") == crc)
            let wrong = try await upload.complete(
                parts, extra: "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>")
            #expect(wrong.status == 400 && wrong.code == "InvalidPart")
            let done = try XMLElement.parse(try await upload.complete(parts).body)
            let whole = Base64.encode(crc32(crc32(first) + crc32(last))) + "-2"
            #expect(done.value("ChecksumCRC32") == whole)
            #expect(done.value("ChecksumType") == "COMPOSITE")
            let mode = [("x-amz-checksum-mode", "ENABLED")]
            let head = try await upload.gateway.send("HEAD", "/bucket/key", mode)
            #expect(head["x-amz-checksum-crc32"] == whole)
            #expect(head["x-amz-checksum-type"] == "COMPOSITE")
            let unasked = try await upload.gateway.send("HEAD", "/bucket/key")
            #expect(unasked["x-amz-checksum-crc32"] == nil)
            let part = try await upload.gateway.send("GET", "/bucket/key?partNumber=2", mode)
            #expect(part["x-amz-checksum-crc32"] == Base64.encode(crc32(last)))
            let range = try await upload.gateway.send(
                "GET", "/bucket/key", mode + [("Range", "bytes=0-9")])
            #expect(range["x-amz-checksum-crc32"] == nil)
            // The repeat, whose parts are gone.
            let again = try XMLElement.parse(try await upload.complete(parts).body)
            #expect(again.value("ETag") == done.value("ETag"))
        }
    }

    @Test func `attributes tell what they are asked for, parts with their checksums`()
        async throws
    {
        try await Upload.run([("x-amz-checksum-algorithm", "CRC32")]) { upload in
            _ = try await upload.part(1, first)
            _ = try await upload.part(2, last)
            _ = try await upload.complete(parts)
            func ask(_ headers: [(String, String)]) async throws -> XMLElement {
                let reply = try await upload.gateway.send("GET", "/bucket/key?attributes", headers)
                return try XMLElement.parse(reply.body)
            }
            let all = try await ask([
                (
                    "x-amz-object-attributes",
                    "ETag,Checksum, ObjectParts,StorageClass,ObjectSize"
                )
            ])
            #expect(all.name == "GetObjectAttributesResponse")
            #expect(all.value("ETag")?.hasSuffix("-2") == true)
            #expect(all.value("ObjectSize") == "5242957" && all.value("StorageClass") != nil)
            #expect(all.child("Checksum")?.value("ChecksumType") == "COMPOSITE")
            let told = all.child("ObjectParts")
            #expect(told?.value("PartsCount") == "2" && told?.value("IsTruncated") == "false")
            #expect(told?.all("Part").map { $0.value("Size") } == ["5242880", "77"])
            let crc = Base64.encode(crc32(last))
            #expect(told?.all("Part").last?.value("ChecksumCRC32") == crc)
            let page = try await ask([
                ("x-amz-object-attributes", "ObjectParts"), ("x-amz-max-parts", "1"),
            ])
            #expect(page.child("ObjectParts")?.all("Part").count == 1)
            #expect(page.child("ObjectParts")?.value("IsTruncated") == "true")
            #expect(page.value("ETag") == nil)
            #expect(try await ask([]).value("Code") == "InvalidRequest")
            let wrong = try await ask([("x-amz-object-attributes", "Color")])
            #expect(wrong.value("Code") == "InvalidArgument")
        }
    }

    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme])
    func `a full-object checksum is the whole's, whatever the parts`(algorithm: ChecksumAlgorithm)
        async throws
    {
        let headers = [
            ("x-amz-checksum-algorithm", algorithm.name), ("x-amz-checksum-type", "FULL_OBJECT"),
        ]
        try await Upload.run(headers) { upload in
            _ = try await upload.part(1, first)
            _ = try await upload.part(2, last)
            var stream = StreamChecksum(algorithm)
            (first + last).withUnsafeBytes { stream.update($0) }
            let whole = Base64.encode(stream.value())
            let wrong = (whole.hasPrefix("A") ? "B" : "A") + whole.dropFirst()
            let refused = try await upload.complete(parts, [(algorithm.header, wrong)])
            #expect(refused.status == 400 && refused.code == "BadDigest")
            let composite = try await upload.complete(
                parts, [("x-amz-checksum-type", "COMPOSITE")])
            #expect(composite.status == 400 && composite.code == "InvalidRequest")
            let done = try await upload.complete(
                parts, [(algorithm.header, whole), ("x-amz-mp-object-size", "5242957")])
            #expect(done.status == 200)
            let get = try await upload.gateway.send(
                "GET", "/bucket/key", [("x-amz-checksum-mode", "ENABLED")])
            #expect(get[algorithm.header] == whole && get.body == first + last)
        }
    }

    @Test func `a part whose checksum is wrong, or another than promised, is not stored`()
        async throws
    {
        try await Upload.run([("x-amz-checksum-algorithm", "SHA256")]) { upload in
            let crc = ("x-amz-checksum-crc32", Base64.encode(crc32([1])))
            let other = try await upload.part(1, [1], [crc])
            #expect(other.status == 400 && other.code == "InvalidRequest")
            let zeros = Base64.encode([UInt8](repeating: 0, count: 32))
            let wrong = try await upload.part(1, [1], [("x-amz-checksum-sha256", zeros)])
            #expect(wrong.status == 400 && wrong.code == "BadDigest")
            let listed = try XMLElement.parse(try await upload.send("GET").body)
            #expect(listed.all("Part").isEmpty)
        }
    }

    @Test(arguments: [
        ("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"),
        ("MD5", ""), ("CRC32", "OTHER"), ("", "COMPOSITE"),
    ])
    func `a promise that cannot be kept is refused`(algorithm: String, kind: String) async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            var headers: [(String, String)] = []
            if !algorithm.isEmpty { headers.append(("x-amz-checksum-algorithm", algorithm)) }
            if !kind.isEmpty { headers.append(("x-amz-checksum-type", kind)) }
            let refused = try await gateway.send("POST", "/bucket/key?uploads", headers)
            #expect(refused.status == 400 && refused.code == "InvalidRequest")
        }
    }

    @Test func `the checksum of a plain PUT is kept, and told when asked for`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let value = Base64.encode(crc32(Array("hello".utf8)))
            _ = try await gateway.send(
                "PUT", "/bucket/key", [("x-amz-checksum-crc32", value)], body: "hello")
            let mode = [("x-amz-checksum-mode", "ENABLED")]
            let get = try await gateway.send("GET", "/bucket/key", mode)
            #expect(get["x-amz-checksum-crc32"] == value && get.text == "hello")
            #expect(get["x-amz-checksum-type"] == "FULL_OBJECT")
            #expect(try await gateway.send("GET", "/bucket/key")["x-amz-checksum-crc32"] == nil)
            _ = try await gateway.send(
                "PUT", "/bucket/copy", [("x-amz-copy-source", "/bucket/key")])
            let copy = try await gateway.send("HEAD", "/bucket/copy", mode)
            #expect(copy["x-amz-checksum-crc32"] == value)
        }
    }
}
