internal import VortexCluster
internal import VortexCore

/// One S3 request that was let in: what operations ask of it.
struct S3Call: Sendable {
    var head: RequestHead
    var target: S3Target
    var place: S3Place
    var admission: Authenticator.Admission
    var origin: Authenticator.Origin
    var source: any BodySource

    var headers: HeaderFields { head.headers }
    var caller: Caller { admission.caller }

    /// Of an operation on a bucket or an object.
    func bucket() throws(S3Error) -> String {
        guard let bucket = place.bucket else { throw S3Error(.methodNotAllowed) }
        return bucket
    }

    func key() throws(S3Error) -> [UInt8] {
        guard let key = place.key else { throw S3Error(.methodNotAllowed) }
        return key
    }

    func require(
        _ action: KeyGrant.Actions, bucket: String, key: [UInt8] = []
    ) throws(S3Error) {
        guard caller.may(action, bucket: bucket, key: key) else { throw S3Error(.accessDenied) }
    }

    func text(_ name: String) throws(S3Error) -> String? {
        do throws(RequestError) { return try target.text(name) } catch {
            throw S3Error(refused: error)
        }
    }

    func bytes(_ name: String) throws(S3Error) -> [UInt8] {
        do throws(RequestError) { return try target.value(name) ?? [] } catch {
            throw S3Error(refused: error)
        }
    }

    /// A number of a listing, 1,000 where it is not given and at most.
    func count(_ name: String) throws(S3Error) -> Int {
        guard let text = try text(name) else { return Limits.listPageMax }
        guard let value = UInt32(text), value <= UInt32(Int32.max) else {
            throw .argument(name, text, "Provided \(name) not an integer or within integer range")
        }
        return min(Int(value), Limits.listPageMax)
    }

    /// `encoding-type=url`.
    func isURLEncoded() throws(S3Error) -> Bool {
        guard let text = try text("encoding-type") else { return false }
        guard text == "url" else {
            throw .argument("encoding-type", text, "Invalid Encoding Method specified in Request")
        }
        return true
    }

    /// Which version is meant; nil: the newest.
    func version() throws(S3Error) -> VersionName? {
        try text("versionId").map { text throws(S3Error) in try Self.version(text) }
    }

    static func version(_ text: String) throws(S3Error) -> VersionName {
        guard let name = VersionName(text) else {
            throw .argument("versionId", text, "Invalid version id specified")
        }
        return name
    }
}

/// What the cluster answers, with its failures in S3's words.
func s3Asking<Value>(
    _ body: () async throws(ClusterError) -> Value
) async throws(S3Error) -> Value {
    do throws(ClusterError) { return try await body() } catch { throw S3Error(answering: error) }
}

extension Response {
    static func xml(_ bytes: [UInt8], status: Int = 200) -> Response {
        Response(
            status: status, headers: [("Content-Type", "application/xml")],
            content: .bytes(bytes))
    }
}
