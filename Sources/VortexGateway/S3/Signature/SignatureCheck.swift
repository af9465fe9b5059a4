internal import Crypto
internal import VortexCore

/// Whether a signature is the one that the secret's owner makes over this very request.
///
/// What is signed, line by line:
///
///     method
///     path            URI-encoded once; S3 does not encode it twice as other services do
///     query           sorted by encoded name and value, without X-Amz-Signature
///     name:value      of each signed header, trimmed, runs of spaces made one
///
///     signed headers  a;b;c
///     payload         the hash, or the word that stands for it
///
/// Clients disagree about targets that are not encoded as they should be: some sign what they
/// should have sent, some sign what they send. Both spellings mean the same key and parameters, so
/// both are tried. Behind a proxy the host that was signed may be another one than arrives.
struct SignatureCheck {
    var method: String
    var target: S3Target
    var headers: HeaderFields
    /// Those that the client may have signed: as it arrived, and as a trusted proxy tells it.
    var hosts: [String]

    enum Spelling: CaseIterable {
        case encoded, asSent
    }

    /// The host that was signed. A bucket is named by that one and no other: else whoever holds a
    /// presigned URL could point it at another bucket.
    @discardableResult
    func verify(
        _ claim: SignatureClaim, key: SymmetricKey
    ) throws(SignatureError) -> String {
        try checkSigned(claim)
        var tried: [[UInt8]] = []
        for spelling in Spelling.allCases {
            for host in hosts + hosts.compactMap(Self.withoutPort) {
                let canonical = canonical(claim, spelling, host: host)
                if tried.contains(canonical) { continue }
                tried.append(canonical)
                if isSigned(canonical, claim, key) { return host }
            }
        }
        throw .mismatch
    }

    /// Some clients (git-annex) send the port and do not sign it. It names nothing: no bucket, no
    /// key, so that nothing is let in which the secret's owner did not sign.
    private static func withoutPort(_ host: String) -> String? {
        guard let colon = host.lastIndex(of: ":"), colon > host.startIndex else { return nil }
        let port = host[host.index(after: colon)...]
        guard !port.isEmpty, port.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return String(host[..<colon])
    }

    /// What is not signed could be anybody's: the host, and every header that changes what S3 does.
    private func checkSigned(_ claim: SignatureClaim) throws(SignatureError) {
        guard claim.signedHeaders.contains("host") else { throw .headersNotSigned }
        for (name, _) in headers where S3Headers.isAmazons(name) {
            guard claim.signedHeaders.contains(name.lowercased()) else {
                throw .headersNotSigned
            }
        }
    }

    private func isSigned(
        _ canonical: [UInt8], _ claim: SignatureClaim, _ key: SymmetricKey
    ) -> Bool {
        let newline = UInt8(ascii: "\n")
        var text: [UInt8] = []
        text.reserveCapacity(256)
        for line in [SignatureClaim.algorithm, claim.time.text, claim.scope.text] {
            text += line.utf8
            text.append(newline)
        }
        text += Hex.string(Array(SHA256.hash(data: canonical))).utf8
        let code = HMAC<SHA256>.authenticationCode(for: text, using: key)
        return ConstantTime.equal(Array(code), claim.signature)
    }

    func canonical(_ claim: SignatureClaim, _ spelling: Spelling, host: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        let newline = UInt8(ascii: "\n")
        bytes += method.utf8
        bytes.append(newline)
        switch spelling {
        case .encoded: bytes += PercentCoding.encode(target.path, keepsSlash: true)
        case .asSent: bytes += target.rawPath
        }
        bytes.append(newline)
        bytes += query(spelling)
        bytes.append(newline)
        for name in claim.signedHeaders {
            bytes += name.utf8
            bytes.append(UInt8(ascii: ":"))
            if name == "host" {
                Self.append(host, to: &bytes)
            } else {
                appendValues(of: name, to: &bytes)
            }
            bytes.append(newline)
        }
        bytes.append(newline)
        for (place, name) in claim.signedHeaders.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes += name.utf8
        }
        bytes.append(newline)
        bytes += claim.payloadText.utf8
        return bytes
    }

    private func query(_ spelling: Spelling) -> [UInt8] {
        if target.parameters.isEmpty { return [] }
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        for parameter in target.parameters
        where !parameter.name.elementsEqual("X-Amz-Signature".utf8) {
            switch spelling {
            case .encoded:
                pairs.append(
                    (PercentCoding.encode(parameter.name), PercentCoding.encode(parameter.value)))
            case .asSent: pairs.append((Array(parameter.rawName), Array(parameter.rawValue)))
            }
        }
        pairs.sort { left, right in
            left.name == right.name
                ? left.value.lexicographicallyPrecedes(right.value)
                : left.name.lexicographicallyPrecedes(right.name)
        }
        let joined = pairs.map { $0.name + [UInt8(ascii: "=")] + $0.value }
        return Array(joined.joined(separator: [UInt8(ascii: "&")]))
    }

    private func appendValues(of name: String, to bytes: inout [UInt8]) {
        var isFirst = true
        headers.visit(name) { value in
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            Self.append(value, to: &bytes)
        }
    }

    /// Without whitespace around it, and with single spaces inside.
    static func trimmed(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return bytes
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        let start = bytes.count
        var isSpacePending = false
        for byte in text.utf8 {
            if byte == 0x20 || byte == 0x09 {
                isSpacePending = bytes.count > start
                continue
            }
            if isSpacePending { bytes.append(0x20) }
            isSpacePending = false
            bytes.append(byte)
        }
    }
}
