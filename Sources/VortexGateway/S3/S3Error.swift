internal import VortexCluster
internal import VortexCore

/// A refusal as S3 spells it. Here, and nowhere else, failures become S3's errors.
struct S3Error: Error, Sendable, Hashable {
    var code: S3ErrorCode
    var message: String
    /// Elements of the document besides those that all errors have.
    var details: [Detail] = []
    var headers: [Problem.Header] = []

    struct Detail: Sendable, Hashable {
        var name: DetailName
        var value: String
    }
    enum DetailName: Sendable, Hashable {
        case argumentName, argumentValue, bucketName, key, condition, header, uploadID
        case actualObjectSize, rangeRequested, partNumber, etag, proposedSize, minSizeAllowed
        case partNumberRequested, actualPartCount, versionID

        var element: StaticString {
            switch self {
            case .argumentName: "ArgumentName"
            case .argumentValue: "ArgumentValue"
            case .bucketName: "BucketName"
            case .key: "Key"
            case .condition: "Condition"
            case .header: "Header"
            case .uploadID: "UploadId"
            case .versionID: "VersionId"
            case .actualObjectSize: "ActualObjectSize"
            case .rangeRequested: "RangeRequested"
            case .partNumber: "PartNumber"
            case .etag: "ETag"
            case .proposedSize: "ProposedSize"
            case .minSizeAllowed: "MinSizeAllowed"
            case .partNumberRequested: "PartNumberRequested"
            case .actualPartCount: "ActualPartCount"
            }
        }
    }

    init(
        _ code: S3ErrorCode, _ message: String? = nil, _ details: [Detail] = [],
        headers: [Problem.Header] = []
    ) {
        self.code = code
        self.message = message ?? code.message
        self.details = details
        self.headers = headers
    }

    /// An argument that does not do, by its name.
    static func argument(_ name: String, _ value: String = "", _ message: String) -> S3Error {
        S3Error(
            .invalidArgument, message,
            [
                Detail(name: .argumentName, value: name),
                Detail(name: .argumentValue, value: value),
            ])
    }

    /// Something that would change what is done, and is not there. Never passed over in silence.
    static func notImplemented(_ what: String) -> S3Error {
        S3Error(
            .notImplemented, "\(what) is not implemented; docs/s3.md lists what is.",
            [Detail(name: .header, value: what)])
    }

    /// Of 412: the header whose condition did not hold, of these the first that the request has.
    static func condition(
        _ names: [String], _ prefix: String, _ headers: HeaderFields
    ) -> S3Error {
        let name = names.first { headers[(prefix + $0).lowercased()] != nil }
        let details = name.map { [Detail(name: .condition, value: prefix + $0)] } ?? []
        return S3Error(.preconditionFailed, nil, details)
    }

    /// Without characters that XML has no spelling for: the document must be one.
    private static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 ? "\u{fffd}" : $0 }))
    }

    func document(resource: String, requestID: String) -> [UInt8] {
        XMLWriter.plain("Error") { xml in
            xml.element("Code", code.rawValue)
            xml.element("Message", message)
            for detail in details { xml.element(detail.name.element, Self.shown(detail.value)) }
            xml.element("Resource", Self.shown(resource))
            xml.element("RequestId", requestID)
            xml.element("HostId", requestID)
        }
    }
}

extension S3Error {
    init(signature error: SignatureError) {
        switch error {
        case .version2:
            self.init(
                .invalidRequest,
                "The authorization mechanism you have provided is not supported. "
                    + "Please use AWS4-HMAC-SHA256.")
        case .unknownScheme:
            self.init(.invalidArgument, "Unsupported Authorization Type")
        case .malformedHeader:
            self.init(.authorizationHeaderMalformed)
        case .malformedForm:
            self.init(
                .invalidArgument,
                "A signed form has the fields policy, x-amz-algorithm, x-amz-credential, "
                    + "x-amz-date and x-amz-signature, each well-formed.")
        case .malformedQuery: self.init(.authorizationQueryParametersError)
        case .expiresOutOfRange:
            self.init(
                .authorizationQueryParametersError,
                "X-Amz-Expires must be a number of seconds from 1 to 604800.")
        case .ambiguous:
            self.init(
                .invalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query "
                    + "parameter or the Authorization header should be specified")
        case .missingDate:
            self.init(
                .accessDenied,
                "AWS authentication requires a valid Date or x-amz-date header")
        case .scopeDate:
            self.init(
                .authorizationHeaderMalformed,
                "The date in the credential scope is not the date of the request.")
        case .skewed: self.init(.requestTimeTooSkewed)
        case .expired: self.init(.accessDenied, "Request has expired")
        case .notYetValid: self.init(.accessDenied, "Request is not valid yet")
        case .headersNotSigned:
            self.init(
                .accessDenied, "There were headers present in the request which were not signed")
        case .missingPayloadHash:
            self.init(
                .invalidRequest,
                "Missing required header for this request: x-amz-content-sha256")
        case .malformedPayloadHash:
            self.init(
                .invalidArgument,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                    + "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                    + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
        case .unsupportedPayload: self = .notImplemented("Signature version 4A")
        case .unsupportedToken:
            self.init(.invalidToken, "There are no temporary credentials here.")
        case .mismatch: self.init(.signatureDoesNotMatch)
        }
    }

    init(refused error: RequestError) {
        switch error {
        case .malformed(.key): self.init(.keyTooLong, "A key is UTF-8 of 1 to 1,024 bytes.")
        case .malformed(.target), .malformed(.query): self.init(.invalidURI)
        case .malformed(let part):
            self.init(.invalidArgument, "The \(part.rawValue) is malformed or out of bounds.")
        case .duplicate(let part), .missing(let part):
            self.init(.invalidArgument, "The \(part.rawValue) is missing, or there twice.")
        case .unknownParameter: self.init(.invalidArgument, "An unknown parameter.")
        case .unsupported(let part): self = .notImplemented("The \(part.rawValue)")
        case .tooLarge(.userMetadata), .tooLarge(.contentHeader):
            self.init(.metadataTooLarge)
        case .tooLarge: self.init(.invalidURI)
        case .unauthenticated: self.init(.accessDenied)
        case .noSuchRoute, .methodNotAllowed: self.init(.methodNotAllowed)
        }
    }

    init(answering error: ClusterError) {
        switch error {
        case .noSuchBucket: self.init(.noSuchBucket)
        case .bucketExists: self.init(.bucketAlreadyOwnedByYou)
        case .bucketNotEmpty: self.init(.bucketNotEmpty)
        case .invalidBucketName: self.init(.invalidBucketName)
        case .invalidKey: self.init(.keyTooLong, "A key is UTF-8 of 1 to 1,024 bytes.")
        case .noSuchObject: self.init(.noSuchKey)
        case .noSuchVersion: self.init(.noSuchVersion)
        case .tooManyVersions: self.init(.tooManyVersions)
        case .noSuchUpload, .uploadExpired: self.init(.noSuchUpload)
        case .preconditionFailed, .notModified: self.init(.preconditionFailed)
        case .offsetMismatch, .uploadBusy, .idempotencyMismatch:
            self.init(.operationAborted)
        case .tooLarge: self.init(.entityTooLarge)
        case .metadataTooLarge: self.init(.metadataTooLarge)
        case .settingsTooLarge:
            self.init(
                .invalidRequest,
                "All that is set of a bucket, tags and CORS rules among it, has at most "
                    + "\(Limits.bucketSettingsBytesMax) bytes.")
        case .tooManyUploads:
            self.init(.slowDown, "The key has too many open uploads, or the part too many bodies.")
        case .invalidPart: self.init(.invalidPart)
        case .digestMismatch: self.init(.badDigest)
        case .bodyEndedEarly, .bodyAborted: self.init(.incompleteBody)
        case .bodyTimedOut: self.init(.requestTimeout)
        case .bodyMalformed: self.init(.incompleteBody, "The body's framing is malformed.")
        case .noQuorum, .outcomeUnknown, .stopped, .outdatedDisk, .replaced:
            self.init(.serviceUnavailable)
        case .busy, .staleBucket: self.init(.slowDown)
        case .full: self.init(.storageFull)
        case .damaged: self.init(.internalError, "No copy that verifies could be read.")
        }
        if code.status == 503 {
            headers.append(Problem.Header(name: "Retry-After", value: "1"))
        }
    }
}
