internal import Crypto
internal import VortexCluster
internal import VortexCore

/// One request with its route: what handlers ask of it, parsed and bounded.
struct Call {
    let headers: HeaderFields
    private(set) var body: any BodySource
    var caller = Caller.stranger
    let operation: Operation
    private let parameters: [[UInt8]]
    let query: Query

    init(_ head: RequestHead, _ body: any BodySource, _ match: Routes.Match, _ query: Query) {
        headers = head.headers
        self.body = body
        operation = match.route.operation
        parameters = match.parameters
        self.query = query
    }

    /// The bucket of the path. What is no name finds no bucket, or is refused by the cluster.
    func bucket() throws(RequestError) -> String {
        guard let name = String(validating: parameters[0], as: UTF8.self) else {
            throw .malformed(.bucket)
        }
        return name
    }

    /// As far as it is text, for the question whether the caller may.
    var bucketText: String { String(decoding: parameters[0], as: UTF8.self) }
    var keyBytes: [UInt8] { parameters.count > 1 ? parameters[1] : [] }

    /// The id in `/v1/keys/{id}`.
    func accessKeyID() throws(RequestError) -> String {
        guard let text = String(validating: parameters[0], as: UTF8.self),
            (1...AccessKeyRow.idBytesMax).contains(text.utf8.count)
        else { throw .malformed(.accessKeyID) }
        return text
    }

    /// With what the signature, or the header without one, says about the body: its SHA-256, or
    /// nothing.
    func signed(_ admission: Authenticator.Admission) throws(Problem) -> Call {
        let payload: PayloadKind
        if let signed = admission.signed {
            payload = signed.claim.payload
        } else {
            guard let text = headers["x-amz-content-sha256"] else { return self }
            do throws(SignatureError) { payload = try PayloadKind(text) } catch {
                throw Problem(refused: .malformed(.contentSHA256))
            }
        }
        switch payload {
        case .unsigned: return self
        case .sha256(let digest):
            var expected = ExpectedDigests()
            expected.sha256 = [digest]
            var call = self
            call.body = DigestingBody(body, expected)
            return call
        case .signedChunks, .unsignedChunks:
            throw Problem(refused: .unsupported(.contentSHA256))
        }
    }

    func key() throws(RequestError) -> [UInt8] { try Self.checked(key: parameters[1]) }

    /// The version that is asked for; nil: the newest.
    func version() throws(RequestError) -> VersionName? {
        guard let text = query["version"] else { return nil }
        guard let name = VersionName(String(decoding: text, as: UTF8.self)) else {
            throw .malformed(.version)
        }
        return name
    }

    static func checked(key: [UInt8]) throws(RequestError) -> [UInt8] {
        guard (1...Limits.keyBytesMax).contains(key.count),
            String(validating: key, as: UTF8.self) != nil
        else { throw .malformed(.key) }
        return key
    }

    /// A prefix, a delimiter or a cursor: empty where it is not given, and never longer than a key
    /// can be, counted in characters as openapi.yaml's `maxLength` does.
    func partOfKey(_ name: String, _ part: RequestPart) throws(RequestError) -> [UInt8] {
        guard let value = query[name] else { return [] }
        guard value.count <= 4 * Limits.keyBytesMax,
            let text = String(validating: value, as: UTF8.self),
            text.unicodeScalars.count <= Limits.keyBytesMax
        else { throw .malformed(part) }
        return value
    }

    func uploadID() throws(RequestError) -> UploadID {
        guard let text = String(validating: parameters[0], as: UTF8.self) else {
            throw .malformed(.uploadID)
        }
        guard let id = UploadID(text) else { throw .malformed(.uploadID) }
        return id
    }

    /// `limit` of a listing.
    func limit() throws(RequestError) -> Int {
        guard let text = query["limit"] else { return Limits.listPageMax }
        var value = 0
        guard (1...4).contains(text.count) else { throw .malformed(.limit) }
        for byte in text {
            guard isDigit(byte) else { throw .malformed(.limit) }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard (1...Limits.listPageMax).contains(value) else { throw .malformed(.limit) }
        return value
    }

    func readConditions(nowSeconds: Int64) throws(RequestError) -> ReadConditions {
        var conditions = ReadConditions()
        conditions.ifMatch = try EntityTagList.parse(headers.all("if-match"), .ifMatch)
        conditions.ifNoneMatch = try EntityTagList.parse(
            headers.all("if-none-match"), .ifNoneMatch)
        conditions.ifUnmodifiedSinceSeconds = headers["if-unmodified-since"].flatMap {
            HTTPDate.seconds($0, nowSeconds: nowSeconds)
        }
        conditions.ifModifiedSinceSeconds = headers["if-modified-since"].flatMap {
            HTTPDate.seconds($0, nowSeconds: nowSeconds)
        }
        return conditions
    }

    /// If-Match compares strongly, so weak tags cannot match and go; If-None-Match compares weakly,
    /// and the tags that objects have here are all strong.
    func writeCondition() throws(RequestError) -> WriteCondition {
        var condition = WriteCondition()
        switch try EntityTagList.parse(headers.all("if-match"), .ifMatch) {
        case .any?: condition.ifMatch = .any
        case .tags(let tags)?:
            condition.ifMatch = .tags(tags.filter { !$0.isWeak }.map(\.value))
        case nil: break
        }
        switch try EntityTagList.parse(headers.all("if-none-match"), .ifNoneMatch) {
        case .any?: condition.ifNoneMatch = .any
        case .tags(let tags)?: condition.ifNoneMatch = .tags(tags.map(\.value))
        case nil: break
        }
        return condition
    }

    /// The request that the Idempotency-Key stands for: what is done, to which object, on what
    /// condition. The cluster adds the body's digest.
    func idempotencyKey() throws(RequestError) -> IdempotencyKey? {
        let lines = headers.all("idempotency-key")
        guard let line = lines.first else { return nil }
        guard lines.count == 1 else { throw .duplicate(.idempotencyKey) }
        guard (1...255).contains(line.utf8.count),
            line.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw .malformed(.idempotencyKey) }
        var request = ByteWriter()
        request.write(text: operation.rawValue)
        for parameter in parameters { request.write(string: parameter) }
        for name in ["if-match", "if-none-match"] {
            for value in headers.all(name) { request.write(text: value) }
            request.write(UInt8(0))
        }
        return IdempotencyKey(
            keyHash: Self.digest(Array(line.utf8)), requestHash: Self.digest(request.bytes))
    }

    /// Half of a SHA-256: a client must not be able to make two requests look the same.
    private static func digest(_ bytes: [UInt8]) -> Digest128 {
        var halves: [UInt64] = [0, 0]
        for (index, byte) in SHA256.hash(data: bytes).prefix(16).enumerated() {
            halves[index / 8] = halves[index / 8] << 8 | UInt64(byte)
        }
        return Digest128(high: halves[0], low: halves[1])
    }

    /// Refuses a write without a declared body: without Content-Length and without chunks the body
    /// is empty, which nobody who left both out by mistake means.
    func requireLength() throws(Problem) {
        if headers["content-length"] == nil, headers["transfer-encoding"] == nil {
            throw Problem(.lengthRequired, "Send Content-Length or Transfer-Encoding: chunked.")
        }
    }

    /// Whether the request brings bytes along.
    var hasBody: Bool {
        if headers["transfer-encoding"] != nil { return true }
        guard let length = headers["content-length"] else { return false }
        return length != "0"
    }
}

// Two failure domains meet in a handler; both leave it as a `Problem`.

/// What a request has to be for what is asked of it.
func parsing<Value>(_ body: () throws(RequestError) -> Value) throws(Problem) -> Value {
    do throws(RequestError) { return try body() } catch { throw Problem(refused: error) }
}

/// What the cluster answers.
func asking<Value>(
    _ body: () async throws(ClusterError) -> Value
) async throws(Problem) -> Value {
    do throws(ClusterError) { return try await body() } catch { throw Problem(answering: error) }
}
