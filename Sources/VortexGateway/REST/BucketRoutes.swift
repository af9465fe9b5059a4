// Buckets: made, looked at, listed, and deleted when empty.

internal import VortexCluster
internal import VortexCore

/// `/v1/buckets`: made, looked up, listed, deleted when empty.
extension RESTHandler {
    func listBuckets(_ call: Call) async throws(Problem) -> Response {
        let (after, limit) = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["after", "limit"])
            let after = try call.partOfKey("after", .after)
            return (
                after.isEmpty ? nil : String(decoding: after, as: UTF8.self), try call.limit()
            )
        }
        let page = try await asking { () async throws(ClusterError) in
            try await self.node.buckets(after: after, limit: limit)
        }
        return .json { json in
            json.array("buckets") { json in
                for bucket in page.buckets where call.caller.knows(bucket: bucket.name) {
                    json.object { $0.members(of: bucket) }
                }
            }
            if let next = page.next { json.member("next", next) } else { json.null("next") }
        }
    }

    func createBucket(_ call: Call) async throws(Problem) -> Response {
        let name = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            try UnsupportedHeaders.refuse(call.headers)
            guard !call.hasBody else { throw .unsupported(.body) }
            return try call.bucket()
        }
        let (bucket, created) = try await asking { () async throws(ClusterError) in
            try await self.node.createBucket(name)
        }
        return .json(status: created ? 201 : 200) { $0.members(of: bucket) }
    }

    func getBucket(_ call: Call) async throws(Problem) -> Response {
        let name = try bucketName(call)
        let bucket = try await asking { () async throws(ClusterError) in
            try await self.node.bucket(name)
        }
        return .json { $0.members(of: bucket) }
    }

    func deleteBucket(_ call: Call) async throws(Problem) -> Response {
        let name = try bucketName(call)
        try await asking { () async throws(ClusterError) in
            try await self.node.deleteBucket(name)
        }
        return Response(status: 204)
    }

    private func bucketName(_ call: Call) throws(Problem) -> String {
        try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            return try call.bucket()
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of bucket: BucketInfo) {
        member("name", bucket.name)
        member("id", bucket.id.description)
        member("created", time: bucket.createdMilliseconds)
    }
}
