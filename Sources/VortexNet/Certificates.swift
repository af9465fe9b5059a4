internal import Crypto
internal import SwiftASN1

/// X.509 certificates (RFC 5280), as few as nodes need: one authority that exists only as a key,
/// and leaves signed by it. Written with the ASN.1 library alone: the certificate library brings
/// all of Foundation, for dates that never vary here.
struct CertificateTemplate {
    /// A date that no wrong clock is before, and one that none is after.
    private static let validity = (from: "000101000000Z", until: "99991231235959Z")
    /// ecdsa-with-SHA256 (RFC 5758, 3.2).
    private static let signatureAlgorithm: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 2]
    private static let commonName: ASN1ObjectIdentifier = [2, 5, 4, 3]
    private static let basicConstraints: ASN1ObjectIdentifier = [2, 5, 29, 19]
    private static let keyUsage: ASN1ObjectIdentifier = [2, 5, 29, 15]

    var subject: String
    var issuer: String
    /// Positive.
    var serial: UInt64
    var key: P256.Signing.PublicKey
    var isAuthority: Bool

    /// The certificate's DER, signed.
    func signed(by authority: P256.Signing.PrivateKey) throws -> [UInt8] {
        var body = DER.Serializer()
        try writeBody(&body)
        let signature = try authority.signature(for: body.serializedBytes)
        var der = DER.Serializer()
        try der.appendConstructedNode(identifier: .sequence) { coder throws in
            coder.serializeRawBytes(body.serializedBytes)
            try Self.writeAlgorithm(&coder)
            try coder.serialize(ASN1BitString(bytes: ArraySlice(signature.derRepresentation)))
        }
        return der.serializedBytes
    }

    private func writeBody(_ coder: inout DER.Serializer) throws {
        try coder.appendConstructedNode(identifier: .sequence) { coder throws in
            // Version 3, which is the number 2.
            try coder.serialize(2, explicitlyTaggedWithTagNumber: 0, tagClass: .contextSpecific)
            try coder.serialize(serial)
            try Self.writeAlgorithm(&coder)
            try Self.writeName(issuer, &coder)
            try coder.appendConstructedNode(identifier: .sequence) { coder throws in
                coder.appendPrimitiveNode(identifier: .utcTime) { bytes in
                    bytes.append(contentsOf: Self.validity.from.utf8)
                }
                coder.appendPrimitiveNode(identifier: .generalizedTime) { bytes in
                    bytes.append(contentsOf: Self.validity.until.utf8)
                }
            }
            try Self.writeName(subject, &coder)
            coder.serializeRawBytes(key.derRepresentation)
            try coder.serialize(explicitlyTaggedWithTagNumber: 3, tagClass: .contextSpecific) {
                coder throws in
                try coder.appendConstructedNode(identifier: .sequence) { coder throws in
                    try writeExtensions(&coder)
                }
            }
        }
    }

    private func writeExtensions(_ coder: inout DER.Serializer) throws {
        try Self.writeExtension(Self.basicConstraints, &coder) { coder throws in
            try coder.appendConstructedNode(identifier: .sequence) { coder throws in
                if isAuthority { try coder.serialize(true) }
            }
        }
        // Bits from the left: digitalSignature is 0, keyCertSign is 5.
        let usage = isAuthority ? (bits: UInt8(0x04), padding: 2) : (bits: 0x80, padding: 7)
        try Self.writeExtension(Self.keyUsage, &coder) { coder throws in
            try coder.serialize(ASN1BitString(bytes: [usage.bits], paddingBits: usage.padding))
        }
    }

    private static func writeExtension(
        _ id: ASN1ObjectIdentifier, _ coder: inout DER.Serializer,
        _ content: (inout DER.Serializer) throws -> Void
    ) throws {
        var value = DER.Serializer()
        try content(&value)
        try coder.appendConstructedNode(identifier: .sequence) { coder throws in
            try coder.serialize(id)
            try coder.serialize(true)
            try coder.serialize(ASN1OctetString(contentBytes: ArraySlice(value.serializedBytes)))
        }
    }

    private static func writeAlgorithm(_ coder: inout DER.Serializer) throws {
        try coder.appendConstructedNode(identifier: .sequence) { coder throws in
            try coder.serialize(signatureAlgorithm)
        }
    }

    private static func writeName(_ name: String, _ coder: inout DER.Serializer) throws {
        try coder.appendConstructedNode(identifier: .sequence) { coder throws in
            try coder.appendConstructedNode(identifier: .set) { coder throws in
                try coder.appendConstructedNode(identifier: .sequence) { coder throws in
                    try coder.serialize(commonName)
                    try coder.serialize(ASN1UTF8String(name))
                }
            }
        }
    }
}
