internal import Crypto
internal import VortexCore

/// Who has signed a form's policy, by its fields: `x-amz-algorithm`, `x-amz-credential`,
/// `x-amz-date`, `x-amz-signature`. What is signed is the policy's field as it stands, base64.
struct FormClaim: Hashable, Sendable {
    var keyID: String
    var scope: SigningScope
    var policy: String
    /// 32 bytes.
    var signature: [UInt8]

    /// nil for a form that is not signed.
    static func find(_ form: FormHead) throws(SignatureError) -> FormClaim? {
        if form["awsaccesskeyid"] != nil || form["signature"] != nil { throw .version2 }
        let names = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"]
        guard names.contains(where: { form[$0] != nil }) else { return nil }
        if let token = form["x-amz-security-token"], !token.isEmpty { throw .unsupportedToken }
        guard form["x-amz-algorithm"] == SignatureClaim.algorithm,
            let credential = form["x-amz-credential"],
            let (keyID, scope) = SignatureClaim.credential(Array(credential.utf8)[...]),
            let time = form["x-amz-date"].flatMap({ SignatureTime($0) }),
            let signature = form["x-amz-signature"].flatMap({ Hex.bytes($0.utf8) }),
            signature.count == 32, let policy = form["policy"]
        else { throw .malformedForm }
        guard time.date == scope.date[...] else { throw .scopeDate }
        return FormClaim(keyID: keyID, scope: scope, policy: policy, signature: signature)
    }

    func isSigned(by key: SymmetricKey) -> Bool {
        let code = HMAC<SHA256>.authenticationCode(for: Array(policy.utf8), using: key)
        return ConstantTime.equal(Array(code), signature)
    }
}
