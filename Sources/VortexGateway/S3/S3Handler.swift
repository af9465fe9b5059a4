internal import VortexCluster
internal import VortexCore

/// The S3 API: who asks, for what, and whether they may; then the operation.
final class S3Handler: Sendable {
    let node: ClusterNode
    let clock: any Clock
    let lanes: DigestLanes
    let authenticator: Authenticator
    /// Hosts below it name buckets.
    private let domain: String?

    init(
        node: ClusterNode, clock: any Clock, authenticator: Authenticator, domain: String?,
        lanes: DigestLanes
    ) {
        self.node = node
        self.clock = clock
        self.authenticator = authenticator
        self.domain = domain
        self.lanes = lanes
    }

    var nowSeconds: Int64 { Int64(clock.wallMilliseconds / 1_000) }

    func respond(
        to head: RequestHead, body: any BodySource, from origin: Authenticator.Origin
    ) async -> Response {
        var response: Response
        var place: S3Place?
        do throws(S3Error) {
            response = try await answer(head, body, origin, &place)
        } catch {
            response = Self.response(error, head)
        }
        await addCORS(to: &response, head, place)
        response.headers.append(("x-amz-request-id", head.requestID))
        response.headers.append(("x-amz-id-2", head.requestID))
        return head.method == "HEAD" ? response.withoutBody : response
    }

    private func answer(
        _ head: RequestHead, _ body: any BodySource, _ origin: Authenticator.Origin,
        _ found: inout S3Place?
    ) async throws(S3Error) -> Response {
        let target: S3Target
        do throws(RequestError) { target = try S3Target(head.target) } catch {
            throw S3Error(refused: error)
        }
        let asked = origin.forwardedHost ?? head.headers["host"]
        if head.method == "OPTIONS" {
            return try await preflight(head, try S3Place(target, host: asked, domain: domain))
        }
        let admission = try await admit(head, target, origin)
        let host = admission.host ?? asked
        let (place, operation) = try find(head, target, host: host, admission.caller)
        found = place
        try S3Headers.check(head.headers)
        let call = S3Call(
            head: head, target: target, place: place, admission: admission, origin: origin,
            source: body)
        // A form may bring a signature of its own.
        if operation != .postObject { try await refuseForeignPage(call, operation) }
        if !operation.setsBucketACL { try await checkACL(call) }
        return try await run(operation, call)
    }

    /// A stranger comes this far: what the bucket is decides.
    private func admit(
        _ head: RequestHead, _ target: S3Target, _ origin: Authenticator.Origin
    ) async throws(S3Error) -> Authenticator.Admission {
        do throws(AdmissionError) {
            return try await authenticator.admit(head, target, from: origin)
        } catch .stranger {
            return Authenticator.Admission(caller: .stranger)
        } catch { throw S3Error(admission: error) }
    }

    /// What is asked for, of what. Strangers hear of nothing but what they may have.
    private func find(
        _ head: RequestHead, _ target: S3Target, host: String?, _ caller: Caller
    ) throws(S3Error) -> (S3Place, S3Operation) {
        let found: (S3Place, S3Operation)
        do throws(S3Error) {
            let place = try S3Place(target, host: host, domain: domain)
            let operation = try S3Routes.find(
                method: head.method, place, target,
                isCopy: head.headers["x-amz-copy-source"] != nil)
            found = (place, operation)
        } catch {
            if case .stranger = caller { throw S3Error(.accessDenied) }
            throw error
        }
        if case .stranger = caller, !found.1.isOpenToStrangers { throw S3Error(.accessDenied) }
        return found
    }

    private func run(
        _ operation: S3Operation, _ call: S3Call
    ) async throws(S3Error) -> Response {
        switch operation {
        case .listBuckets: try await listBuckets(call)
        case .createBucket: try await createBucket(call)
        case .headBucket: try await headBucket(call)
        case .deleteBucket: try await deleteBucket(call)
        case .getBucketLocation: try await getBucketLocation(call)
        case .getBucketVersioning: try await getBucketVersioning(call)
        case .putBucketVersioning: try await putBucketVersioning(call)
        case .getBucketAcl: try await getBucketAcl(call)
        case .putBucketAcl: try await putBucketAcl(call)
        case .getBucketTagging: try await getBucketTagging(call)
        case .putBucketTagging: try await putBucketTagging(call)
        case .deleteBucketTagging: try await deleteBucketTagging(call)
        case .getBucketCors: try await getBucketCors(call)
        case .putBucketCors: try await putBucketCors(call)
        case .deleteBucketCors: try await deleteBucketCors(call)
        case .getBucketOwnershipControls: try await getBucketOwnershipControls(call)
        case .putBucketOwnershipControls: try await putBucketOwnershipControls(call)
        case .deleteBucketOwnershipControls: try await deleteBucketOwnershipControls(call)
        case .getPublicAccessBlock: try await getPublicAccessBlock(call)
        case .putPublicAccessBlock: try await putPublicAccessBlock(call)
        case .deletePublicAccessBlock: try await deletePublicAccessBlock(call)
        case .listObjects: try await listObjects(call, .first)
        case .listObjectsV2: try await listObjects(call, .second)
        case .listObjectVersions: try await listObjectVersions(call)
        case .deleteObjects: try await deleteObjects(call)
        case .postObject: try await postObject(call)
        case .putObject: try await putObject(call)
        case .copyObject: try await copyObject(call)
        case .getObject, .headObject: try await getObject(call, isHead: operation == .headObject)
        case .deleteObject: try await deleteObject(call)
        case .getObjectAcl: try await getObjectAcl(call)
        case .createMultipartUpload: try await createMultipartUpload(call)
        case .uploadPart: try await uploadPart(call)
        case .uploadPartCopy: try await uploadPartCopy(call)
        case .listParts: try await listParts(call)
        case .completeMultipartUpload: try await completeMultipartUpload(call)
        case .abortMultipartUpload: try await abortMultipartUpload(call)
        case .listMultipartUploads: try await listMultipartUploads(call)
        case .getObjectAttributes: try await getObjectAttributes(call)
        case .getObjectTagging: try await getObjectTagging(call)
        case .putObjectTagging: try await putObjectTagging(call)
        case .deleteObjectTagging: try await deleteObjectTagging(call)
        }
    }

    private static func response(_ error: S3Error, _ head: RequestHead) -> Response {
        guard error.code != .notModified else {
            return Response(status: 304, headers: error.headers.map { ($0.name, $0.value) })
        }
        var error = error
        if error.code == .preconditionFailed, error.details.isEmpty {
            // Where both of a kind are there, the tag goes before the time (RFC 9110, 13.2.2).
            error.details =
                S3Error.condition(
                    ["If-Match", "If-Unmodified-Since", "If-None-Match"], "", head.headers
                ).details
        }
        let path = head.target.prefix { $0 != "?" }
        let document = error.document(resource: String(path), requestID: head.requestID)
        var response = Response.xml(document, status: error.code.status)
        for header in error.headers { response.headers.append((header.name, header.value)) }
        return response
    }

    /// All of a small body, checked against what the request promises about it.
    func document(
        _ call: S3Call, claim: BodyPlan.Claim = .body, most bytesMax: Int = XMLElement.bytesMax
    ) async throws(S3Error) -> [UInt8] {
        let plan = try BodyPlan(
            call.head, expectedBytes: call.source.expectedBytes, call.admission.signed,
            claim: claim)
        guard plan.length ?? 0 <= UInt64(bytesMax) else {
            throw S3Error(.malformedXML)
        }
        let body = S3Body(call.source, plan, wantsTag: false, lanes: lanes)
        let buffer = ChunkBuffer(capacity: Int(plan.length ?? UInt64(bytesMax)))
        do throws(ClusterError) {
            var hasEnded = plan.length == 0
            while !hasEnded, !buffer.isFull { hasEnded = try await body.fill(buffer) }
            guard plan.length == nil || plan.length == UInt64(buffer.count) else {
                throw .bodyEndedEarly
            }
            guard hasEnded || plan.length != nil else { throw .tooLarge(limitBytes: 0) }
            try await body.verify()
        } catch { throw body.failure ?? S3Error(answering: error) }
        return Array(buffer.bytes)
    }
}

extension S3Error {
    init(admission error: AdmissionError) {
        switch error {
        case .signature(let error): self.init(signature: error)
        case .unknownKey: self.init(.invalidAccessKeyID)
        case .wrongSecret, .stranger: self.init(.accessDenied)
        case .tooManyFailures:
            self.init(.slowDown, "Too many failed attempts from this address.")
        case .cluster(let error): self.init(answering: error)
        }
    }
}
