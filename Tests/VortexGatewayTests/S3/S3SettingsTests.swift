import Testing
import VortexCluster
import VortexCore

@testable import VortexGateway

/// What is set of a bucket, and what comes of it.
struct S3SettingsTests {
    private func root(_ reply: Reply) throws -> XMLElement { try XMLElement.parse(reply.body) }

    static func tagging(_ tags: [(String, String)]) -> String {
        "<Tagging><TagSet>"
            + tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }.joined()
            + "</TagSet></Tagging>"
    }

    static func block(_ flags: [(String, Bool)]) -> String {
        "<PublicAccessBlockConfiguration>"
            + flags.map { "<\($0.0)>\($0.1)</\($0.0)>" }.joined()
            + "</PublicAccessBlockConfiguration>"
    }

    static func ownership(_ name: String) -> String {
        "<OwnershipControls><Rule><ObjectOwnership>\(name)</ObjectOwnership></Rule>"
            + "</OwnershipControls>"
    }

    private static let publicRead = [("x-amz-acl", "public-read")]

    @Test func `tags of a bucket are put, told, replaced and deleted`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let none = try await gateway.send("GET", "/bucket?tagging")
            #expect(none.status == 404 && none.code == "NoSuchTagSet")
            for tags in [[("a", "1"), ("b", "2 &amp; 3")], [("c", "")]] {
                let put = try await gateway.send(
                    "PUT", "/bucket?tagging", body: Self.tagging(tags))
                #expect(put.status == 204)
            }
            let told = try root(try await gateway.send("GET", "/bucket?tagging"))
            #expect(told.child("TagSet")?.children.map { $0.value("Key") } == ["c"])
            let many = (0..<51).map { ("\($0)", "v") }
            for (document, code) in [
                (Self.tagging(many), "BadRequest"), ("<Tagging/>", "MalformedXML"),
                (Self.tagging([("a", "1"), ("a", "2")]), "InvalidTag"),
                (
                    Self.tagging((0..<50).map { ("\($0)", String(repeating: "ü", count: 200)) }),
                    "InvalidRequest"
                ),
            ] {
                let put = try await gateway.send("PUT", "/bucket?tagging", body: document)
                #expect(put.status == 400 && put.code == code)
            }
            #expect(try await gateway.send("GET", "/bucket?tagging").text.contains("<Key>c</Key>"))
            #expect(try await gateway.send("DELETE", "/bucket?tagging").status == 204)
            #expect(try await gateway.send("GET", "/bucket?tagging").code == "NoSuchTagSet")
            let missing = try await gateway.send(
                "PUT", "/missing?tagging", body: Self.tagging([("a", "1")]))
            #expect(missing.code == "NoSuchBucket")
        }
    }

    @Test func `ownership controls and the public access block are kept and told`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let noControls = try await gateway.send("GET", "/bucket?ownershipControls")
            #expect(noControls.status == 404)
            #expect(noControls.code == "OwnershipControlsNotFoundError")
            let noBlock = try await gateway.send("GET", "/bucket?publicAccessBlock")
            #expect(noBlock.status == 404)
            #expect(noBlock.code == "NoSuchPublicAccessBlockConfiguration")
            for name in ["ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"] {
                let put = try await gateway.send(
                    "PUT", "/bucket?ownershipControls", body: Self.ownership(name))
                #expect(put.status == 200)
                let told = try root(try await gateway.send("GET", "/bucket?ownershipControls"))
                #expect(told.child("Rule")?.value("ObjectOwnership") == name)
            }
            let put = try await gateway.send(
                "PUT", "/bucket?publicAccessBlock",
                body: Self.block([("BlockPublicAcls", true), ("RestrictPublicBuckets", true)]))
            #expect(put.status == 200)
            let told = try root(try await gateway.send("GET", "/bucket?publicAccessBlock"))
            #expect(
                told.children.map { "\($0.name) \($0.text)" } == [
                    "BlockPublicAcls true", "IgnorePublicAcls false", "BlockPublicPolicy false",
                    "RestrictPublicBuckets true",
                ])
            for (query, document) in [
                ("ownershipControls", Self.ownership("Nobody")), ("ownershipControls", "<x/>"),
                ("publicAccessBlock", Self.block([("Other", true)])),
                ("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>1"),
            ] {
                let put = try await gateway.send("PUT", "/bucket?\(query)", body: document)
                #expect(put.code == "MalformedXML")
            }
            for query in ["ownershipControls", "publicAccessBlock"] {
                #expect(try await gateway.send("DELETE", "/bucket?\(query)").status == 204)
                #expect(try await gateway.send("GET", "/bucket?\(query)").status == 404)
            }
        }
    }

    @Test func `a public ACL is refused where it is blocked, by every way in`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            let document = Self.block([("BlockPublicAcls", true)])
            _ = try await gateway.send("PUT", "/bucket?publicAccessBlock", body: document)
            for target in ["/bucket?acl", "/bucket"] {
                let put = try await gateway.send("PUT", target, Self.publicRead, body: "")
                #expect(put.status == 403 && put.code == "AccessDenied", "\(target)")
            }
            let document2 = String(
                decoding: ACLDocument.document(isPublic: true), as: UTF8.self)
            let put = try await gateway.send("PUT", "/bucket?acl", body: document2)
            #expect(put.code == "AccessDenied")
            #expect(try await gateway.node.bucketSettings("bucket").access == .private)
            let fine = try await gateway.send(
                "PUT", "/bucket?acl", [("x-amz-acl", "private")], body: "")
            #expect(fine.status == 200)
        }
    }

    @Test func `a bucket owner's enforced ownership leaves no ACLs`() async throws {
        try await GatewayFixture.run { gateway in
            let enforced = [("x-amz-object-ownership", "BucketOwnerEnforced")]
            let both = try await gateway.send(
                "PUT", "/bucket", enforced + Self.publicRead, body: "")
            #expect(both.status == 400 && both.code == "InvalidBucketAclWithObjectOwnership")
            #expect(try await gateway.send("PUT", "/bucket", enforced, body: "").status == 200)
            let told = try await gateway.send("GET", "/bucket?ownershipControls")
            #expect(told.text.contains("BucketOwnerEnforced"))
            for acl in ["public-read", "private"] {
                let put = try await gateway.send(
                    "PUT", "/bucket?acl", [("x-amz-acl", acl)], body: "")
                #expect(put.status == 400 && put.code == "AccessControlListNotSupported")
            }
            for (acl, code) in [
                ("private", nil), ("bucket-owner-full-control", nil),
                ("public-read", "AccessControlListNotSupported"), ("x", "InvalidArgument"),
            ] as [(String, String?)] {
                let put = try await gateway.send(
                    "PUT", "/bucket/key", [("x-amz-acl", acl)], body: "x")
                #expect(put.code == code && (code != nil || put.status == 200), "\(acl)")
            }
            _ = try await gateway.send("PUT", "/other", Self.publicRead, body: "")
            let late = try await gateway.send(
                "PUT", "/other?ownershipControls", body: Self.ownership("BucketOwnerEnforced"))
            #expect(late.code == "InvalidBucketAclWithObjectOwnership")
            let wrong = try await gateway.send(
                "PUT", "/third", [("x-amz-object-ownership", "Mine")], body: "")
            #expect(wrong.code == "InvalidArgument")
        }
    }

    @Test func `ACLs beyond private and public-read are refused by their names`() async throws {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", body: "")
            for target in ["/bucket?acl", "/bucket", "/bucket-new", "/bucket/key"] {
                for (acl, status) in [
                    ("public-read-write", 501), ("log-delivery-write", 501),
                    ("bucket-owner-read", 501), ("nonsense", 400),
                ] {
                    let put = try await gateway.send("PUT", target, [("x-amz-acl", acl)], body: "")
                    #expect(put.status == status, "\(target) \(acl)")
                }
                let put = try await gateway.send(
                    "PUT", target, [("x-amz-grant-read", "id=\"x\"")], body: "")
                #expect(put.code == "NotImplemented")
            }
            #expect(try await gateway.send("HEAD", "/bucket-new").status == 404)
            #expect(try await gateway.send("HEAD", "/bucket/key").status == 404)
            let grant =
                "<Grant><Grantee><URI>\(CannedACL.everybody)</URI></Grantee>"
                + "<Permission>WRITE</Permission></Grant>"
            for (document, code) in [
                ("<AccessControlPolicy/>", "MalformedACLError"), ("<x", "MalformedACLError"),
                (
                    "<AccessControlPolicy><AccessControlList>\(grant)</AccessControlList>"
                        + "</AccessControlPolicy>", "NotImplemented"
                ),
                (
                    "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
                    "NotImplemented"
                ),
                (
                    "<AccessControlPolicy><Owner><ID>other</ID></Owner><AccessControlList/>"
                        + "</AccessControlPolicy>", "AccessDenied"
                ),
                ("", "MissingSecurityHeader"),
            ] {
                let put = try await gateway.send("PUT", "/bucket?acl", body: document)
                #expect(put.code == code, "\(document)")
            }
            let both = try await gateway.send(
                "PUT", "/bucket?acl", Self.publicRead, body: "<AccessControlPolicy/>")
            #expect(both.code == "UnexpectedContent")
        }
    }

    @Test func `an ACL's document comes back as it was told, and is the canned one`()
        async throws
    {
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/bucket", Self.publicRead, body: "")
            let told = try await gateway.send("GET", "/bucket?acl")
            #expect(told.text.contains(CannedACL.everybody))
            #expect(try await gateway.node.bucketSettings("bucket").isPublicRead)
            _ = try await gateway.send("PUT", "/bucket?acl", [("x-amz-acl", "private")], body: "")
            #expect(try await !gateway.node.bucketSettings("bucket").isPublicRead)
            let put = try await gateway.send("PUT", "/bucket?acl", body: told.text)
            #expect(put.status == 200)
            #expect(try await gateway.node.bucketSettings("bucket").isPublicRead)
            // Made again without a word about ACLs it stays as it is, with one it is set.
            _ = try await gateway.send("PUT", "/bucket", body: "")
            #expect(try await gateway.node.bucketSettings("bucket").isPublicRead)
            _ = try await gateway.send("PUT", "/bucket", [("x-amz-acl", "private")], body: "")
            #expect(try await !gateway.node.bucketSettings("bucket").isPublicRead)
        }
    }

    @Test func `a bucket is made with tags, and made again only as it is`() async throws {
        try await GatewayFixture.run { gateway in
            func create(_ inside: String) async throws -> Reply {
                try await gateway.send(
                    "PUT", "/bucket",
                    body: "<CreateBucketConfiguration>\(inside)</CreateBucketConfiguration>")
            }
            let tags = "<Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>"
            #expect(try await create("<Bucket><Type>Directory</Type></Bucket>").status == 501)
            #expect(try await create(tags).status == 200)
            #expect(try await gateway.send("GET", "/bucket?tagging").text.contains("<Key>a</Key>"))
            #expect(try await create(tags).status == 200)
            let other = try await create(tags.replacing("1", with: "2"))
            #expect(other.status == 409 && other.code == "BucketAlreadyOwnedByYou")
            let owner = try await gateway.send(
                "PUT", "/bucket", [("x-amz-object-ownership", "ObjectWriter")], body: "")
            #expect(owner.code == "BucketAlreadyOwnedByYou")
        }
    }

    @Test func `only who administers a bucket changes what is set of it`() async throws {
        try await S3Client.run { client in
            _ = try await client.send("PUT", "/bucket")
            let other = try await client.with("read,write,list:bucket", id: "OTHER")
            let cors =
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
                + "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
            for (query, body) in [
                ("tagging", Self.tagging([("a", "1")])),
                ("publicAccessBlock", Self.block([])), ("cors", cors),
                ("ownershipControls", Self.ownership("ObjectWriter")),
            ] {
                let target = "/bucket?\(query)"
                #expect(try await other.send("PUT", target, body: body).code == "AccessDenied")
                #expect(try await other.send("DELETE", target).code == "AccessDenied")
                let put = try await client.send("PUT", target, body: body)
                #expect(put.status < 300, "\(query)")
                #expect(try await other.send("GET", target).status == 200)
                let stranger = try await client.gateway.send("GET", target)
                #expect(stranger.code == "AccessDenied")
            }
            let acl = try await other.send("PUT", "/bucket?acl", Self.publicRead, body: "")
            #expect(acl.code == "AccessDenied")
        }
    }
}
