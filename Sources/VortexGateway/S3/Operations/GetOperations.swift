internal import VortexCluster
internal import VortexCore

/// GetObject and HeadObject.
extension S3Handler {
    func getObject(_ call: S3Call, isHead: Bool) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        let name = try call.version()
        try await requireRead(call, .read, bucket: bucket, key: key, version: name)
        let found = try await found(bucket, key, name)
        let version = found.version
        let modified = Int64(version.modifiedMilliseconds / 1_000)
        switch conditions(call.headers).outcome(etag: version.etag, modifiedSeconds: modified) {
        case .failed: throw S3Error(.preconditionFailed)
        case .notModified:
            throw S3Error(
                .notModified, nil, [],
                headers: (Self.identity(version) + found.headers).map {
                    .init(name: $0.0, value: $0.1)
                })
        case .proceed: break
        }
        var headers = Self.headers(of: version) + found.headers
        if call.admission.isAmbient { headers += PageOrigin.sandbox }
        try Self.override(&headers, call)
        let part = try Self.part(of: version, call)
        let range =
            part == nil ? try Self.range(of: version, call.headers) : part?.contentRange
        if !version.attributes.tags.isEmpty {
            headers.append(("x-amz-tagging-count", String(version.attributes.tags.count)))
        }
        headers += Self.checksumHeaders(of: version, call.headers, part, range)
        if part != nil, version.isInParts {
            headers.append(("x-amz-mp-parts-count", String(version.partCount)))
        }
        if let range {
            headers.append(
                ("Content-Range", ByteRanges.contentRange(range, size: version.size)))
        }
        let bytes = part?.bytes ?? range ?? 0..<version.size
        let status = range == nil ? 200 : 206
        if isHead {
            return Response(
                status: status, headers: headers,
                content: .empty(contentLength: UInt64(bytes.count)))
        }
        let reader = try await s3Asking { () async throws(ClusterError) in
            try await self.node.reader(for: version, bucket: bucket, key: key)
        }
        let body = ObjectBody(reader, bytes)
        return Response(
            status: status, headers: headers,
            content: bytes.isEmpty ? .bytes([]) : .stream(length: body.length, body))
    }

    private static func range(
        of version: ObjectVersion, _ headers: HeaderFields
    ) throws(S3Error) -> Range<UInt64>? {
        switch ByteRanges.select(headers.all("range"), size: version.size) {
        case .unsatisfiable:
            throw S3Error(
                .invalidRange, nil,
                [
                    .init(name: .rangeRequested, value: headers["range"] ?? ""),
                    .init(name: .actualObjectSize, value: String(version.size)),
                ],
                headers: [.init(name: "Content-Range", value: "bytes */\(version.size)")])
        case .ranges(let ranges) where ranges.count == 1: return ranges[0]
        // Several ranges in one answer are not among what S3 does: it sends all.
        case .whole, .ranges: return nil
        }
    }

    private func conditions(_ headers: HeaderFields) -> ReadConditions {
        var conditions = ReadConditions()
        conditions.ifMatch = S3Headers.tags(headers.all("if-match"))
        conditions.ifNoneMatch = S3Headers.tags(headers.all("if-none-match"))
        let now = nowSeconds
        conditions.ifUnmodifiedSinceSeconds = headers["if-unmodified-since"].flatMap {
            HTTPDate.seconds($0, nowSeconds: now)
        }
        conditions.ifModifiedSinceSeconds = headers["if-modified-since"].flatMap {
            HTTPDate.seconds($0, nowSeconds: now)
        }
        return conditions
    }

    private static func identity(_ version: ObjectVersion) -> [(String, String)] {
        [
            ("ETag", "\"\(version.etag)\""),
            (
                "Last-Modified",
                HTTPDate.string(seconds: Int64(version.modifiedMilliseconds / 1_000))
            ),
        ]
    }

    private static func headers(of version: ObjectVersion) -> [(String, String)] {
        identity(version) + [("Accept-Ranges", "bytes")]
            + ContentHeaders.headers(
                of: version.attributes, metadataPrefix: S3Headers.metadataPrefix)
    }

    private static let overrides = [
        ("response-content-type", "Content-Type"),
        ("response-content-language", "Content-Language"),
        ("response-expires", "Expires"), ("response-cache-control", "Cache-Control"),
        ("response-content-disposition", "Content-Disposition"),
        ("response-content-encoding", "Content-Encoding"),
    ]

    /// `response-*`: other headers than the object's, for this one answer. Only those who say who
    /// they are may ask for it.
    private static func override(
        _ headers: inout [(String, String)], _ call: S3Call
    ) throws(S3Error) {
        for (parameter, name) in overrides {
            guard let value = try call.text(parameter) else { continue }
            if case .stranger = call.caller {
                throw S3Error(
                    .invalidRequest,
                    "Request specific response headers cannot be used for anonymous GET requests.")
            }
            for byte in value.utf8 where byte < 0x20 && byte != 0x09 || byte == 0x7f {
                throw .argument(parameter, "", "Header value cannot be represented.")
            }
            headers.removeAll { $0.0 == name }
            headers.append((name, value))
        }
    }
}
