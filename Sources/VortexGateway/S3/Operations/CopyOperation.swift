internal import VortexCluster
internal import VortexCore

/// CopyObject: the bytes go from the source's owners through this gateway to the copy's owners, and
/// never to the client.
extension S3Handler {
    func copyObject(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let source = try CopySource(call.headers["x-amz-copy-source"] ?? "")
        try await requireSource(source, call)
        let replaces = try Self.replacesMetadata(call.headers)
        let isElsewhere = source.bucket != bucket || source.key != key
        guard replaces || isElsewhere || source.version != nil else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself "
                    + "without changing the object's metadata, storage class, website redirect "
                    + "location or encryption attributes.")
        }
        let condition = try Self.writeCondition(call.headers)
        let idempotency = Self.idempotency(call, condition)
        let found = try await copied(source, call)
        let version = found.version
        guard version.size <= Self.bodyBytesMax else {
            throw S3Error(
                .invalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy "
                    + "source: \(Self.bodyBytesMax)")
        }
        var attributes =
            replaces ? try S3Headers.attributes(of: call.headers) : version.attributes
        attributes.tags = try Self.tags(of: version, call.headers)
        let algorithm = try Self.wantedChecksum(call.headers) ?? version.checksum?.algorithm
        let body = try await copyBody(source, version, 0..<version.size, algorithm)
        let result = try await s3Asking { () async throws(ClusterError) in
            try await self.node.put(
                bucket: bucket, key: key, attributes: attributes, condition: condition,
                idempotency: idempotency, body: body)
        }
        var response = Response.xml(
            XMLWriter.document("CopyObjectResult") { xml in
                xml.element("LastModified", time: result.version.modifiedMilliseconds)
                xml.element("ETag", "\"\(result.version.etag)\"")
                xml.checksum(result.version.checksum, of: result.version.tag)
            })
        response.headers += result.headers + found.sourceHeaders
        return response
    }

    /// The version that is to be copied, if the request's conditions hold for it.
    func copied(_ source: CopySource, _ call: S3Call) async throws(S3Error) -> FoundVersion {
        let found: FoundVersion
        do throws(S3Error) {
            found = try await self.found(source.bucket, source.key, source.version)
        } catch {
            guard error.code == .methodNotAllowed else { throw error }
            throw S3Error(
                .invalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by "
                    + "version id.")
        }
        try checkSource(found.version, call.headers)
        return found
    }

    func copyBody(
        _ source: CopySource, _ version: ObjectVersion, _ range: Range<UInt64>,
        _ algorithm: ChecksumAlgorithm?
    ) async throws(S3Error) -> CopyBody {
        let reader = try await s3Asking { () async throws(ClusterError) in
            try await self.node.reader(for: version, bucket: source.bucket, key: source.key)
        }
        return CopyBody(reader, range, algorithm, lanes: lanes)
    }

    private static func wantedChecksum(
        _ headers: HeaderFields
    ) throws(S3Error) -> ChecksumAlgorithm? {
        guard let name = headers["x-amz-checksum-algorithm"] else { return nil }
        guard let algorithm = ChecksumAlgorithm(name: name) else {
            throw S3Error(.invalidRequest, "Checksum algorithm provided is unsupported.")
        }
        return algorithm
    }

    /// Those of the source, unless the request says otherwise.
    private static func tags(
        of version: ObjectVersion, _ headers: HeaderFields
    ) throws(S3Error) -> [ObjectTag] {
        switch headers["x-amz-tagging-directive"] {
        case nil, "COPY"?: return version.attributes.tags
        case "REPLACE"?: return try S3Tags.find(headers)
        case let directive?:
            throw .argument("x-amz-tagging-directive", directive, "Unknown tagging directive.")
        }
    }

    private static func replacesMetadata(_ headers: HeaderFields) throws(S3Error) -> Bool {
        guard let directive = headers["x-amz-metadata-directive"] else { return false }
        switch directive {
        case "COPY": return false
        case "REPLACE": return true
        default:
            throw .argument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
        }
    }

    private static let source = "x-amz-copy-source-"

    /// The conditions on what is copied: any that fails is 412, never 304.
    private func checkSource(
        _ version: ObjectVersion, _ headers: HeaderFields
    ) throws(S3Error) {
        let now = nowSeconds
        var conditions = ReadConditions()
        conditions.ifMatch = S3Headers.tags(headers.all("x-amz-copy-source-if-match"))
        conditions.ifNoneMatch = S3Headers.tags(headers.all("x-amz-copy-source-if-none-match"))
        conditions.ifModifiedSinceSeconds = headers["x-amz-copy-source-if-modified-since"]
            .flatMap { HTTPDate.seconds($0, nowSeconds: now) }
        conditions.ifUnmodifiedSinceSeconds = headers["x-amz-copy-source-if-unmodified-since"]
            .flatMap { HTTPDate.seconds($0, nowSeconds: now) }
        let modified = Int64(version.modifiedMilliseconds / 1_000)
        let outcome = conditions.outcome(etag: version.etag, modifiedSeconds: modified)
        switch outcome {
        case .proceed: return
        case .failed: throw .condition(["If-Match", "If-Unmodified-Since"], Self.source, headers)
        case .notModified:
            throw .condition(["If-None-Match", "If-Modified-Since"], Self.source, headers)
        }
    }
}

/// `x-amz-copy-source`: `/bucket/key` or `bucket/key`, URL-encoded, perhaps with a version.
struct CopySource: Sendable, Hashable {
    var bucket: String
    var key: [UInt8]
    var version: VersionName?

    init(_ text: String) throws(S3Error) {
        let (path, query) = Self.split(text)
        let decoded: [UInt8]
        do throws(RequestError) {
            // As in a form: s5cmd writes a space as +, and rclone encodes + lest it become one.
            decoded = try PercentCoding.decode(Array(path.utf8)[...], plusIsSpace: true)
        } catch { throw Self.malformed(text) }
        let bare = decoded.first == UInt8(ascii: "/") ? decoded.dropFirst() : decoded[...]
        guard let slash = bare.firstIndex(of: UInt8(ascii: "/")),
            let name = String(validating: bare[..<slash], as: UTF8.self), !name.isEmpty
        else { throw Self.malformed(text) }
        bucket = name
        key = try S3Place.checked(Array(bare[(slash + 1)...]))
        version = try query.map { query throws(S3Error) in
            try S3Call.version(String(query.dropFirst("versionId=".utf8.count)))
        }
    }

    /// Only `?versionId=` is a query; any other question mark is the key's.
    private static func split(_ text: String) -> (path: Substring, query: Substring?) {
        guard let mark = text.ranges(of: "?versionId=").last else { return (text[...], nil) }
        return (
            text[..<mark.lowerBound], text[text.index(after: mark.lowerBound)...]
        )
    }

    private static func malformed(_ text: String) -> S3Error {
        .argument(
            "x-amz-copy-source", text,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    }
}
