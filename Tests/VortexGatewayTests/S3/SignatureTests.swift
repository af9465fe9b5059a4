import Crypto
import Testing
import VortexCore

@testable import VortexGateway

/// Amazon's published examples ("Authenticating Requests: AWS Signature Version 4"), request by
/// request as the documentation prints them.
struct SignatureTests {
    static let keyID = "AKIAIOSFODNN7EXAMPLE"
    static let secret = Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)
    static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    /// Fri, 24 May 2013 00:00:00 GMT
    static let now: Int64 = 1_369_353_600

    struct Example: Sendable, CustomTestStringConvertible {
        var method = "GET"
        var target: String
        var headers: [(String, String)]
        var signed: String
        var signature: String
        var testDescription: String { method + " " + target }

        var fields: HeaderFields {
            let credential = "\(keyID)/20130524/us-east-1/s3/aws4_request"
            let authorization =
                "AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(signed),"
                + "Signature=\(signature)"
            return HeaderFields(
                headers.map { (name: $0.0, value: $0.1) }
                    + [(name: "Authorization", value: authorization)])
        }
    }

    static let examples = [
        Example(
            target: "/test.txt",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9"),
                ("x-amz-content-sha256", empty), ("x-amz-date", "20130524T000000Z"),
            ], signed: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            method: "PUT", target: "/test%24file.text",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"),
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                (
                    "x-amz-content-sha256",
                    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
                ),
            ], signed: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            target: "/?lifecycle",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-content-sha256", empty),
            ], signed: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            target: "/?max-keys=2&prefix=J",
            headers: [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-content-sha256", empty),
            ], signed: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        // The seed of the chunked upload.
        Example(
            method: "PUT", target: "/examplebucket/chunkObject.txt",
            headers: [
                ("Host", "s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
                ("Content-Encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"), ("Content-Length", "66824"),
            ],
            signed: "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                + "x-amz-decoded-content-length;x-amz-storage-class",
            signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
        // The seed of the one with a trailer.
        Example(
            method: "PUT", target: "/examplebucket/chunkObject.txt",
            headers: [
                ("Host", "s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
                ("Content-Encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"),
                ("x-amz-trailer", "x-amz-checksum-crc32c"),
            ],
            signed: "content-encoding;host;x-amz-content-sha256;x-amz-date;"
                + "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
            signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
    ]

    private static func verify(
        _ example: Example, method: String? = nil, target: String? = nil,
        headers: HeaderFields? = nil, hosts: [String]? = nil
    ) throws(SignatureError) {
        let fields = headers ?? example.fields
        let parsed: S3Target
        do throws(RequestError) { parsed = try S3Target(target ?? example.target) } catch {
            throw .malformedQuery
        }
        guard let claim = try SignatureClaim.find(fields, parsed) else { throw .missingDate }
        try claim.checkTime(nowSeconds: now)
        try SignatureCheck(
            method: method ?? example.method, target: parsed, headers: fields,
            hosts: hosts ?? [fields["host"] ?? ""]
        ).verify(claim, key: claim.scope.key(of: secret))
    }

    @Test(arguments: examples)
    func `Amazon's examples verify`(example: Example) throws { try Self.verify(example) }

    @Test func `Amazon's presigned URL verifies, and only until it expires`() throws {
        let target = try S3Target(
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(Self.keyID)"
                + "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
                + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
                + "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
        let headers = HeaderFields([(name: "Host", value: "examplebucket.s3.amazonaws.com")])
        let claim = try #require(try SignatureClaim.find(headers, target))
        #expect(claim.form == .presigned(expiresSeconds: 86_400))
        try SignatureCheck(
            method: "GET", target: target, headers: headers,
            hosts: ["examplebucket.s3.amazonaws.com"]
        ).verify(claim, key: claim.scope.key(of: Self.secret))
        try claim.checkTime(nowSeconds: Self.now)
        try claim.checkTime(nowSeconds: Self.now + 86_400)
        try claim.checkTime(nowSeconds: Self.now - 900)
        #expect(throws: SignatureError.expired) {
            try claim.checkTime(nowSeconds: Self.now + 86_401)
        }
        #expect(throws: SignatureError.notYetValid) {
            try claim.checkTime(nowSeconds: Self.now - 901)
        }
    }

    @Test(arguments: examples)
    func `nothing that is signed can be changed`(example: Example) {
        let mismatch = SignatureError.mismatch
        #expect(throws: mismatch) { try Self.verify(example, method: "DELETE") }
        #expect(throws: mismatch) { try Self.verify(example, target: example.target + "x") }
        #expect(throws: mismatch) { try Self.verify(example, hosts: ["elsewhere"]) }
        for (place, field) in example.headers.enumerated() where field.0 != "Host" {
            var changed = example
            changed.headers[place].1 = field.1 + "0"
            #expect(throws: SignatureError.self) { try Self.verify(changed) }
        }
        var flipped = example
        let last = flipped.signature.removeLast()
        flipped.signature += last == "0" ? "1" : "0"
        #expect(throws: mismatch) { try Self.verify(flipped) }
    }

    @Test func `a header of S3's that is not signed is refused, and so is an unsigned host`() {
        var example = Self.examples[0]
        example.headers.append(("X-Amz-Meta-Extra", "1"))
        #expect(throws: SignatureError.headersNotSigned) { try Self.verify(example) }
        var hostless = Self.examples[0]
        hostless.signed = "range;x-amz-content-sha256;x-amz-date"
        #expect(throws: SignatureError.headersNotSigned) { try Self.verify(hostless) }
    }

    @Test func `behind a proxy the host that the client asked for counts too`() throws {
        let example = Self.examples[0]
        try Self.verify(example, hosts: ["inner:8080", "examplebucket.s3.amazonaws.com"])
    }

    @Test func `a host may be signed without its port, and no other host by that`() throws {
        let example = Self.examples[0]
        try Self.verify(example, hosts: ["examplebucket.s3.amazonaws.com:9000"])
        for host in [
            "examplebucket.s3.amazonaws.com:", "examplebucket.s3.amazonaws.com:a",
            "examplebucket.s3.amazonaws.com:80:80", "other.s3.amazonaws.com:9000", ":9000",
        ] {
            #expect(throws: SignatureError.mismatch) { try Self.verify(example, hosts: [host]) }
        }
    }

    @Test(
        arguments: [
            (["x-amz-date": "20130524T001501Z"], SignatureError.skewed),
            (["x-amz-date": "20130525T000000Z"], .scopeDate),
            (["x-amz-date": "2013-05-24"], .missingDate),
            (["x-amz-date": ""], .missingDate),
            (["x-amz-content-sha256": nil], .missingPayloadHash),
            (["x-amz-content-sha256": "beef"], .malformedPayloadHash),
            (
                ["x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"],
                .unsupportedPayload
            ),
            (["x-amz-security-token": "t"], .unsupportedToken),
            (["authorization": "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="], .version2),
            (["authorization": "Basic QTpC"], .unknownScheme),
            (["authorization": "AWS4-HMAC-SHA256 Credential=a"], .malformedHeader),
            (["authorization": "AWS4-HMAC-SHA256 "], .malformedHeader),
            (
                [
                    "authorization":
                        "AWS4-HMAC-SHA256 Credential=a/20130524/x/ec2/aws4_request,"
                        + "SignedHeaders=host,Signature=\(empty)"
                ], .malformedHeader
            ),
            (
                [
                    "authorization":
                        "AWS4-HMAC-SHA256 Credential=a/20130524/x/s3/aws4_request,"
                        + "SignedHeaders=host;host,Signature=\(empty)"
                ], .malformedHeader
            ),
            (
                [
                    "authorization":
                        "AWS4-HMAC-SHA256 Credential=a/20130524/x/s3/aws4_request,"
                        + "SignedHeaders=Host,Signature=\(empty)"
                ], .malformedHeader
            ),
        ] as [([String: String?], SignatureError)])
    func `what is wrong with a signature is told`(
        changes: [String: String?], error: SignatureError
    ) {
        var fields = Self.examples[0].fields.map { ($0.name.lowercased(), $0.value) }
        for (name, value) in changes {
            fields.removeAll { $0.0 == name }
            if let value { fields.append((name, value)) }
        }
        let headers = HeaderFields(fields.map { (name: $0.0, value: $0.1) })
        #expect(throws: error) { try Self.verify(Self.examples[0], headers: headers) }
    }

    @Test(arguments: [
        ("0", SignatureError.expiresOutOfRange), ("604801", .expiresOutOfRange),
        ("-1", .expiresOutOfRange), ("x", .expiresOutOfRange), ("", .malformedQuery),
    ])
    func `a presigned URL holds for a second to seven days`(
        expires: String, error: SignatureError
    ) throws {
        let target = try S3Target(
            "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20130524%2Fr%2Fs3%2F"
                + "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=\(expires)"
                + "&X-Amz-SignedHeaders=host&X-Amz-Signature=\(Self.empty)")
        #expect(throws: error) { try SignatureClaim.find(HeaderFields([]), target) }
    }

    @Test func `a presigned URL of version 2 and a double claim are refused`() throws {
        let old = try S3Target("/k?AWSAccessKeyId=a&Expires=1&Signature=x")
        #expect(throws: SignatureError.version2) {
            try SignatureClaim.find(HeaderFields([]), old)
        }
        let both = try S3Target("/k?X-Amz-Signature=1")
        #expect(throws: SignatureError.ambiguous) {
            try SignatureClaim.find(Self.examples[0].fields, both)
        }
        #expect(try SignatureClaim.find(HeaderFields([]), try S3Target("/k")) == nil)
    }

    @Test func `signing keys are remembered in bounds, and by their secrets`() {
        let keys = SigningKeys(keysMax: 3)
        let scope = SigningScope(date: "20130524", region: "us-east-1")
        for number in 0..<10 {
            let secret = Array("secret \(number)".utf8)
            #expect(keys.key(of: secret, in: scope) == scope.key(of: secret))
            #expect(keys.key(of: secret, in: scope) == scope.key(of: secret))
        }
        #expect(keys.count == 3)
        keys.forget()
        #expect(keys.count == 0)
    }

    @Test(arguments: [("  a   b ", "a b"), ("a", "a"), ("", ""), ("\t a\t\tb", "a b")])
    func `a signed value has single spaces`(text: String, trimmed: String) {
        #expect(SignatureCheck.trimmed(text) == Array(trimmed.utf8))
    }

    @Test(arguments: [UInt64(1), 2])
    func `no header traps`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let target = try S3Target("/")
        for _ in 0..<2_000 {
            let line =
                "AWS4-HMAC-SHA256 "
                + random.text(from: "Credential=/,;SignedHeaders=20130524aws4 é", upTo: 60)
            let fields = HeaderFields([
                (name: "authorization", value: line), (name: "x-amz-date", value: line),
                (name: "x-amz-content-sha256", value: line),
            ])
            do throws(SignatureError) {
                _ = try SignatureClaim.find(fields, target)
            } catch { #expect(error != .mismatch) }
        }
    }
}
