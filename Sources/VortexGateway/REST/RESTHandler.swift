internal import Synchronization
public import VortexCluster
public import VortexCore

/// The REST API under `/v1` (openapi.yaml): finds the route, who asks and whether they may, asks
/// the handlers, and turns what they throw into problem details.
public final class RESTHandler: Sendable {
    let node: ClusterNode
    let metrics: Metrics
    let clock: any Clock
    let entropy: any Entropy
    let keys: KeyRing
    private let authenticator: Authenticator
    private let draining = Atomic(false)

    public init(
        node: ClusterNode, metrics: Metrics, clock: any Clock, entropy: any Entropy,
        authenticator: Authenticator, keys: KeyRing
    ) {
        self.node = node
        self.metrics = metrics
        self.clock = clock
        self.entropy = entropy
        self.authenticator = authenticator
        self.keys = keys
    }

    /// From now on `/v1/health/ready` says 503, so that proxies send their requests elsewhere.
    public func beginDraining() { draining.store(true, ordering: .relaxed) }
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    var nowSeconds: Int64 { Int64(clock.wallMilliseconds / 1_000) }

    func respond(
        to head: RequestHead, body: any BodySource, from origin: Authenticator.Origin
    ) async -> Response {
        let response: Response
        do throws(Problem) {
            response = try await answer(head, body, origin)
        } catch {
            response = error.response(requestID: head.requestID)
        }
        return head.method == "HEAD" ? response.withoutBody : response
    }

    private func answer(
        _ head: RequestHead, _ body: any BodySource, _ origin: Authenticator.Origin
    ) async throws(Problem) -> Response {
        let target = try parsing { () throws(RequestError) in try RequestTarget(head.target) }
        let match: Routes.Match
        do throws(RequestError) {
            match = try Routes.match(method: head.method, target)
        } catch {
            // Who may not come in learns nothing about what there is.
            if case .stranger = try await admit(head, origin).caller {
                throw Problem(.unauthenticated)
            }
            throw Problem(refused: error)
        }
        var call = Call(head, body, match, target.query)
        if match.route.isOpen { return try await dispatch(call) }
        let admission = try await admit(head, origin)
        call.caller = admission.caller
        try await require(admission.caller, call)
        if admission.isAmbient, !PageOrigin.isSafe(head.method),
            PageOrigin.isForeign(
                head.headers, hosts: [head.headers["host"], origin.forwardedHost])
        {
            throw Problem(.forbidden, "A page of another origin may not do this.")
        }
        var response = try await dispatch(try call.signed(admission))
        if admission.isAmbient, [.getObject, .headObject].contains(call.operation) {
            response.headers += PageOrigin.sandbox
        }
        return response
    }

    /// A stranger comes this far: what is asked for decides.
    private func admit(
        _ head: RequestHead, _ origin: Authenticator.Origin
    ) async throws(Problem) -> Authenticator.Admission {
        let target = try parsing { () throws(RequestError) in try S3Target(head.target) }
        do throws(AdmissionError) {
            return try await authenticator.admit(head, target, from: origin)
        } catch .stranger {
            return Authenticator.Admission(caller: .stranger)
        } catch { throw Problem(error) }
    }

    private func dispatch(_ call: Call) async throws(Problem) -> Response {
        switch call.operation {
        case .listBuckets, .headBuckets: try await listBuckets(call)
        case .createBucket: try await createBucket(call)
        case .getBucket, .headBucket: try await getBucket(call)
        case .deleteBucket: try await deleteBucket(call)
        case .listObjects, .headObjects: try await listObjects(call)
        case .putObject: try await putObject(call)
        case .getObject, .headObject: try await getObject(call)
        case .deleteObject: try await deleteObject(call)
        case .listUploads, .headUploads: try await listUploads(call)
        case .createUpload: try await createUpload(call)
        case .getUpload: try await getUpload(call)
        case .headUpload: try await headUpload(call)
        case .appendUpload: try await appendUpload(call)
        case .abortUpload: try await abortUpload(call)
        case .completeUpload: try await completeUpload(call)
        case .status, .headStatus: try await status(call)
        case .placement, .headPlacement: try await placement(call)
        case .metrics, .headMetrics: try await metrics(call)
        case .live, .headLive: try live(call)
        case .ready, .headReady: try await ready(call)
        case .listKeys, .headKeys: try await listKeys(call)
        case .createKey: try await createKey(call)
        case .rotateKey: try await rotateKey(call)
        case .revokeKey: try await revokeKey(call)
        }
    }
}

extension Problem {
    func response(requestID: String) -> Response {
        var fields = [("Content-Type", "application/problem+json")]
        for header in headers { fields.append((header.name, header.value)) }
        return Response(
            status: type.status, headers: fields, content: .bytes(json(instance: requestID)))
    }
}

extension Response {
    /// The answer to HEAD: the same header, and the length of the content that GET would get.
    var withoutBody: Response {
        var response = self
        switch content {
        case .empty: break
        case .bytes(let bytes): response.content = .empty(contentLength: UInt64(bytes.count))
        case .stream(let length, _): response.content = .empty(contentLength: length)
        }
        return response
    }

    static func json(status: Int = 200, _ body: (inout JSONWriter) -> Void) -> Response {
        var json = JSONWriter()
        json.object(body)
        return Response(
            status: status, headers: [("Content-Type", "application/json")],
            content: .bytes(json.bytes))
    }
}
