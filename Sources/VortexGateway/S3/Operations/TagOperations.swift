internal import VortexCluster
internal import VortexCore

/// GetObjectTagging, PutObjectTagging, DeleteObjectTagging.
extension S3Handler {
    func getObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        try call.checkVersion()
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.read, bucket: bucket, key: key)
        let version: ObjectVersion
        do throws(ClusterError) {
            version = try await node.head(bucket: bucket, key: key)
        } catch { throw Self.readError(error, key) }
        return .xml(S3Tags.document(version.attributes.tags))
    }

    func putObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.checkVersion()
        try call.require(.write, bucket: bucket, key: key)
        let tags = try S3Tags.parse(try await document(call))
        try await set(tags, bucket, key)
        return Response(status: 200)
    }

    func deleteObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        try call.checkVersion()
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        try await set([], bucket, key)
        return Response(status: 204)
    }

    private func set(
        _ tags: [ObjectTag], _ bucket: String, _ key: [UInt8]
    ) async throws(S3Error) {
        do throws(ClusterError) {
            try await node.setTags(bucket: bucket, key: key, tags: tags)
        } catch { throw Self.readError(error, key) }
    }
}
