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

    /// Any location is taken: there is one. A bucket that is there already is answered as Amazon's
    /// first region does.
    func createBucket(_ call: S3Call) async throws(S3Error) -> Response {
        let name = try call.bucket()
        try call.require(.admin, bucket: name)
        let body = try await document(call)
        if !body.isEmpty {
            do throws(XMLElement.Failure) {
                let root = try XMLElement.parse(body)
                guard root.name == "CreateBucketConfiguration" else { throw .malformed }
            } catch { throw S3Error(.malformedXML) }
        }
        _ = try await s3Asking { () async throws(ClusterError) in
            try await self.node.createBucket(name)
        }
        return Response(status: 200, headers: [("Location", "/" + name)])
    }

    func headBucket(_ call: S3Call) async throws(S3Error) -> Response {
        try await check(call, .list)
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
        try await check(call, .list)
        return .xml(XMLWriter.document("LocationConstraint") { _ in })
    }

    func getBucketAcl(_ call: S3Call) async throws(S3Error) -> Response {
        try await check(call, .list)
        return .xml(Self.privateACL())
    }

    func getObjectAcl(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.read, bucket: bucket, key: key)
        let found = try await found(bucket, key, try call.version())
        var response = Response.xml(Self.privateACL())
        response.headers += found.headers
        return response
    }

    private func check(_ call: S3Call, _ action: KeyGrant.Actions) async throws(S3Error) {
        let name = try call.bucket()
        guard call.caller.knows(bucket: name) else { throw S3Error(.accessDenied) }
        _ = try await s3Asking { () async throws(ClusterError) in
            try await self.node.bucket(name)
        }
    }

    /// The owner has full control, nobody else any.
    private static func privateACL() -> [UInt8] {
        XMLWriter.document("AccessControlPolicy") { xml in
            xml.owner()
            xml.element("AccessControlList") { xml in
                xml.element("Grant") { xml in
                    xml.grantee()
                    xml.element("Permission", "FULL_CONTROL")
                }
            }
        }
    }
}
