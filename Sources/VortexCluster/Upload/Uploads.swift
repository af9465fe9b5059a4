public import VortexCore
internal import VortexStore

/// Uploads in parts: a row of their own beside the object's, a row for each part, and an entry in
/// the object's row from before either exists until the version takes its place. To resumable ones
/// is appended (`Append.swift`); those with numbered parts are S3's (`Multipart.swift`).
extension ClusterNode {
    /// One upload as found: its row's name and content.
    struct FoundUpload: Sendable {
        var id: UploadID
        var key: RowKey
        var row: UploadRow

        var object: RowKey { RowKey(bucket: key.bucket, key: key.key) }
    }

    public func createUpload(
        bucket: String, key: [UInt8], attributes: ObjectAttributes, condition: WriteCondition,
        expectedBytes: UInt64?
    ) async throws(ClusterError) -> UploadInfo {
        knownBuckets.forget(bucket)
        let info = try await bucketForWriting(bucket)
        let order = PutOrder(
            bucket: info, key: try Self.row(info, key), attributes: attributes,
            condition: condition, idempotency: nil, expectedBytes: expectedBytes)
        return self.info(try await create(order, .appended), parts: [])
    }

    /// The entry in the object's row first, then the upload's own row.
    func create(
        _ order: PutOrder, _ form: UploadRow.Form
    ) async throws(ClusterError) -> FoundUpload {
        try Self.checkSize(order)
        try admitSpace(order.expectedBytes ?? 0)
        let id = try await naming(newUpload(for: order.key)) { () throws(ClusterError) in
            newUpload(for: order.key)
        } add: { (ids) async throws(ClusterError) in
            if omitted.contains(.multiEntry) { return }
            try await openUpload(ids.map { .multipart($0) }, order)
        }
        var row = UploadRow(
            bucket: order.bucket.name, attributes: order.attributes, condition: order.condition,
            expectedBytes: order.expectedBytes, generation: order.bucket.generation,
            startedMilliseconds: now)
        row.form = form
        let key = RowKey(bucket: order.key.bucket, key: order.key.key, kind: .upload(id))
        let first = row
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard found == .nothing else { throw .uploadExpired }
            return .write(.upload(first), bodies: [], ())
        }
        return FoundUpload(id: id, key: key, row: row)
    }

    public func upload(_ id: UploadID) async throws(ClusterError) -> UploadInfo {
        if let receiving = active.find(id) { return receiving.info(now: now) }
        let found = try await find(id)
        guard !found.row.isOver else { throw .noSuchUpload }
        return info(found, parts: try await parts(of: found))
    }

    /// The object that an upload is of, also of one that is over.
    public func uploadPlace(
        _ id: UploadID
    ) async throws(ClusterError) -> (bucket: String, key: [UInt8]) {
        if let receiving = active.find(id) { return (receiving.bucket, receiving.key) }
        let found = try await find(id)
        return (found.row.bucket, found.key.key)
    }

    /// Those in parts, and the bodies in progress on this node; the oldest, in bounds.
    public func uploads() async throws(ClusterError) -> [UploadInfo] {
        let receiving = active.all.prefix(Self.uploadsListedMax)
        var infos = receiving.map { $0.info(now: now) }
        var after: UploadID?
        repeat {
            let page = try await uploadRows(after: after, limit: Self.uploadsListedMax)
            // Those that are over lie among them, for a day.
            for found in page.uploads where !found.row.isOver && active.find(found.id) == nil {
                infos.append(info(found, parts: try await parts(of: found)))
                guard infos.count < Self.uploadsListedMax else { return infos }
            }
            after = page.next
        } while after != nil
        return infos
    }

    static let uploadsListedMax = 1_000

    /// Of a plain PUT: its body is cut off. Refused once a resumable one is completing.
    public func abortUpload(_ id: UploadID) async throws(ClusterError) {
        if let receiving = active.find(id), !receiving.isResumable {
            receiving.abort()
            return
        }
        try await abort(try await find(id))
    }

    func abort(_ upload: FoundUpload) async throws(ClusterError) {
        try await setUpload(upload) { (row) throws(ClusterError) in
            switch row.state {
            case .open: row.state = .aborted
            case .completing where omitted.contains(.abortRefused): row.state = .aborted
            case .completing: throw .uploadBusy
            case .done, .refused: throw .noSuchUpload
            case .aborted: break
            }
        }
        active.find(upload.id)?.abort()
        try await closeUpload(.multipart(upload.id), upload.object)
    }

    // MARK: Rows

    func find(_ id: UploadID) async throws(ClusterError) -> FoundUpload {
        let rows = try await page(of: id, after: 0, limit: 1).rows
        guard let key = rows.first(where: { $0.key.kind == .upload(id) })?.key,
            case .upload(let row) = try await coordinator.read(key)
        else { throw .noSuchUpload }
        return FoundUpload(id: id, key: key, row: row)
    }

    /// A page in order of ids, and behind which the next one begins.
    func uploadRows(
        after: UploadID?, limit: Int
    ) async throws(ClusterError) -> (uploads: [FoundUpload], next: UploadID?) {
        let page = try await uploadsEverywhere(after: after, limit: limit)
        var found: [FoundUpload] = []
        for row in page.rows {
            guard case .upload(let id) = row.key.kind,
                case .upload(let upload) = try Coordinator.content(row.value, of: row.key)
            else { continue }
            found.append(FoundUpload(id: id, key: row.key, row: upload))
        }
        guard case .upload(let next)? = page.end?.kind else { return (found, nil) }
        return (found, next)
    }

    /// Changes the upload's row; what `body` throws leaves it as it was.
    @discardableResult
    func setUpload(
        _ upload: FoundUpload, _ body: (inout UploadRow) throws(ClusterError) -> Void
    ) async throws(ClusterError) -> UploadRow {
        let now = now
        return try await coordinator.change(.init(key: upload.key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<UploadRow> in
            guard case .upload(let old) = found else { throw .noSuchUpload }
            var row = old
            try body(&row)
            guard row != old else { return .nothing(.success(row)) }
            row.changedMilliseconds = max(now, row.changedMilliseconds)
            return .write(.upload(row), bodies: [], row)
        }
    }

    func info(_ upload: FoundUpload, parts: [Part]) -> UploadInfo {
        let bytes = parts.reduce(0) { $0 + $1.row.extent.length }
        let last = parts.map(\.row.changedMilliseconds).max() ?? 0
        let progressed = max(upload.row.changedMilliseconds, last)
        let elapsed = max(1, progressed - min(progressed, upload.row.startedMilliseconds))
        return UploadInfo(
            id: upload.id, bucket: upload.row.bucket, key: upload.key.key, bytes: bytes,
            startedMilliseconds: upload.row.startedMilliseconds,
            lastProgressMilliseconds: progressed,
            bytesPerSecond: Double(bytes) * 1_000 / Double(elapsed),
            resumable: !upload.row.isNumbered,
            expectedBytes: upload.row.expectedBytes)
    }
}
