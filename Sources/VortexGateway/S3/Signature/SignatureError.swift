/// Why a signature does not let a request in. `S3Error` gives each its code and status.
enum SignatureError: Error, Hashable, Sendable {
    /// Signature version 2, in a header or a query.
    case version2
    /// Another scheme in Authorization than ours.
    case unknownScheme
    /// The Authorization field is not of the grammar, or for another service.
    case malformedHeader
    /// The X-Amz-* parameters of a presigned URL are not of the grammar.
    case malformedQuery
    /// The x-amz-* fields of a form are not of the grammar, or not all there.
    case malformedForm
    /// X-Amz-Expires is not 1 to 604,800.
    case expiresOutOfRange
    /// In a header and in the query, or twice.
    case ambiguous
    case missingDate
    /// The day of the scope is not that of the request.
    case scopeDate
    /// More than 15 minutes away from our clock.
    case skewed
    case expired
    case notYetValid
    /// `Host` or an `x-amz-` field is there and not signed.
    case headersNotSigned
    case missingPayloadHash
    case malformedPayloadHash
    /// A kind of payload signature that is not implemented, ECDSA's.
    case unsupportedPayload
    /// Temporary credentials: there are none here.
    case unsupportedToken
    case mismatch
}
