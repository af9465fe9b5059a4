internal import VortexCluster
internal import VortexCore

// PUT, GET, HEAD and DELETE of one object.

extension RESTHandler {
    func putObject(_ call: Call) async throws(Problem) -> Response {
        let write = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            try UnsupportedHeaders.refuse(call.headers)
            return ObjectWrite(
                bucket: try call.bucket(), key: try call.key(),
                attributes: try ContentHeaders.attributes(of: call.headers),
                condition: try call.writeCondition(), digests: try call.bodyDigests(),
                idempotency: try call.idempotencyKey())
        }
        try call.requireLength()
        let body = call.body
        try await asking { () async throws(ClusterError) in
            try await self.node.admitPut(
                bucket: write.bucket, key: write.key, condition: write.condition,
                expectedBytes: body.expectedBytes, idempotency: write.idempotency)
        }
        let source = write.digests.isEmpty ? body : DigestingBody(body, write.digests)
        let result = try await asking { () async throws(ClusterError) in
            try await self.node.put(
                bucket: write.bucket, key: write.key, attributes: write.attributes,
                condition: write.condition, idempotency: write.idempotency, body: source)
        }
        return .stored(result)
    }

    func deleteObject(_ call: Call) async throws(Problem) -> Response {
        let (bucket, key, condition, idempotency) = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            try UnsupportedHeaders.refuse(call.headers)
            return (
                try call.bucket(), try call.key(), try call.writeCondition(),
                try call.idempotencyKey()
            )
        }
        let result = try await asking { () async throws(ClusterError) in
            try await self.node.delete(
                bucket: bucket, key: key, condition: condition, idempotency: idempotency)
        }
        var headers = [("x-vortex-existed", result.existed ? "true" : "false")]
        if result.replayed { headers.append(("x-vortex-replayed", "true")) }
        return Response(status: 204, headers: headers)
    }

    func getObject(_ call: Call) async throws(Problem) -> Response {
        let now = nowSeconds
        let (bucket, key, name, conditions) = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["version"])
            return (
                try call.bucket(), try call.key(), try call.version(),
                try call.readConditions(nowSeconds: now)
            )
        }
        let version = try await asking { () async throws(ClusterError) in
            let found = try await self.node.find(bucket: bucket, key: key, version: name)
            guard !found.version.isMarker else { throw .noSuchObject }
            return found.version
        }
        let modified = Int64(version.modifiedMilliseconds / 1_000)
        switch conditions.outcome(etag: version.etag, modifiedSeconds: modified) {
        case .failed: throw Problem(.preconditionFailed)
        case .notModified: return .notModified(version)
        case .proceed: break
        }
        // Ranges are defined for GET only (RFC 9110, 14.2).
        if call.operation == .headObject {
            return Response(
                status: 200, headers: version.headers, content: .empty(contentLength: version.size))
        }
        var selection = ByteRanges.select(call.headers.all("range"), size: version.size)
        if selection != .whole, let text = call.headers["if-range"] {
            let condition = RangeCondition(text, nowSeconds: now)
            if !condition.holds(etag: version.etag, modifiedSeconds: modified) {
                selection = .whole
            }
        }
        let reader = try await asking { () async throws(ClusterError) in
            try await self.node.reader(for: version, bucket: bucket, key: key)
        }
        return try answer(selection, of: version, reader)
    }

    private func answer(
        _ selection: ByteRanges.Selection, of version: ObjectVersion, _ reader: ObjectReader
    ) throws(Problem) -> Response {
        let size = version.size
        switch selection {
        case .whole:
            return .content(ObjectBody(reader, 0..<size), 200, version.headers)
        case .unsatisfiable:
            let contentRange = Problem.Header(name: "Content-Range", value: "bytes */\(size)")
            throw Problem(.rangeNotSatisfiable, headers: [contentRange])
        case .ranges(let ranges) where ranges.count == 1:
            var headers = version.headers
            headers.append(("Content-Range", ByteRanges.contentRange(ranges[0], size: size)))
            return .content(ObjectBody(reader, ranges[0]), 206, headers)
        case .ranges(let ranges):
            let boundary = Hex.string(entropy.next()) + Hex.string(entropy.next())
            let layout = MultipartLayout(
                ranges: ranges, size: size,
                contentType: version.attributes.contentType ?? ContentHeaders.defaultContentType,
                boundary: boundary)
            var headers = version.headers.filter { $0.0 != "Content-Type" }
            headers.append(("Content-Type", "multipart/byteranges; boundary=\(boundary)"))
            return Response(
                status: 206, headers: headers,
                content: .stream(length: layout.length, MultipartBody(reader, layout)))
        }
    }
}

/// Everything about a PUT but its body.
private struct ObjectWrite {
    var bucket: String
    var key: [UInt8]
    var attributes: ObjectAttributes
    var condition: WriteCondition
    var digests: ExpectedDigests
    var idempotency: IdempotencyKey?
}

extension Call {
    func bodyDigests() throws(RequestError) -> ExpectedDigests {
        try ExpectedDigests(
            contentMD5: headers.all("content-md5"), contentDigest: headers.all("content-digest"),
            reprDigest: headers.all("repr-digest"))
    }
}

extension ObjectVersion {
    /// What identifies the version, on every answer about it.
    private var identity: [(String, String)] {
        [
            ("ETag", "\"\(etag)\""), ("x-vortex-version", id.description),
            ("Last-Modified", HTTPDate.string(seconds: Int64(modifiedMilliseconds / 1_000))),
        ]
    }

    var headers: [(String, String)] {
        var headers = identity
        headers.append(("Accept-Ranges", "bytes"))
        if let sha256 {
            headers.append(("Repr-Digest", "sha-256=:\(Base64.encode(sha256)):"))
        }
        return headers + ContentHeaders.headers(of: attributes)
    }

    /// The fields that a 304 repeats (RFC 9110, 15.4.5).
    fileprivate var cacheHeaders: [(String, String)] {
        var headers = identity
        if let value = attributes.cacheControl { headers.append(("Cache-Control", value)) }
        if let value = attributes.expires { headers.append(("Expires", value)) }
        return headers
    }
}

extension Response {
    fileprivate static func content(
        _ body: ObjectBody, _ status: Int, _ headers: [(String, String)]
    ) -> Response {
        Response(
            status: status, headers: headers,
            content: body.length == 0 ? .bytes([]) : .stream(length: body.length, body))
    }

    fileprivate static func notModified(_ version: ObjectVersion) -> Response {
        Response(status: 304, headers: version.cacheHeaders)
    }

    /// A PUT, or an upload that became an object.
    static func stored(_ result: PutResult) -> Response {
        var headers = [
            ("ETag", "\"\(result.version.etag)\""),
            ("x-vortex-version", result.version.id.description),
        ]
        if result.replayed { headers.append(("x-vortex-replayed", "true")) }
        return Response(status: result.created ? 201 : 200, headers: headers)
    }
}
