internal import VortexCore

/// What a request says about its signature, parsed and bounded, in either of Version 4's forms:
///
///     Authorization: AWS4-HMAC-SHA256 Credential=ID/20130524/us-east-1/s3/aws4_request,
///         SignedHeaders=host;range;x-amz-date, Signature=f0e8...
///     ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=...&X-Amz-Date=...&X-Amz-Expires=86400
///         &X-Amz-SignedHeaders=host&X-Amz-Signature=aeee...
///
/// Nothing in it is true before `SignatureCheck` has found it so.
struct SignatureClaim: Hashable, Sendable {
    enum Form: Hashable, Sendable {
        case header
        case presigned(expiresSeconds: Int64)
    }
    var form: Form
    var keyID: String
    var scope: SigningScope
    /// Lower case, in their order.
    var signedHeaders: [String]
    /// 32 bytes.
    var signature: [UInt8]
    var time: SignatureTime
    var payload: PayloadKind
    /// As it is signed.
    var payloadText: String

    static let algorithm = "AWS4-HMAC-SHA256"
    /// Seven days.
    static let expiresSecondsMax: Int64 = 604_800
    static let clockSkewSecondsMax: Int64 = 15 * 60
    private static let signedHeadersMax = 128
    private static let keyIDBytesMax = 128

    /// Nil for a request without a signature.
    static func find(
        _ headers: HeaderFields, _ target: S3Target
    ) throws(SignatureError) -> SignatureClaim? {
        let isPresigned = target.has("X-Amz-Signature") || target.has("X-Amz-Algorithm")
        if target.has("Signature"), target.has("AWSAccessKeyId") { throw .version2 }
        guard let authorization = headers["authorization"] else {
            return isPresigned ? try presigned(headers, target) : nil
        }
        guard !isPresigned else { throw .ambiguous }
        return try header(authorization, headers)
    }

    private static func header(
        _ authorization: String, _ headers: HeaderFields
    ) throws(SignatureError) -> SignatureClaim {
        // Bytes, not characters: this is done for every request.
        let text = Array(authorization.utf8)
        guard !text.starts(with: "AWS ".utf8) else { throw .version2 }
        guard text.starts(with: algorithm.utf8), text.count > algorithm.utf8.count,
            text[algorithm.utf8.count] == UInt8(ascii: " ")
        else { throw .unknownScheme }
        var credential: ArraySlice<UInt8>?
        var signed: ArraySlice<UInt8>?
        var signature: ArraySlice<UInt8>?
        for piece in text[(algorithm.utf8.count + 1)...].split(separator: UInt8(ascii: ",")) {
            let field = piece.drop { $0 == UInt8(ascii: " ") }
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
                throw .malformedHeader
            }
            let (name, value) = (field[..<equals], field[(equals + 1)...])
            if name.elementsEqual("Credential".utf8), credential == nil {
                credential = value
            } else if name.elementsEqual("SignedHeaders".utf8), signed == nil {
                signed = value
            } else if name.elementsEqual("Signature".utf8), signature == nil {
                signature = value
            } else {
                throw .malformedHeader
            }
        }
        guard let credential, let signed, let signature,
            let (keyID, scope) = Self.credential(credential),
            let names = Self.names(signed), let bytes = Hex.bytes(signature),
            bytes.count == 32
        else { throw .malformedHeader }
        let hashes = headers.all("x-amz-content-sha256")
        guard let hash = hashes.first else { throw .missingPayloadHash }
        guard hashes.count == 1 else { throw .malformedPayloadHash }
        try refuseToken(headers.all("x-amz-security-token").first)
        return SignatureClaim(
            form: .header, keyID: keyID, scope: scope, signedHeaders: names, signature: bytes,
            time: try time(headers), payload: try PayloadKind(hash), payloadText: hash)
    }

    /// `x-amz-date`, or else `Date` in any of HTTP's forms or in theirs.
    private static func time(_ headers: HeaderFields) throws(SignatureError) -> SignatureTime {
        let lines = headers.all("x-amz-date")
        guard lines.count <= 1 else { throw .missingDate }
        if let line = lines.first {
            guard let time = SignatureTime(line) else { throw .missingDate }
            return time
        }
        guard let date = headers["date"] else { throw .missingDate }
        if let time = SignatureTime(date) { return time }
        // Mail's spelling of UTC, which botocore uses.
        let spelled = date.hasSuffix(" -0000") ? date.dropLast(5) + "GMT" : date[...]
        guard let seconds = HTTPDate.seconds(String(spelled), nowSeconds: 0) else {
            throw .missingDate
        }
        return SignatureTime(seconds: seconds)
    }

    private static func presigned(
        _ headers: HeaderFields, _ target: S3Target
    ) throws(SignatureError) -> SignatureClaim {
        func value(_ name: String) throws(SignatureError) -> String {
            do throws(RequestError) {
                guard let text = try target.text(name), !text.isEmpty else {
                    throw RequestError.missing(.query)
                }
                return text
            } catch { throw .malformedQuery }
        }
        guard try value("X-Amz-Algorithm") == algorithm,
            let (keyID, scope) = credential(Array(try value("X-Amz-Credential").utf8)[...]),
            let time = SignatureTime(try value("X-Amz-Date")),
            let names = names(Array(try value("X-Amz-SignedHeaders").utf8)[...]),
            let signature = Hex.bytes(try value("X-Amz-Signature").utf8), signature.count == 32
        else { throw .malformedQuery }
        guard let expires = Int64(try value("X-Amz-Expires")),
            (1...expiresSecondsMax).contains(expires)
        else { throw .expiresOutOfRange }
        if target.has("X-Amz-Security-Token") {
            try refuseToken(try value("X-Amz-Security-Token"))
        }
        let hashes = headers.all("x-amz-content-sha256")
        guard hashes.count <= 1 else { throw .malformedPayloadHash }
        // Signers put the hash into the query, or into a signed header, or leave it out.
        let hash =
            if target.has("X-Amz-Content-Sha256") {
                try value("X-Amz-Content-Sha256")
            } else {
                hashes.first ?? "UNSIGNED-PAYLOAD"
            }
        return SignatureClaim(
            form: .presigned(expiresSeconds: expires), keyID: keyID, scope: scope,
            signedHeaders: names, signature: signature, time: time,
            payload: try PayloadKind(hash), payloadText: hash)
    }

    private static func refuseToken(_ token: String?) throws(SignatureError) {
        if let token, !token.isEmpty { throw .unsupportedToken }
    }

    /// `ID/date/region/service/terminator`; an id may have slashes of its own.
    static func credential(_ text: ArraySlice<UInt8>) -> (String, SigningScope)? {
        let pieces = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard pieces.count >= 5, let scope = SigningScope(pieces.suffix(4)) else { return nil }
        let id = text[..<(pieces[pieces.count - 4].startIndex - 1)]
        guard (1...keyIDBytesMax).contains(id.count),
            let keyID = String(validating: id, as: UTF8.self)
        else { return nil }
        return (keyID, scope)
    }

    /// Sorted, each once, in lower case: what is signed has one spelling.
    private static func names(_ text: ArraySlice<UInt8>) -> [String]? {
        let names = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard names.count <= signedHeadersMax else { return nil }
        var isSorted = true
        for (place, name) in names.enumerated() {
            guard !name.isEmpty, name.allSatisfy({ isTokenByte($0) && lower($0) == $0 }) else {
                return nil
            }
            if place > 0, !names[place - 1].lexicographicallyPrecedes(name) { isSorted = false }
        }
        guard isSorted || Set(names).count == names.count else { return nil }
        return names.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the signature may be used now.
    func checkTime(nowSeconds: Int64) throws(SignatureError) {
        guard time.date == scope.date[...] else { throw .scopeDate }
        switch form {
        case .header:
            guard abs(nowSeconds - time.seconds) <= Self.clockSkewSecondsMax else { throw .skewed }
        case .presigned(let expires):
            guard time.seconds - nowSeconds <= Self.clockSkewSecondsMax else { throw .notYetValid }
            guard nowSeconds <= time.seconds + expires else { throw .expired }
        }
    }
}
