public import VortexCluster
internal import VortexCore

/// An RFC 9457 problem: what a request gets instead of an answer. Here, and nowhere else, failures
/// become HTTP.
public struct Problem: Error, Sendable, Hashable {
    public struct Header: Sendable, Hashable {
        public var name: String
        public var value: String
    }

    public var type: ProblemType
    public var detail: String
    public var headers: [Header] = []

    public init(_ type: ProblemType, _ detail: String = "", headers: [Header] = []) {
        self.type = type
        self.detail = detail
        self.headers = headers
        if let seconds = type.retryAfterSeconds {
            self.headers.append(Header(name: "Retry-After", value: String(seconds)))
        }
        if type == .unauthenticated {
            self.headers.append(
                Header(name: "WWW-Authenticate", value: "Bearer realm=\"vortex\""))
        }
    }

    /// The body: application/problem+json. `instance` is the request's id.
    public func json(instance: String) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("type", type.uri)
            json.member("title", type.title)
            json.member("status", type.status)
            if !detail.isEmpty { json.member("detail", detail) }
            json.member("instance", instance)
        }
        return json.bytes
    }
}

extension Problem {
    public init(refused error: RequestError) {
        switch error {
        case .malformed(.key): self.init(.invalidKey, "A key is UTF-8 of 1 to 1,024 bytes.")
        case .malformed(let part):
            self.init(.malformedRequest, "The \(part.rawValue) is malformed or out of bounds.")
        case .duplicate(let part):
            self.init(.duplicateParameter, "The \(part.rawValue) has something twice.")
        case .missing(let part):
            self.init(.missingParameter, "The \(part.rawValue) is required here.")
        case .unknownParameter:
            self.init(.unknownParameter, "openapi.yaml lists the parameters of each path.")
        case .unsupported(let part):
            self.init(.notImplemented, "The \(part.rawValue) would change what is done.")
        case .tooLarge(.userMetadata), .tooLarge(.contentHeader):
            self.init(.metadataTooLarge, "At most \(Limits.metadataBytesMax) bytes are kept.")
        case .tooLarge(let part):
            self.init(.malformedRequest, "The \(part.rawValue) is too large.")
        case .unauthenticated: self.init(.unauthenticated)
        case .noSuchRoute: self.init(.noSuchRoute)
        case .methodNotAllowed(let allow):
            self.init(.methodNotAllowed, headers: [Header(name: "Allow", value: allow)])
        }
    }
}

extension Problem {
    public init(answering error: ClusterError) {
        switch error {
        case .noSuchBucket: self.init(.noSuchBucket)
        case .bucketExists: self.init(.bucketExists)
        case .bucketNotEmpty: self.init(.bucketNotEmpty)
        case .invalidBucketName:
            self.init(
                .invalidBucketName,
                "A name has 3 to 63 lower-case letters, digits, dots and hyphens.")
        case .invalidKey: self.init(.invalidKey, "A key is UTF-8 of 1 to 1,024 bytes.")
        case .noSuchObject: self.init(.noSuchObject)
        case .noSuchVersion: self.init(.noSuchVersion)
        case .noSuchUpload: self.init(.noSuchUpload)
        case .uploadExpired: self.init(.uploadExpired, "Nothing was stored.")
        case .preconditionFailed, .notModified: self.init(.preconditionFailed)
        case .offsetMismatch(let expected):
            self.init(
                .offsetMismatch, "The upload is at offset \(expected).",
                headers: [Header(name: "Upload-Offset", value: String(expected))])
        case .tooLarge(let limitBytes):
            self.init(.contentTooLarge, "At most \(limitBytes) bytes are accepted.")
        case .metadataTooLarge:
            self.init(
                .metadataTooLarge, "At most \(Limits.metadataBytesMax) bytes are kept.")
        case .settingsTooLarge:
            self.init(
                .metadataTooLarge,
                "All settings of a bucket have at most \(Limits.bucketSettingsBytesMax) bytes.")
        case .tooManyUploads:
            self.init(
                .tooManyUploads, "At most \(Limits.openUploadsPerRowMax) are kept open.")
        case .tooManyVersions:
            self.init(
                .tooManyVersions,
                "At most \(Limits.versionsPerRowMax) are kept, in \(Limits.rowBytesMax) bytes.")
        case .uploadBusy: self.init(.uploadBusy)
        case .invalidPart: self.init(.noSuchUpload, "Its parts are others.")
        case .idempotencyMismatch: self.init(.idempotencyMismatch)
        case .digestMismatch: self.init(.digestMismatch, "Nothing was stored.")
        case .bodyEndedEarly, .bodyAborted:
            self.init(.bodyEndedEarly, "Nothing was stored.")
        case .bodyTimedOut: self.init(.requestTimeout, "Nothing was stored.")
        case .bodyMalformed: self.init(.bodyMalformed, "Nothing was stored.")
        case .noQuorum: self.init(.noQuorum)
        case .outcomeUnknown:
            self.init(.outcomeUnknown, "The write may or may not have taken effect.")
        case .busy, .staleBucket: self.init(.busy)
        case .full(let availableBytes):
            self.init(.full, "\(availableBytes) bytes are left. Deleting still works.")
        case .damaged: self.init(.damaged, "No copy that verifies could be read.")
        case .stopped, .outdatedDisk, .replaced: self.init(.stopping)
        }
    }
}
