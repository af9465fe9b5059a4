internal import Crypto
internal import VortexCluster
public import VortexCore

/// Why nobody is let in. Each API spells it in its own way.
enum AdmissionError: Error, Hashable, Sendable {
    case signature(SignatureError)
    case unknownKey
    /// A bearer's id and secret do not belong together, or there is no such key.
    case wrongSecret
    /// Nobody says who they are, and must.
    case stranger
    /// Too many failed attempts from this address; it has to wait.
    case tooManyFailures
    case cluster(ClusterError)
}

/// Finds out who asks, for both APIs: by a signature, or by `Authorization: Bearer ID:SECRET`.
public final class Authenticator: Sendable {
    private let keys: KeyRing
    private let token: BearerToken?
    /// Whoever says nothing is let in: the gateway listens to this machine alone.
    private let isOpen: Bool
    private let clock: any Clock
    public let failures = FailedAttempts()

    /// Where a request comes from, as far as the server's trusted proxies tell.
    struct Origin: Sendable {
        var address: String
        /// The host that the client asked for, where a proxy has put another in its place.
        var forwardedHost: String?
        /// By TLS, as far as this server or a trusted proxy knows.
        var isSecure = false

        /// Where the client finds this server: `https://HOST:PORT`.
        func root(_ headers: HeaderFields) -> String {
            (isSecure ? "https://" : "http://") + (forwardedHost ?? headers["host"] ?? "")
        }
    }

    struct Admission: Sendable {
        var caller: Caller
        /// Let in because it reached this gateway, not for anything that it brings.
        var isAmbient = false
        /// Of a signed request.
        var signed: SignedHead?
        /// The host that was signed.
        var host: String?
    }

    public init(keys: KeyRing, token: [UInt8]?, isOpen: Bool, clock: any Clock) {
        self.keys = keys
        self.token = token.map { BearerToken($0) }
        self.isOpen = isOpen
        self.clock = clock
    }

    func admit(
        _ head: RequestHead, _ target: S3Target, from origin: Origin
    ) async throws(AdmissionError) -> Admission {
        let authorization = head.headers["authorization"]
        let isBearer = authorization?.utf8.prefix(7).map(lower).elementsEqual("bearer ".utf8)
        let now = clock.wallMilliseconds
        let claim: SignatureClaim?
        if isBearer == true {
            claim = nil
        } else {
            do throws(SignatureError) {
                claim = try SignatureClaim.find(head.headers, target)
            } catch { throw .signature(error) }
        }
        guard isBearer == true || claim != nil else {
            guard isOpen else { throw .stranger }
            return Admission(caller: .local, isAmbient: true)
        }
        guard !failures.isBlocked(origin.address, now: now) else { throw .tooManyFailures }
        do throws(AdmissionError) {
            if let claim {
                return try await signed(head, target, claim, origin, now: now)
            }
            return Admission(caller: try await bearer(authorization ?? ""))
        } catch {
            if error.isAttempt { failures.note(origin.address, now: now) }
            throw error
        }
    }

    private func find(_ id: String) async throws(AdmissionError) -> AccessKey? {
        do throws(ClusterError) { return try await keys.find(id) } catch { throw .cluster(error) }
    }

    private func signed(
        _ head: RequestHead, _ target: S3Target, _ claim: SignatureClaim, _ origin: Origin,
        now: UInt64
    ) async throws(AdmissionError) -> Admission {
        do throws(SignatureError) {
            try claim.checkTime(nowSeconds: Int64(now / 1_000))
        } catch { throw .signature(error) }
        guard let accessKey = try await find(claim.keyID) else { throw .unknownKey }
        let key = keys.signingKeys.key(of: accessKey.secret, in: claim.scope)
        let check = SignatureCheck(
            method: head.method, target: target, headers: head.headers,
            hosts: [origin.forwardedHost, head.headers["host"]].compactMap { $0 })
        let host: String
        do throws(SignatureError) { host = try check.verify(claim, key: key) } catch {
            throw .signature(error)
        }
        return Admission(
            caller: .key(accessKey), signed: SignedHead(claim: claim, key: key), host: host)
    }

    /// Who has signed a form. Wrong signatures count as they do in a header.
    func admit(_ claim: FormClaim, from origin: Origin) async throws(AdmissionError) -> Caller {
        let now = clock.wallMilliseconds
        guard !failures.isBlocked(origin.address, now: now) else { throw .tooManyFailures }
        do throws(AdmissionError) {
            guard let accessKey = try await find(claim.keyID) else { throw .unknownKey }
            guard claim.isSigned(by: keys.signingKeys.key(of: accessKey.secret, in: claim.scope))
            else { throw .signature(.mismatch) }
            return .key(accessKey)
        } catch {
            if error.isAttempt { failures.note(origin.address, now: now) }
            throw error
        }
    }

    private func bearer(_ authorization: String) async throws(AdmissionError) -> Caller {
        if token?.admits(authorization) == true { return .local }
        let text = authorization.dropFirst(7).drop { $0 == " " }
        guard let colon = text.firstIndex(of: ":"),
            let accessKey = try await find(String(text[..<colon])),
            ConstantTime.equal(
                accessKey.secret, Array(text[text.index(after: colon)...].utf8))
        else { throw .wrongSecret }
        return .key(accessKey)
    }
}

extension AdmissionError {
    /// Whether somebody may have been guessing.
    fileprivate var isAttempt: Bool {
        switch self {
        case .unknownKey, .wrongSecret, .signature(.mismatch): true
        default: false
        }
    }
}
