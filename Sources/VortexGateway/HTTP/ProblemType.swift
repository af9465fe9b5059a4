/// Every kind of refusal that clients can tell apart. The raw value ends the problem's `type` and
/// never changes; openapi.yaml lists all of them.
public enum ProblemType: String, Sendable, Hashable, CaseIterable {
    case malformedRequest = "malformed-request"
    case duplicateParameter = "duplicate-parameter"
    case unknownParameter = "unknown-parameter"
    case missingParameter = "missing-parameter"
    case invalidBucketName = "invalid-bucket-name"
    case invalidKey = "invalid-key"
    case digestMismatch = "digest-mismatch"
    case bodyEndedEarly = "body-ended-early"
    case bodyMalformed = "body-malformed"
    case unauthenticated = "unauthenticated"
    case forbidden = "forbidden"
    case noSuchRoute = "no-such-route"
    case noSuchBucket = "no-such-bucket"
    case noSuchObject = "no-such-object"
    case noSuchVersion = "no-such-version"
    case noSuchUpload = "no-such-upload"
    case noSuchKey = "no-such-key"
    case methodNotAllowed = "method-not-allowed"
    case requestTimeout = "request-timeout"
    case bucketExists = "bucket-exists"
    case bucketNotEmpty = "bucket-not-empty"
    case uploadExpired = "upload-expired"
    case offsetMismatch = "offset-mismatch"
    case uploadBusy = "upload-busy"
    case tooManyUploads = "too-many-uploads"
    case tooManyVersions = "too-many-versions"
    case idempotencyMismatch = "idempotency-mismatch"
    case lengthRequired = "length-required"
    case preconditionFailed = "precondition-failed"
    case contentTooLarge = "content-too-large"
    case targetTooLong = "target-too-long"
    case rangeNotSatisfiable = "range-not-satisfiable"
    case expectationFailed = "expectation-failed"
    case headersTooLarge = "headers-too-large"
    case metadataTooLarge = "metadata-too-large"
    case internalError = "internal-error"
    case damaged = "damaged"
    case notImplemented = "not-implemented"
    case noQuorum = "no-quorum"
    case outcomeUnknown = "outcome-unknown"
    case busy = "busy"
    case stopping = "stopping"
    case versionNotSupported = "http-version-not-supported"
    case full = "full"

    public var status: Int {
        switch self {
        case .malformedRequest, .duplicateParameter, .unknownParameter, .missingParameter,
            .invalidBucketName, .invalidKey, .digestMismatch, .bodyEndedEarly, .bodyMalformed:
            400
        case .unauthenticated: 401
        case .forbidden: 403
        case .noSuchRoute, .noSuchBucket, .noSuchObject, .noSuchVersion, .noSuchUpload, .noSuchKey:
            404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .bucketExists, .bucketNotEmpty, .uploadExpired, .offsetMismatch, .uploadBusy,
            .tooManyUploads, .tooManyVersions, .idempotencyMismatch:
            409
        case .lengthRequired: 411
        case .preconditionFailed: 412
        case .contentTooLarge: 413
        case .targetTooLong: 414
        case .rangeNotSatisfiable: 416
        case .expectationFailed: 417
        case .headersTooLarge, .metadataTooLarge: 431
        case .internalError, .damaged: 500
        case .notImplemented: 501
        case .noQuorum, .outcomeUnknown, .busy, .stopping: 503
        case .versionNotSupported: 505
        case .full: 507
        }
    }

    public var title: String {
        switch self {
        case .malformedRequest: "The request is malformed"
        case .duplicateParameter: "A parameter or header is given more than once"
        case .unknownParameter: "A query parameter is not known here"
        case .missingParameter: "A parameter or header is missing"
        case .invalidBucketName: "The bucket's name is not valid"
        case .invalidKey: "The key is not valid"
        case .digestMismatch: "The body does not have the promised digest"
        case .bodyEndedEarly: "The body ended early"
        case .bodyMalformed: "The body's framing is malformed"
        case .unauthenticated: "An access key is required"
        case .forbidden: "The access key may not do this"
        case .noSuchRoute: "There is nothing at this path"
        case .noSuchBucket: "There is no such bucket"
        case .noSuchObject: "There is no such object"
        case .noSuchVersion: "There is no such version of the object"
        case .noSuchUpload: "There is no such upload"
        case .noSuchKey: "There is no such access key"
        case .methodNotAllowed: "The method is not allowed here"
        case .requestTimeout: "The request took too long to arrive"
        case .bucketExists: "The bucket exists"
        case .bucketNotEmpty: "The bucket is not empty"
        case .uploadExpired: "The upload has expired"
        case .offsetMismatch: "The upload is at another offset"
        case .uploadBusy: "Another request is writing to this upload"
        case .tooManyUploads: "The key has too many open uploads"
        case .tooManyVersions: "The object has too many versions"
        case .idempotencyMismatch: "The Idempotency-Key was used for another request"
        case .lengthRequired: "A Content-Length is required"
        case .preconditionFailed: "A condition of the request does not hold"
        case .contentTooLarge: "The content is too large"
        case .targetTooLong: "The request target is too long"
        case .rangeNotSatisfiable: "None of the ranges lies within the object"
        case .expectationFailed: "The expectation is not supported"
        case .headersTooLarge: "The request's header is too large"
        case .metadataTooLarge: "Content headers and metadata are too large"
        case .internalError: "An internal error"
        case .damaged: "The stored data is damaged"
        case .notImplemented: "Not implemented"
        case .noQuorum: "Too few copies are reachable"
        case .outcomeUnknown: "The outcome is not known"
        case .busy: "The server is busy"
        case .stopping: "The server is stopping"
        case .versionNotSupported: "The HTTP version is not supported"
        case .full: "The disk is full"
        }
    }

    /// What a client should wait before it tries again.
    public var retryAfterSeconds: Int? { status == 503 ? 1 : nil }

    public var uri: String { "https://vortexnetfs.invalid/problems/" + rawValue }
}
