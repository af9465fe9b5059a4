internal import VortexCluster
internal import VortexCore

/// GetObjectTagging, PutObjectTagging, DeleteObjectTagging.
extension S3Handler {
    func getObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.read, bucket: bucket, key: key)
        let found = try await found(bucket, key, try call.version())
        var response = Response.xml(S3Tags.document(found.version.attributes.tags))
        response.headers += found.headers
        return response
    }

    func putObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        let version = try call.version()
        try call.require(.write, bucket: bucket, key: key)
        let tags = try S3Tags.parse(try await document(call))
        let found = try await set(tags, bucket, key, version)
        return Response(status: 200, headers: found.headers)
    }

    func deleteObjectTagging(_ call: S3Call) async throws(S3Error) -> Response {
        let version = try call.version()
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let found = try await set([], bucket, key, version)
        return Response(status: 204, headers: found.headers)
    }

    private func set(
        _ tags: [ObjectTag], _ bucket: String, _ key: [UInt8], _ name: VersionName?
    ) async throws(S3Error) -> FoundVersion {
        let found: FoundVersion
        do throws(ClusterError) {
            found = try await node.setTags(bucket: bucket, key: key, version: name, tags: tags)
        } catch { throw Self.readError(error, key, name) }
        guard found.version.isMarker else { return found }
        throw Self.markerError(found.version, key, isNamed: name != nil)
    }
}
