import Crypto
import VortexCore

@testable import VortexGateway

/// Signs requests as a client does, for tests of what a gateway does with them. That the signatures
/// are Amazon's, `SignatureTests` knows from Amazon's own.
struct S3Client {
    let gateway: GatewayFixture
    var keyID = SignatureTests.keyID
    var secret = SignatureTests.secret
    var region = "us-east-1"

    /// A gateway that asks for keys, and a client with one.
    static func run(
        domain: String? = nil, _ body: @Sendable (S3Client) async throws -> Void
    ) async throws {
        try await GatewayFixture.run(isOpen: false, domain: domain) { gateway in
            let client = S3Client(gateway: gateway)
            _ = try await gateway.keys.create(
                KeyRing.Order(
                    id: client.keyID, secret: client.secret,
                    grants: [KeyGrant(actions: .all)]))
            try await body(client)
        }
    }

    /// Another client with a key of its own.
    func with(_ grants: String, id: String) async throws -> S3Client {
        var other = self
        other.keyID = id
        other.secret = Array("secret of \(id)".utf8)
        let made = try await gateway.keys.create(
            KeyRing.Order(id: id, secret: other.secret, grants: KeyGrant.list(grants) ?? []))
        precondition(made != nil)
        return other
    }

    var time: SignatureTime {
        SignatureTime(seconds: Int64(gateway.clock.wallMilliseconds / 1_000))
    }

    private func claim(
        _ form: SignatureClaim.Form, _ signed: [String], _ payload: String
    ) throws -> SignatureClaim {
        SignatureClaim(
            form: form, keyID: keyID,
            scope: SigningScope(date: String(time.date), region: region), signedHeaders: signed,
            signature: [], time: time, payload: try PayloadKind(payload), payloadText: payload)
    }

    private func signature(
        _ claim: SignatureClaim, _ method: String, _ target: String, _ fields: HeaderFields,
        host: String = "host"
    ) throws -> String {
        let check = SignatureCheck(
            method: method, target: try S3Target(target), headers: fields, hosts: [host])
        let canonical = check.canonical(claim, .encoded, host: host)
        let text =
            "AWS4-HMAC-SHA256\n\(claim.time.text)\n\(claim.scope.text)\n"
            + Hex.string(Array(SHA256.hash(data: canonical)))
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8), using: claim.scope.key(of: secret))
        return Hex.string(Array(code))
    }

    func send(
        _ method: String, _ target: String, _ headers: [(String, String)] = [],
        body: String? = nil, payload: String? = nil
    ) async throws -> Reply {
        let bytes = body.map { Array($0.utf8) }
        let hash = payload ?? Hex.string(Array(SHA256.hash(data: bytes ?? [])))
        let fields =
            [("Host", "host"), ("x-amz-date", time.text), ("x-amz-content-sha256", hash)] + headers
        let signed = fields.map { $0.0.lowercased() }.sorted()
        let claim = try claim(.header, signed, hash)
        let signature = try signature(
            claim, method, target, HeaderFields(fields.map { (name: $0.0, value: $0.1) }))
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(keyID)/\(claim.scope.text), "
            + "SignedHeaders=\(signed.joined(separator: ";")), Signature=\(signature)"
        return try await gateway.send(
            method, target, fields + [("Authorization", authorization)], bytes: bytes)
    }

    /// A presigned target.
    func presigned(
        _ method: String, _ path: String, expires: Int64, host: String = "host"
    ) throws -> String {
        let claim = try claim(.presigned(expiresSeconds: expires), ["host"], "UNSIGNED-PAYLOAD")
        let credential = "\(keyID)/\(claim.scope.text)".replacing("/", with: "%2F")
        let target =
            path + (path.contains("?") ? "&" : "?")
            + "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(credential)"
            + "&X-Amz-Date=\(time.text)&X-Amz-Expires=\(expires)&X-Amz-SignedHeaders=host"
        let signature = try signature(claim, method, target, HeaderFields([]), host: host)
        return target + "&X-Amz-Signature=" + signature
    }
}

extension Reply {
    /// The code of an S3 error.
    /// The header whose condition did not hold, as the error's document says.
    var condition: String? {
        do { return try XMLElement.parse(body).value("Condition") } catch { return nil }
    }
    var code: String? {
        guard self["Content-Type"] == "application/xml", status >= 400 else { return nil }
        do { return try XMLElement.parse(body).value("Code") } catch { return nil }
    }
}
