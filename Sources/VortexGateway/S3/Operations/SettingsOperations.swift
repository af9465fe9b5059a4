internal import VortexCluster
internal import VortexCore

/// What is set of a bucket: its ACL, its tags, ownership controls, public access block. Everyone
/// with a grant for anything in it may look; an administrator of it may change.
extension S3Handler {
    /// A document of settings is at most this long.
    static let settingsBytesMax = 64 << 10

    /// The settings, told to whose business the bucket is.
    func settings(_ call: S3Call) async throws(S3Error) -> BucketSettings {
        let name = try call.bucket()
        guard call.caller.knows(bucket: name) else { throw S3Error(.accessDenied) }
        return try await s3Asking { () async throws(ClusterError) in
            try await self.node.freshBucketSettings(name)
        }
    }

    /// The bucket's name, for who may change it.
    func administered(_ call: S3Call) throws(S3Error) -> String {
        let name = try call.bucket()
        try call.require(.admin, bucket: name)
        return name
    }

    /// In effect everywhere five seconds after it returns, here and for writes at once.
    func change(
        _ bucket: String, _ body: (inout BucketSettings) throws(S3Error) -> Void
    ) async throws(S3Error) {
        let refusal: S3Error? = try await s3Asking { () async throws(ClusterError) in
            try await self.node.changeBucket(bucket) {
                (settings: inout BucketSettings) -> S3Error? in
                do throws(S3Error) { try body(&settings) } catch { return error }
                return nil
            }
        }
        if let refusal { throw refusal }
    }

    private func root(_ call: S3Call) async throws(S3Error) -> XMLElement {
        let body = try await document(call, most: Self.settingsBytesMax)
        do throws(XMLElement.Failure) { return try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
    }

    // MARK: ACL

    func getBucketAcl(_ call: S3Call) async throws(S3Error) -> Response {
        let settings = try await settings(call)
        return .xml(ACLDocument.document(isPublic: settings.access == .publicRead))
    }

    func putBucketAcl(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try administered(call)
        let canned = try CannedACL.find(call.headers)
        let body = try await document(call, most: Self.settingsBytesMax)
        let access: BucketSettings.Access
        if let canned {
            guard body.isEmpty else { throw S3Error(.unexpectedContent) }
            guard let asked = canned.access else { throw canned.notImplemented }
            access = asked
        } else {
            guard !body.isEmpty else { throw S3Error(.missingSecurityHeader) }
            access = try ACLDocument.access(body)
        }
        try await change(bucket) { (settings) throws(S3Error) in
            guard settings.ownership != .ownerEnforced else { throw S3Error(.aclNotSupported) }
            try settings.set(access)
        }
        return Response(status: 200)
    }

    // MARK: Tags

    func getBucketTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let tags = try await settings(call).tags
        guard !tags.isEmpty else { throw S3Error(.noSuchTagSet) }
        return .xml(S3Tags.document(tags))
    }

    func putBucketTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try administered(call)
        let body = try await document(call, most: Self.settingsBytesMax)
        let tags = try S3Tags.parse(body, most: Limits.bucketTagsMax)
        try await change(bucket) { $0.tags = tags }
        return Response(status: 204)
    }

    func deleteBucketTagging(_ call: S3Call) async throws(S3Error) -> Response {
        try await change(try administered(call)) { $0.tags = [] }
        return Response(status: 204)
    }

    // MARK: Ownership

    func getBucketOwnershipControls(_ call: S3Call) async throws(S3Error) -> Response {
        guard let ownership = try await settings(call).ownership else {
            throw S3Error(.noOwnershipControls)
        }
        return .xml(
            XMLWriter.document("OwnershipControls") { xml in
                xml.element("Rule") { $0.element("ObjectOwnership", ownership.name) }
            })
    }

    func putBucketOwnershipControls(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try administered(call)
        let root = try await root(call)
        guard root.name == "OwnershipControls", root.children.count == 1,
            let name = root.child("Rule")?.value("ObjectOwnership"),
            let ownership = BucketSettings.Ownership(name: name)
        else { throw S3Error(.malformedXML) }
        try await change(bucket) { (settings) throws(S3Error) in
            try settings.set(ownership)
        }
        return Response(status: 200)
    }

    func deleteBucketOwnershipControls(_ call: S3Call) async throws(S3Error) -> Response {
        try await change(try administered(call)) { $0.ownership = nil }
        return Response(status: 204)
    }

    // MARK: Public access block

    func getPublicAccessBlock(_ call: S3Call) async throws(S3Error) -> Response {
        guard let block = try await settings(call).publicAccessBlock else {
            throw S3Error(.noPublicAccessBlock)
        }
        return .xml(
            XMLWriter.document("PublicAccessBlockConfiguration") { xml in
                xml.element("BlockPublicAcls", block.contains(.blockACLs))
                xml.element("IgnorePublicAcls", block.contains(.ignoreACLs))
                xml.element("BlockPublicPolicy", block.contains(.blockPolicies))
                xml.element("RestrictPublicBuckets", block.contains(.restrictBuckets))
            })
    }

    func putPublicAccessBlock(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try administered(call)
        let root = try await root(call)
        guard root.name == "PublicAccessBlockConfiguration" else { throw S3Error(.malformedXML) }
        var block: BucketSettings.PublicAccessBlock = []
        for element in root.children {
            guard let flag = BucketSettings.PublicAccessBlock(name: element.name) else {
                throw S3Error(.malformedXML)
            }
            switch element.trimmedText.lowercased() {
            case "true": block.insert(flag)
            case "false": block.remove(flag)
            default: throw S3Error(.malformedXML)
            }
        }
        let wanted = block
        try await change(bucket) { $0.publicAccessBlock = wanted }
        return Response(status: 200)
    }

    func deletePublicAccessBlock(_ call: S3Call) async throws(S3Error) -> Response {
        try await change(try administered(call)) { $0.publicAccessBlock = nil }
        return Response(status: 204)
    }
}

extension BucketSettings {
    /// A new ACL, wherever it comes from: a block of public ones refuses it.
    mutating func set(_ access: Access) throws(S3Error) {
        if access == .publicRead, publicAccessBlock?.contains(.blockACLs) == true {
            throw S3Error(.accessDenied, "The bucket's public access block refuses public ACLs.")
        }
        self.access = access
    }

    /// Ownership that leaves no ACLs, over an ACL that lets others in, would leave them in.
    mutating func set(_ ownership: Ownership) throws(S3Error) {
        guard ownership != .ownerEnforced || access == .private else {
            throw S3Error(.aclWithOwnership)
        }
        self.ownership = ownership
    }
}

extension BucketSettings.Ownership {
    var name: String {
        switch self {
        case .objectWriter: "ObjectWriter"
        case .ownerPreferred: "BucketOwnerPreferred"
        case .ownerEnforced: "BucketOwnerEnforced"
        }
    }

    init?(name: String) {
        guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

extension BucketSettings.PublicAccessBlock {
    fileprivate init?(name: String) {
        switch name {
        case "BlockPublicAcls": self = .blockACLs
        case "IgnorePublicAcls": self = .ignoreACLs
        case "BlockPublicPolicy": self = .blockPolicies
        case "RestrictPublicBuckets": self = .restrictBuckets
        default: return nil
        }
    }
}
