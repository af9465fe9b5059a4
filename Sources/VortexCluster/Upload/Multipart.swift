public import VortexCore

/// Uploads with numbered parts, as S3 has them: parts come in any order, through any gateways, and
/// each has a row of its own, so that none waits for another.
///
///     change: the part's row names the new body
///     -> the upload's row is still open; chunks, each durable
///     -> change: the body is the part; the one that it replaces stays named beside it
///
/// A body that was whole once stays named until the upload is over: whoever completes may have read
/// the row before.
public struct UploadPlace: Hashable, Sendable {
    public var bucket: String
    public var key: [UInt8]
    public var id: UploadID
    public init(bucket: String, key: [UInt8], id: UploadID) {
        self.bucket = bucket
        self.key = key
        self.id = id
    }
}

/// A part that is there, whole.
public struct StoredPart: Hashable, Sendable {
    public var number: UInt32
    public var extent: Extent
    /// The MD5 that S3 tells, or what the body's source gave in its place.
    public var digest: Digest128
    public var checksum: StoredChecksum?
    public var modifiedMilliseconds: UInt64

    init?(_ number: UInt32, _ row: PartRow) {
        guard let digest = row.digest else { return nil }
        self.number = number
        extent = row.extent
        self.digest = digest
        checksum = row.checksum
        modifiedMilliseconds = row.changedMilliseconds
    }

    public var tag: EntityTag { EntityTag(digest: digest, parts: 0) }
}

/// What an upload was created with.
public struct MultipartInfo: Hashable, Sendable {
    public var attributes: ObjectAttributes
    public var checksum: ChecksumRule?
    public var startedMilliseconds: UInt64
}

extension ClusterNode {
    public func createMultipart(
        bucket: String, key: [UInt8], attributes: ObjectAttributes, checksum: ChecksumRule?
    ) async throws(ClusterError) -> UploadID {
        knownBuckets.forget(bucket)
        return try await writing(bucket) { (info) async throws(ClusterError) -> UploadID in
            let order = PutOrder(
                bucket: info, key: try Self.row(info, key), attributes: attributes,
                condition: .none, idempotency: nil, expectedBytes: nil)
            return try await self.create(order, .numbered(checksum)).id
        }
    }

    /// Of an upload that is open.
    public func multipart(
        _ place: UploadPlace
    ) async throws(ClusterError) -> MultipartInfo {
        Self.info(try await findOpen(place))
    }

    static func info(_ found: FoundUpload) -> MultipartInfo {
        var rule: ChecksumRule?
        if case .numbered(let given) = found.row.form { rule = given }
        return MultipartInfo(
            attributes: found.row.attributes, checksum: rule,
            startedMilliseconds: found.row.startedMilliseconds)
    }

    /// The upload's row, read through its object's place: no scan.
    func find(_ place: UploadPlace) async throws(ClusterError) -> FoundUpload {
        try await reading(place.bucket) { (info) async throws(ClusterError) -> FoundUpload in
            let key = RowKey(bucket: info.id, key: place.key, kind: .upload(place.id))
            let generation = self.view.isAlone ? nil : info.generation
            guard
                case .upload(let row) = try await self.coordinator.read(
                    key, generation: generation), row.isNumbered
            else { throw .noSuchUpload }
            return FoundUpload(id: place.id, key: key, row: row)
        }
    }

    private func findOpen(_ place: UploadPlace) async throws(ClusterError) -> FoundUpload {
        let found = try await find(place)
        guard found.row.state == .open else { throw .noSuchUpload }
        return found
    }

    // MARK: Parts

    /// Stores a part, in place of an earlier one of its number.
    public func putPart(
        _ place: UploadPlace, number: UInt32, body: any BodySource
    ) async throws(ClusterError) -> StoredPart {
        let upload = try await findOpen(place)
        try admitSpace(body.expectedBytes ?? 0)
        let key = RowKey(
            bucket: upload.key.bucket, key: upload.key.key, kind: .part(upload.id, number))
        let blob = newBlob()
        let receiving = ActiveUpload(
            id: UploadID(of: blob), bucket: place.bucket, key: place.key, isResumable: false,
            expectedBytes: body.expectedBytes, startedMilliseconds: now, firstByte: 0)
        try active.begin(receiving)
        defer { active.end(receiving) }
        do throws(ClusterError) {
            let received = await receive(
                body, into: blob, of: key, for: receiving, beginning: nil
            ) { () async throws(ClusterError) in
                try await self.name(receiving) { (blobs) async throws(ClusterError) in
                    try await self.namePart(key, blobs, of: upload)
                }
            }
            if let failure = received.failure { throw failure }
            try await body.verify()
            let whole = Extent(blob: received.blob, length: received.bytes)
            let row = try await takePart(
                key, whole, body.tag?.digest ?? received.digest, body.checksum)
            guard let part = StoredPart(number, row) else { throw .damaged }
            return part
        } catch {
            await withdrawPart(key, receiving.id.blob, after: error)
            throw error == .uploadExpired ? .noSuchUpload : error
        }
    }

    /// Names a body before its first chunk is sent; once, as an open upload is, the last of these
    /// in place of the others. Then the upload has to be still open: whoever ends it looks for
    /// parts' rows afterwards, and finds this one, or it finds here that it is over.
    private func namePart(
        _ key: RowKey, _ blobs: [BlobID], of upload: FoundUpload
    ) async throws(ClusterError) {
        let now = now
        let blob = blobs[blobs.count - 1]
        var wasSent = false
        try await coordinator.change(.init(key: key, id: newChange(), isOnce: true)) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard !wasSent else { throw .outcomeUnknown }
            var row = PartRow(
                extent: Extent(blob: blob, length: 0), digest: nil, changedMilliseconds: now)
            if case .part(let old) = found, let kept = old.without(unfinished: blobs) {
                row = kept
                guard row.begin(blob) else { throw .tooManyUploads }
            }
            wasSent = true
            return .write(.part(row), bodies: [], ())
        }
        if omitted.contains(.partOrphan) { return }
        guard case .upload(let row) = try await coordinator.read(upload.key), row.state == .open
        else { throw .noSuchUpload }
    }

    private func takePart(
        _ key: RowKey, _ whole: Extent, _ digest: Digest128, _ checksum: StoredChecksum?
    ) async throws(ClusterError) -> PartRow {
        let now = now
        return try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<PartRow> in
            guard case .part(var row) = found,
                row.take(whole, digest, checksum, milliseconds: now)
            else { throw .uploadExpired }
            if omitted.contains(.partKeeps) { row.replaced = [] }
            return .write(.part(row), bodies: [], row)
        }
    }

    /// Takes back the name of a body that never became whole. Where that fails too, or it may yet
    /// become so, it is named until the upload is over.
    private func withdrawPart(_ key: RowKey, _ blob: BlobID, after error: ClusterError) async {
        if error == .outcomeUnknown || error == .stopped { return }
        do throws(ClusterError) {
            try await coordinator.change(.init(key: key, id: newChange())) {
                (found) throws(ClusterError) -> Coordinator.Computed<Void> in
                guard case .part(let old) = found, old.blobs.contains(blob) else {
                    return .nothing(.success(()))
                }
                let row = old.without(unfinished: [blob])
                guard row != old else { return .nothing(.success(())) }
                return .write(row.map { .part($0) } ?? .nothing, bodies: [], ())
            }
        } catch {
            return
        }
    }

    /// The parts behind number `after`, at most `limit`, and whether there are others.
    public func storedParts(
        _ place: UploadPlace, after: UInt32, limit: Int
    ) async throws(ClusterError) -> (info: MultipartInfo, parts: [StoredPart], more: Bool) {
        let upload = try await findOpen(place)
        var parts: [StoredPart] = []
        var next: UInt32? = after
        while let start = next, parts.count <= limit {
            let page = try await page(of: upload.id, after: start, limit: Self.partsPerPage)
            parts += try Self.parts(page)
            next = nil
            if case .part(_, let number)? = page.end?.kind { next = number }
        }
        return (Self.info(upload), Array(parts.prefix(limit)), parts.count > limit)
    }

    private static let partsPerPage = 1_000

    private static func parts(_ page: FoundPage) throws(ClusterError) -> [StoredPart] {
        var parts: [StoredPart] = []
        for row in page.rows {
            guard case .part(_, let number) = row.key.kind,
                case .part(let content) = try Coordinator.content(row.value, of: row.key),
                let part = StoredPart(number, content)
            else { continue }
            parts.append(part)
        }
        return parts
    }
}
