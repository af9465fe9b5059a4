/// S3's error codes with the statuses that Amazon documents, in one table.
enum S3ErrorCode: String, Sendable, Hashable, CaseIterable {
    case accessDenied = "AccessDenied"
    case accessForbidden = "AccessForbidden"
    case aclNotSupported = "AccessControlListNotSupported"
    case aclWithOwnership = "InvalidBucketAclWithObjectOwnership"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case badRequest = "BadRequest"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case illegalVersioning = "IllegalVersioningConfigurationException"
    case incorrectFiles = "IncorrectNumberOfFilesInPostRequest"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyID = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidDigest = "InvalidDigest"
    case invalidPart = "InvalidPart"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPolicyDocument = "InvalidPolicyDocument"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidTag = "InvalidTag"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedACL = "MalformedACLError"
    case malformedPOST = "MalformedPOSTRequest"
    case malformedTrailer = "MalformedTrailerError"
    case malformedXML = "MalformedXML"
    case maxPostPreDataLength = "MaxPostPreDataLengthExceededError"
    case metadataTooLarge = "MetadataTooLarge"
    case missingSecurityHeader = "MissingSecurityHeader"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case noOwnershipControls = "OwnershipControlsNotFoundError"
    case noPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration"
    case noSuchBucket = "NoSuchBucket"
    case noSuchCORS = "NoSuchCORSConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case notImplemented = "NotImplemented"
    case notModified = "NotModified"
    case operationAborted = "OperationAborted"
    case preconditionFailed = "PreconditionFailed"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case requestTimeout = "RequestTimeout"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    /// Not one of Amazon's, whose disks are never full.
    case storageFull = "StorageFull"
    /// Not one of Amazon's, which keeps any number.
    case tooManyVersions = "TooManyVersions"
    case unexpectedContent = "UnexpectedContent"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"
    case conditionalConflict = "ConditionalRequestConflict"

    var status: Int {
        switch self {
        case .notModified: 304
        case .authorizationHeaderMalformed, .authorizationQueryParametersError, .badDigest,
            .badRequest, .entityTooLarge, .entityTooSmall, .incompleteBody, .invalidArgument,
            .invalidBucketName, .invalidDigest, .invalidPart, .invalidPartOrder, .invalidRequest,
            .invalidTag, .invalidToken, .invalidURI, .keyTooLong, .malformedTrailer, .malformedXML,
            .metadataTooLarge, .requestTimeout, .contentSHA256Mismatch, .illegalVersioning,
            .tooManyVersions, .aclNotSupported, .aclWithOwnership, .malformedACL,
            .missingSecurityHeader, .unexpectedContent, .incorrectFiles, .invalidPolicyDocument,
            .malformedPOST, .maxPostPreDataLength:
            400
        case .accessDenied, .accessForbidden, .invalidAccessKeyID, .requestTimeTooSkewed,
            .signatureDoesNotMatch:
            403
        case .noSuchBucket, .noSuchKey, .noSuchUpload, .noSuchVersion, .noSuchTagSet, .noSuchCORS,
            .noOwnershipControls, .noPublicAccessBlock:
            404
        case .methodNotAllowed: 405
        case .bucketAlreadyOwnedByYou, .bucketNotEmpty, .operationAborted,
            .conditionalConflict:
            409
        case .missingContentLength: 411
        case .preconditionFailed: 412
        case .invalidPartNumber, .invalidRange: 416
        case .internalError: 500
        case .notImplemented: 501
        case .serviceUnavailable, .slowDown: 503
        case .storageFull: 507
        }
    }

    var message: String {
        switch self {
        case .accessDenied: "Access Denied"
        case .accessForbidden:
            "CORSResponse: This CORS request is not allowed. This is usually because the "
                + "evaluation of Origin, request method / Access-Control-Request-Method or "
                + "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
        case .aclNotSupported: "The bucket does not allow ACLs"
        case .aclWithOwnership:
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        case .authorizationHeaderMalformed:
            "The authorization header that you provided is not valid."
        case .authorizationQueryParametersError:
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                + "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                + "X-Amz-Expires parameters."
        case .badDigest:
            "The Content-MD5 or checksum value that you specified did not match what "
                + "the server received."
        case .badRequest: "Bad Request"
        case .bucketAlreadyOwnedByYou:
            "Your previous request to create the named bucket succeeded and you already own it."
        case .bucketNotEmpty: "The bucket that you tried to delete is not empty."
        case .entityTooLarge:
            "Your proposed upload exceeds the maximum allowed object size."
        case .entityTooSmall:
            "Your proposed upload is smaller than the minimum allowed object size."
        case .illegalVersioning:
            "The versioning configuration specified in the request is invalid."
        case .incorrectFiles: "POST requires exactly one file upload per request."
        case .incompleteBody:
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        case .internalError: "We encountered an internal error. Please try again."
        case .invalidAccessKeyID:
            "The AWS access key ID that you provided does not exist in our records."
        case .invalidArgument: "Invalid Argument"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidDigest: "The Content-MD5 or checksum value that you specified is not valid."
        case .invalidPart:
            "One or more of the specified parts could not be found. The part might not have been "
                + "uploaded, or the specified entity tag might not have matched the part's entity "
                + "tag."
        case .invalidPartOrder:
            "The list of parts was not in ascending order. Parts list must be specified in order "
                + "by part number."
        case .invalidPartNumber: "The requested partnumber is not satisfiable"
        case .invalidPolicyDocument:
            "The content of the form does not meet the conditions specified in the policy document."
        case .invalidRange: "The requested range is not satisfiable"
        case .invalidRequest: "Invalid Request"
        case .invalidTag: "The tag provided was not a valid tag."
        case .invalidToken: "The provided token is malformed or otherwise not valid."
        case .invalidURI: "The specified URI couldn't be parsed."
        case .keyTooLong: "Your key is too long."
        case .malformedACL:
            "The XML you provided was not well-formed or did not validate against our published "
                + "schema"
        case .malformedPOST:
            "The body of your POST request is not well-formed multipart/form-data."
        case .malformedTrailer:
            "The request contained trailing data that was not well-formed or did not conform to "
                + "our published schema."
        case .malformedXML:
            "The XML that you provided was not well formed or did not validate against our "
                + "published schema."
        case .maxPostPreDataLength:
            "Your POST request fields preceding the upload file were too large."
        case .metadataTooLarge:
            "Your metadata headers exceed the maximum allowed metadata size."
        case .methodNotAllowed: "The specified method is not allowed against this resource."
        case .missingSecurityHeader: "Your request was missing a required header"
        case .missingContentLength: "You must provide the Content-Length HTTP header."
        case .noOwnershipControls: "The bucket ownership controls were not found"
        case .noPublicAccessBlock: "The public access block configuration was not found"
        case .noSuchCORS: "The CORS configuration does not exist"
        case .noSuchTagSet: "The TagSet does not exist"
        case .noSuchBucket: "The specified bucket does not exist."
        case .noSuchKey: "The specified key does not exist."
        case .noSuchUpload:
            "The specified multipart upload does not exist. The upload ID might not be valid, or "
                + "the multipart upload might have been aborted or completed."
        case .noSuchVersion: "The specified version does not exist."
        case .notImplemented:
            "A header that you provided implies functionality that is not implemented."
        case .notModified: "Not Modified"
        case .operationAborted:
            "A conflicting conditional operation is currently in progress against this resource. "
                + "Try again."
        case .preconditionFailed:
            "At least one of the preconditions that you specified did not hold."
        case .requestTimeTooSkewed:
            "The difference between the request time and the server's time is too large."
        case .requestTimeout:
            "Your socket connection to the server was not read from or written to within the "
                + "timeout period."
        case .serviceUnavailable: "Service is unable to handle request."
        case .signatureDoesNotMatch:
            "The request signature we calculated does not match the signature you provided. Check "
                + "your key and signing method."
        case .slowDown: "Please reduce your request rate."
        case .tooManyVersions:
            "The object has as many versions as it can have here; deleting some makes room."
        case .storageFull: "The disk is full. Deleting still works."
        case .unexpectedContent: "This request does not support content"
        case .contentSHA256Mismatch:
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .conditionalConflict:
            "A conflicting operation occurred during the request. Try again."
        }
    }
}
