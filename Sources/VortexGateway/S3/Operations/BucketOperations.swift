internal import VortexCluster
internal import VortexCore

/// Buckets, and what is always true of one here: one region, one owner.
extension S3Handler {
    static let region = "us-east-1"

    func listBuckets(_ call: S3Call) async throws(S3Error) -> Response {
        let after = try call.text("continuation-token")
        let prefix = try call.text("prefix") ?? ""
        let limit = try call.text("max-buckets") == nil ? 10_000 : try call.count("max-buckets")
        var cursor = after
        var found: [BucketInfo] = []
        var next: String?
        repeat {
            let from = cursor
            let page = try await s3Asking { () async throws(ClusterError) in
                try await self.node.buckets(after: from, limit: Limits.listPageMax)
            }
            for bucket in page.buckets
            where bucket.name.hasPrefix(prefix) && call.caller.knows(bucket: bucket.name) {
                guard found.count < limit else {
                    next = found.last?.name
                    break
                }
                found.append(bucket)
            }
            cursor = page.next
        } while cursor != nil && next == nil
        let document = XMLWriter.document("ListAllMyBucketsResult") { xml in
            xml.owner()
            xml.element("Buckets") { xml in
                for bucket in found {
                    xml.element("Bucket") { xml in
                        xml.element("Name", bucket.name)
                        xml.element("CreationDate", time: bucket.createdMilliseconds)
                    }
                }
            }
            if !prefix.isEmpty { xml.element("Prefix", prefix) }
            if let next { xml.element("ContinuationToken", next) }
        }
        return .xml(document)
    }

    /// A bucket that is there already is answered as Amazon's first region does, and left as it is;
    /// an ACL that the request names is set as by PutBucketAcl, though.
    func createBucket(_ call: S3Call) async throws(S3Error) -> Response {
        let name = try administered(call)
        let order = try BucketOrder(
            call.headers, try await document(call, most: Self.settingsBytesMax))
        let created = try await s3Asking { () async throws(ClusterError) in
            try await self.node.createBucket(name, settings: order.settings).created
        }
        if !created, order.asksForMore {
            try await change(name) { (settings) throws(S3Error) in try order.apply(to: &settings) }
        }
        return Response(status: 200, headers: [("Location", "/" + name)])
    }

    func headBucket(_ call: S3Call) async throws(S3Error) -> Response {
        if call.caller.knows(bucket: try call.bucket()) {
            try await check(call)
        } else {
            try await requireRead(call, .list, bucket: try call.bucket())
        }
        return Response(
            status: 200,
            headers: [
                ("x-amz-bucket-region", Self.region), ("Content-Type", "application/xml"),
            ])
    }

    func deleteBucket(_ call: S3Call) async throws(S3Error) -> Response {
        let name = try call.bucket()
        try call.require(.admin, bucket: name)
        try await s3Asking { () async throws(ClusterError) in
            try await self.node.deleteBucket(name)
        }
        return Response(status: 204)
    }

    /// The first region is told by an element without text.
    func getBucketLocation(_ call: S3Call) async throws(S3Error) -> Response {
        try await check(call)
        return .xml(XMLWriter.document("LocationConstraint") { _ in })
    }

    func getObjectAcl(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.read, bucket: bucket, key: key)
        let found = try await found(bucket, key, try call.version())
        var response = Response.xml(
            ACLDocument.document(isPublic: try await isPublicRead(bucket)))
        response.headers += found.headers
        return response
    }

    private func check(_ call: S3Call) async throws(S3Error) {
        let name = try call.bucket()
        guard call.caller.knows(bucket: name) else { throw S3Error(.accessDenied) }
        _ = try await s3Asking { () async throws(ClusterError) in
            try await self.node.bucket(name)
        }
    }
}

/// How a bucket is to be made.
private struct BucketOrder: Sendable {
    private var access: BucketSettings.Access?
    private var ownership: BucketSettings.Ownership?
    private var tags: [ObjectTag] = []

    private static let ownershipHeader = "x-amz-object-ownership"

    /// Any location is taken: there is one.
    init(_ headers: HeaderFields, _ body: [UInt8]) throws(S3Error) {
        if let acl = try CannedACL.find(headers) {
            guard let access = acl.access else { throw acl.notImplemented }
            self.access = access
        }
        if let text = headers[Self.ownershipHeader] {
            guard let ownership = BucketSettings.Ownership(name: text) else {
                throw .argument(Self.ownershipHeader, text, "Invalid x-amz-object-ownership header")
            }
            self.ownership = ownership
        }
        guard access != .publicRead || ownership != .ownerEnforced else {
            throw S3Error(.aclWithOwnership)
        }
        guard !body.isEmpty else { return }
        let root: XMLElement
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        guard root.name == "CreateBucketConfiguration" else { throw S3Error(.malformedXML) }
        for element in root.children {
            switch element.name {
            case "LocationConstraint": break
            case "Tags": tags = try S3Tags.tags(in: element, most: Limits.bucketTagsMax)
            default: throw .notImplemented("\(element.name) in CreateBucketConfiguration")
            }
        }
    }

    /// Of a new bucket.
    var settings: BucketSettings {
        var settings = BucketSettings()
        settings.access = access ?? .private
        settings.ownership = ownership
        settings.tags = tags
        return settings
    }

    /// Something that a bucket which is there already may not be.
    var asksForMore: Bool { access != nil || ownership != nil || !tags.isEmpty }

    func apply(to settings: inout BucketSettings) throws(S3Error) {
        guard ownership == nil || ownership == settings.ownership,
            tags.isEmpty || tags == settings.tags
        else { throw S3Error(.bucketAlreadyOwnedByYou) }
        guard let access else { return }
        guard access == .private || settings.ownership != .ownerEnforced else {
            throw S3Error(.aclWithOwnership)
        }
        try settings.set(access)
    }
}
