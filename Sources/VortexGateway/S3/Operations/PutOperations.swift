internal import Crypto
internal import VortexCluster
internal import VortexCore

/// PutObject, and what a write has in common with a copy.
extension S3Handler {
    /// 5 GiB, S3's bound on a body.
    static let bodyBytesMax: UInt64 = 5 << 30

    func putObject(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let attributes = try S3Headers.attributes(of: call.headers)
        let condition = try Self.writeCondition(call.headers)
        let idempotency = Self.idempotency(call, condition)
        if call.target.has("partNumber") {
            throw .argument("partNumber", "", "A part belongs to an upload: uploadId is missing.")
        }
        let plan = try Self.bodyPlan(call)
        let body = S3Body(call.source, plan, wantsTag: true, lanes: lanes)
        let result: PutResult
        do throws(ClusterError) {
            try await node.admitPut(
                bucket: bucket, key: key, condition: condition, expectedBytes: plan.length,
                idempotency: idempotency)
            result = try await node.put(
                bucket: bucket, key: key, attributes: attributes, condition: condition,
                idempotency: idempotency, body: body)
        } catch { throw body.failure ?? S3Error(answering: error) }
        let headers = [("ETag", "\"\(result.version.etag)\"")] + result.headers
        let checksum = body.checksum?.headers(of: result.version.tag) ?? []
        return Response(status: 200, headers: headers + checksum)
    }

    /// Of a body that is stored.
    static func bodyPlan(_ call: S3Call) throws(S3Error) -> BodyPlan {
        guard call.headers["content-length"] != nil || call.headers["transfer-encoding"] != nil
        else { throw S3Error(.missingContentLength) }
        let plan = try BodyPlan(
            call.head, expectedBytes: call.source.expectedBytes, call.admission.signed)
        guard plan.length ?? 0 <= bodyBytesMax else { throw S3Error(.entityTooLarge) }
        return plan
    }

    /// S3 has two conditions on writes: only where nothing is, and only over a known version.
    static func writeCondition(_ headers: HeaderFields) throws(S3Error) -> WriteCondition {
        var condition = WriteCondition()
        for name in ["if-modified-since", "if-unmodified-since"] where headers[name] != nil {
            throw .notImplemented("\(name) on a write")
        }
        switch S3Headers.tags(headers.all("if-none-match")) {
        case .any?: condition.ifNoneMatch = .any
        case .tags?: throw .notImplemented("If-None-Match with a tag on a write")
        case nil: break
        }
        switch S3Headers.tags(headers.all("if-match")) {
        case .any?: condition.ifMatch = .any
        case .tags(let tags)?:
            condition.ifMatch = .tags(tags.filter { !$0.isWeak }.map(\.value))
        case nil: break
        }
        return condition
    }

    /// The retry of a conditional write that had won gets its success again: SDKs repeat a request
    /// with the same invocation id. The cluster adds the body's digest.
    static func idempotency(_ call: S3Call, _ condition: WriteCondition) -> IdempotencyKey? {
        guard condition != .none, let id = call.headers["amz-sdk-invocation-id"],
            (1...255).contains(id.utf8.count)
        else { return nil }
        var request = ByteWriter()
        request.write(text: call.head.method)
        request.write(string: call.target.path)
        do throws(S3Error) {
            if let version = try call.text("versionId") { request.write(text: version) }
        } catch { return nil }
        for name in ["if-match", "if-none-match", "x-amz-copy-source"] {
            for value in call.headers.all(name) { request.write(text: value) }
            request.write(UInt8(0))
        }
        var name = ByteWriter()
        name.write(text: "amz-sdk-invocation-id")
        name.write(text: id)
        return IdempotencyKey(
            keyHash: Digest128(sha256Of: name.bytes),
            requestHash: Digest128(sha256Of: request.bytes))
    }
}

extension Digest128 {
    /// Half of a SHA-256: a client must not be able to make two requests look the same.
    init(sha256Of bytes: [UInt8]) {
        self.init(bigEndian: Array(SHA256.hash(data: bytes).prefix(16)))
    }
}
