internal import Crypto
internal import NIOCore
internal import NIOSSL
internal import VortexCore

/// TLS 1.3 both ways from one secret. The cluster's authority is a P-256 key that each node derives
/// from the secret (HKDF-SHA256, RFC 5869); each process makes a key of its own and a certificate
/// that the authority's key signs. Who has the secret can do so, nobody else gets past the
/// handshake, and nothing but the secret is ever distributed. Names and dates prove nothing here
/// and are not looked at.
struct Credentials {
    /// Attempts to hit a valid scalar: all but one of 2^32 keys are at once.
    private static let attemptsMax: UInt8 = 100
    private static let authorityName = "vortexnet"

    let client: NIOSSLContext
    let server: NIOSSLContext

    init(secret: [UInt8], entropy: any Entropy) throws(NetworkError) {
        do {
            let authority = try Self.authorityKey(secret)
            let root = CertificateTemplate(
                subject: Self.authorityName, issuer: Self.authorityName, serial: 1,
                key: authority.publicKey, isAuthority: true)
            let own = P256.Signing.PrivateKey()
            let leaf = CertificateTemplate(
                subject: "node", issuer: Self.authorityName, serial: entropy.next() >> 1 | 1,
                key: own.publicKey, isAuthority: false)
            let roots = NIOSSLTrustRoots.certificates([
                try NIOSSLCertificate(bytes: try root.signed(by: authority), format: .der)
            ])
            let chain: [NIOSSLCertificateSource] = [
                .certificate(
                    try NIOSSLCertificate(bytes: try leaf.signed(by: authority), format: .der))
            ]
            let key = NIOSSLPrivateKeySource.privateKey(
                try NIOSSLPrivateKey(bytes: Array(own.derRepresentation), format: .der))
            var asking = TLSConfiguration.makeClientConfiguration()
            asking.certificateChain = chain
            asking.privateKey = key
            var listening = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: key)
            Self.restrict(&asking, to: roots)
            Self.restrict(&listening, to: roots)
            client = try NIOSSLContext(configuration: asking)
            server = try NIOSSLContext(configuration: listening)
        } catch let error as NetworkError {
            throw error
        } catch {
            throw .tls
        }
    }

    private static func restrict(
        _ configuration: inout TLSConfiguration, to roots: NIOSSLTrustRoots
    ) {
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = roots
        configuration.certificateVerification = .noHostnameVerification
        configuration.shutdownTimeout = .seconds(1)
    }

    /// The same key in every process that has the secret.
    static func authorityKey(_ secret: [UInt8]) throws(NetworkError) -> P256.Signing.PrivateKey {
        guard !secret.isEmpty else { throw .secretEmpty }
        for attempt in 0..<attemptsMax {
            let scalar = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret),
                salt: Array("vortexnet peers 1".utf8), info: [attempt], outputByteCount: 32)
            let raw = scalar.withUnsafeBytes { Array($0) }
            do {
                return try P256.Signing.PrivateKey(rawRepresentation: raw)
            } catch is CryptoKitError {
                // Zero or beyond the curve's order: the next attempt's bytes are others.
            } catch {
                throw .tls
            }
        }
        throw .tls
    }
}
