internal import VortexCluster
internal import VortexCore

// Resumable uploads, after draft-ietf-httpbis-resumable-upload as far as HTTP/1.1 allows: an upload
// has an offset, PATCH appends at it, HEAD tells it, and `Upload-Complete: ?1` ends it. There are
// no 104 responses, and besides the draft there is a request that completes.

extension RESTHandler {
    func createUpload(_ call: Call) async throws(Problem) -> Response {
        let (bucket, key, attributes, condition) = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["bucket", "key"])
            try UnsupportedHeaders.refuse(call.headers)
            guard let bucket = try call.query.text("bucket", .bucket) else {
                throw .missing(.bucket)
            }
            guard let key = call.query["key"] else { throw .missing(.key) }
            return (
                bucket, try Call.checked(key: key),
                try ContentHeaders.attributes(of: call.headers), try call.writeCondition()
            )
        }
        let part = try parsing { () throws(RequestError) in try UploadPart(call) }
        let expected = part.length ?? (part.completes ? call.body.expectedBytes : nil)
        let created = try await asking { () async throws(ClusterError) in
            try await self.node.createUpload(
                bucket: bucket, key: key, attributes: attributes, condition: condition,
                expectedBytes: expected)
        }
        let location = ("Location", "/v1/uploads/\(created.id)")
        var info = created
        if call.hasBody {
            info = try await append(call, part, to: created.id, at: 0)
        }
        var response = Response.json(status: 201) { $0.members(of: info) }
        if part.completes {
            let stored = try await complete(created.id, part)
            response.status = stored.status
            response.headers += [location] + stored.headers
        } else {
            response.headers += [location] + info.headers
        }
        return response
    }

    func appendUpload(_ call: Call) async throws(Problem) -> Response {
        let (id, part, offset) = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            try UnsupportedHeaders.refuse(call.headers)
            guard let offset = try call.number("upload-offset", .uploadOffset) else {
                throw .missing(.uploadOffset)
            }
            return (try call.uploadID(), try UploadPart(call), offset)
        }
        try call.requireLength()
        let info = try await append(call, part, to: id, at: offset)
        if part.completes { return try await complete(id, part) }
        return Response(status: 204, headers: info.headers)
    }

    private func append(
        _ call: Call, _ part: UploadPart, to id: UploadID, at offset: UInt64
    ) async throws(Problem) -> UploadInfo {
        let body = call.body
        let source = part.digests.isEmpty ? body : DigestingBody(body, part.digests)
        return try await asking { () async throws(ClusterError) in
            try await self.node.append(to: id, offset: offset, body: source)
        }
    }

    private func complete(_ id: UploadID, _ part: UploadPart) async throws(Problem) -> Response {
        let result = try await asking { () async throws(ClusterError) in
            try await self.node.completeUpload(id, expectedSHA256: part.wholeSHA256)
        }
        var response = Response.stored(result)
        response.headers.append(("Upload-Complete", "?1"))
        return response
    }

    func completeUpload(_ call: Call) async throws(Problem) -> Response {
        let (id, part) = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            try UnsupportedHeaders.refuse(call.headers)
            guard !call.hasBody else { throw .unsupported(.body) }
            return (try call.uploadID(), try UploadPart(call, completes: true))
        }
        return try await complete(id, part)
    }

    func listUploads(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        let uploads = try await asking { () async throws(ClusterError) in
            try await self.node.uploads()
        }
        return .json { json in
            json.array("uploads") { json in
                for upload in uploads { json.object { $0.members(of: upload) } }
            }
        }
    }

    func getUpload(_ call: Call) async throws(Problem) -> Response {
        let info = try await uploadInfo(call)
        var response = Response.json { $0.members(of: info) }
        response.headers += info.headers
        return response
    }

    func headUpload(_ call: Call) async throws(Problem) -> Response {
        Response(status: 204, headers: try await uploadInfo(call).headers)
    }

    func abortUpload(_ call: Call) async throws(Problem) -> Response {
        let id = try uploadID(call)
        try await asking { () async throws(ClusterError) in try await self.node.abortUpload(id) }
        return Response(status: 204)
    }

    private func uploadID(_ call: Call) throws(Problem) -> UploadID {
        try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            return try call.uploadID()
        }
    }

    private func uploadInfo(_ call: Call) async throws(Problem) -> UploadInfo {
        let id = try uploadID(call)
        return try await asking { () async throws(ClusterError) in try await self.node.upload(id) }
    }
}

/// What the header of a request says about the piece of the upload that it brings.
private struct UploadPart {
    /// `Upload-Complete: ?1`: nothing comes after this piece.
    var completes: Bool
    /// Of the piece's own bytes.
    var digests: ExpectedDigests
    /// Of the whole object (Repr-Digest), which only the request that completes can promise.
    var wholeSHA256: [UInt8]?
    var length: UInt64?

    init(_ call: Call, completes always: Bool = false) throws(RequestError) {
        var completes = always
        let lines = call.headers.all("upload-complete")
        if let line = lines.first {
            guard lines.count == 1 else { throw .duplicate(.uploadComplete) }
            guard let value = StructuredFields.boolean(line), value || !always else {
                throw .malformed(.uploadComplete)
            }
            completes = value
        }
        self.completes = completes
        length = try call.number("upload-length", .uploadLength)
        digests = try ExpectedDigests(
            contentMD5: call.headers.all("content-md5"),
            contentDigest: call.headers.all("content-digest"), reprDigest: [])
        let whole = try ExpectedDigests(
            contentMD5: [], contentDigest: [], reprDigest: call.headers.all("repr-digest"))
        guard completes || whole.isEmpty else { throw .unsupported(.reprDigest) }
        wholeSHA256 = whole.sha256.first
    }
}

extension Call {
    /// A header of digits alone, at most once.
    fileprivate func number(_ name: String, _ part: RequestPart) throws(RequestError) -> UInt64? {
        let lines = headers.all(name)
        guard let line = lines.first else { return nil }
        guard lines.count == 1 else { throw .duplicate(part) }
        var scanner = FieldScanner(line)
        guard let value = scanner.takeNumber(), scanner.isAtEnd, value <= Limits.objectBytesMax
        else { throw .malformed(part) }
        return value
    }
}

extension UploadInfo {
    fileprivate var headers: [(String, String)] {
        var headers = [
            ("Upload-Offset", String(bytes)), ("Upload-Complete", "?0"),
            ("Cache-Control", "no-store"),
        ]
        if let expectedBytes { headers.append(("Upload-Length", String(expectedBytes))) }
        return headers
    }
}

extension JSONWriter {
    fileprivate mutating func members(of upload: UploadInfo) {
        member("id", upload.id.description)
        member("bucket", upload.bucket)
        member("key", utf8: upload.key)
        member("offset", upload.bytes)
        if let length = upload.expectedBytes {
            member("length", length)
        } else {
            null("length")
        }
        member("started", time: upload.startedMilliseconds)
        member("progress", time: upload.lastProgressMilliseconds)
        member("bytes_per_second", upload.bytesPerSecond)
        member("resumable", upload.resumable)
    }
}
