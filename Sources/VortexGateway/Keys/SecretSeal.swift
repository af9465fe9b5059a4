internal import Crypto
internal import VortexCore

/// Keeps keys' secrets from whoever reads a disk: AES-GCM under a key derived (HKDF-SHA256, RFC
/// 5869) from the cluster's secret, which no row holds. The key's id goes in as additional data, so
/// that a sealed secret is of no use in another key's row.
struct SecretSeal: Sendable {
    private let key: SymmetricKey

    init(clusterSecret: [UInt8]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: clusterSecret),
            salt: Array("vortexnet access keys 1".utf8), info: [UInt8](), outputByteCount: 32)
    }

    func seal(_ secret: [UInt8], id: String) -> [UInt8] {
        do {
            let box = try AES.GCM.seal(secret, using: key, authenticating: Array(id.utf8))
            guard let bytes = box.combined else { preconditionFailure("a nonce of 12 bytes") }
            return Array(bytes)
        } catch { preconditionFailure("sealing has no other way to fail than a wrong key size") }
    }

    /// Nil where it was not sealed with this cluster's secret, for this id.
    func open(_ sealed: [UInt8], id: String) -> [UInt8]? {
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            return Array(try AES.GCM.open(box, using: key, authenticating: Array(id.utf8)))
        } catch { return nil }
    }
}
