internal import VortexCluster
internal import VortexCore

/// Who may do what without a grant: read and list where the bucket lets everybody, and that is all.
extension S3Handler {
    /// Reading by whoever has a grant, or by anybody where the bucket is public-read: what is
    /// visible there, and not what was replaced or deleted.
    func requireRead(
        _ call: S3Call, _ action: KeyGrant.Actions, bucket: String, key: [UInt8] = [],
        version: VersionName? = nil
    ) async throws(S3Error) {
        if call.caller.may(action, bucket: bucket, key: key) { return }
        guard version == nil, try await isPublicRead(bucket) else { throw S3Error(.accessDenied) }
    }

    /// Reading what is to be copied. A foreign page that may write the target must be let read the
    /// source as well.
    func requireSource(_ source: CopySource, _ call: S3Call) async throws(S3Error) {
        try await requireRead(
            call, .read, bucket: source.bucket, key: source.key, version: source.version)
        guard isForeignPage(call) else { return }
        let rules = try await settings(ofPerhaps: source.bucket)?.cors ?? []
        guard CORSAnswer(rules, call.headers, method: "GET") != nil else {
            throw S3Error(
                .accessDenied,
                "A page of another origin may not read the source: no CORS rule allows it.")
        }
    }

    private func isForeignPage(_ call: S3Call) -> Bool {
        let hosts = [call.headers["host"], call.origin.forwardedHost]
        return call.admission.isAmbient && PageOrigin.isForeign(call.headers, hosts: hosts)
    }

    /// False for a bucket that is not there: who may not come in does not learn that.
    func isPublicRead(_ bucket: String) async throws(S3Error) -> Bool {
        try await settings(ofPerhaps: bucket)?.isPublicRead ?? false
    }

    /// At most five seconds old; nil where there is no such bucket.
    func settings(ofPerhaps bucket: String) async throws(S3Error) -> BucketSettings? {
        do throws(ClusterError) { return try await node.bucketSettings(bucket) } catch {
            switch error {
            case .noSuchBucket, .invalidBucketName: return nil
            default: throw S3Error(answering: error)
            }
        }
    }

    /// A page of another origin, to a gateway that lets in whoever reaches it. The bucket's CORS
    /// rules are about its objects: they let no page change the bucket, or the rules.
    func refuseForeignPage(
        _ call: S3Call, _ operation: S3Operation
    ) async throws(S3Error) {
        guard !PageOrigin.isSafe(call.head.method), isForeignPage(call) else { return }
        let isOfObject = call.place.key != nil || operation == .postObject
        if isOfObject, let bucket = call.place.bucket,
            let rules = try await settings(ofPerhaps: bucket)?.cors,
            CORSAnswer(rules, call.headers, method: call.head.method) != nil
        {
            return
        }
        throw S3Error(
            .accessDenied,
            "A page of another origin may not do this: no CORS rule of the bucket allows it.")
    }

    /// A canned ACL on what makes an object, or on anything but a bucket's own ACL.
    func checkACL(_ call: S3Call) async throws(S3Error) {
        try await checkACL(call, try CannedACL.find(call.headers), call.caller)
    }

    func checkACL(
        _ call: S3Call, _ acl: CannedACL?, _ caller: Caller
    ) async throws(S3Error) {
        guard let acl, !acl.isOfEveryObject else { return }
        if let bucket = call.place.bucket,
            caller.may(.write, bucket: bucket, key: call.place.key ?? []),
            try await settings(ofPerhaps: bucket)?.ownership == .ownerEnforced
        {
            throw S3Error(.aclNotSupported)
        }
        throw acl.notImplemented
    }
}

extension S3Operation {
    /// What a stranger may ask for: reads get it where the bucket is public-read, a form says
    /// itself who has signed it.
    var isOpenToStrangers: Bool {
        switch self {
        case .getObject, .headObject, .listObjects, .listObjectsV2, .headBucket, .postObject: true
        default: false
        }
    }

    var setsBucketACL: Bool { self == .createBucket || self == .putBucketAcl }
}
