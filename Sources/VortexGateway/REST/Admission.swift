internal import VortexCluster
internal import VortexCore

// What a caller may do by `/v1`: the same grants as by S3.

extension RESTHandler {
    /// Whether the caller may do what the call asks for.
    func require(_ caller: Caller, _ call: Call) async throws(Problem) {
        if case .stranger = caller {
            guard try await isOpenToAll(call) else { throw Problem(.unauthenticated) }
            return
        }
        let isAllowed: Bool
        switch call.operation {
        case .listBuckets, .headBuckets, .live, .headLive, .ready, .headReady:
            isAllowed = true
        case .status, .headStatus, .metrics, .headMetrics, .listUploads, .headUploads, .listKeys,
            .headKeys, .createKey, .rotateKey, .revokeKey:
            isAllowed = caller.isAdmin
        case .createBucket, .deleteBucket:
            isAllowed = caller.may(.admin, bucket: call.bucketText)
        case .getBucket, .headBucket: isAllowed = caller.knows(bucket: call.bucketText)
        case .listObjects, .headObjects:
            isAllowed = caller.may(
                .list, bucket: call.bucketText, key: call.query["prefix"] ?? [])
        case .putObject, .deleteObject:
            isAllowed = caller.may(.write, bucket: call.bucketText, key: call.keyBytes)
        case .getObject, .headObject, .placement, .headPlacement:
            isAllowed = caller.may(.read, bucket: call.bucketText, key: call.keyBytes)
        case .createUpload:
            let bucket = String(decoding: call.query["bucket"] ?? [], as: UTF8.self)
            isAllowed = caller.may(.write, bucket: bucket, key: call.query["key"] ?? [])
        case .getUpload, .headUpload, .appendUpload, .abortUpload, .completeUpload:
            isAllowed = try await mayUpload(caller, call)
        }
        if isAllowed { return }
        guard try await isOpenToAll(call) else {
            throw Problem(.forbidden, "The key has no grant for this.")
        }
    }

    /// Reading and listing in a bucket that is public-read.
    private func isOpenToAll(_ call: Call) async throws(Problem) -> Bool {
        switch call.operation {
        case .getObject, .headObject, .listObjects, .headObjects: break
        default: return false
        }
        // What was replaced or deleted is not everybody's.
        if call.query["version"] != nil { return false }
        do throws(ClusterError) {
            return try await node.bucketSettings(call.bucketText).isPublicRead
        } catch {
            switch error {
            case .noSuchBucket, .invalidBucketName: return false
            default: throw Problem(answering: error)
            }
        }
    }

    /// Uploads go by their ids; which object they are of, their rows say.
    private func mayUpload(_ caller: Caller, _ call: Call) async throws(Problem) -> Bool {
        if caller.isAdmin { return true }
        let id = try parsing { () throws(RequestError) in try call.uploadID() }
        let place = try await asking { () async throws(ClusterError) in
            try await self.node.uploadPlace(id)
        }
        return caller.may(.write, bucket: place.bucket, key: place.key)
    }
}

extension Problem {
    init(_ error: AdmissionError) {
        switch error {
        case .unknownKey, .wrongSecret, .stranger, .signature(.mismatch),
            .signature(.unknownScheme):
            self.init(.unauthenticated)
        case .signature(let error):
            self.init(.unauthenticated, "The signature is refused: \(error).")
        case .tooManyFailures:
            self.init(.busy, "Too many failed attempts from this address.")
        case .cluster(let error): self.init(answering: error)
        }
    }
}
