public import VortexCore
internal import VortexStore

/// Resumable uploads: a row of their own beside the object's, a row for each appended part, and an
/// entry in the object's row from before either exists until the version takes its place.
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
        try Self.checkSize(order)
        try admitSpace(expectedBytes ?? 0)
        let id = newUpload(for: order.key)
        if !omitted.contains(.multiEntry) { try await openUpload(.multipart(id), order) }
        let row = UploadRow(
            bucket: bucket, attributes: attributes, condition: condition,
            expectedBytes: expectedBytes, generation: info.generation,
            startedMilliseconds: now)
        let rowKey = RowKey(bucket: info.id, key: key, kind: .upload(id))
        try await coordinator.change(.init(key: rowKey, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard found == .nothing else { throw .uploadExpired }
            return .write(.upload(row), bodies: [], ())
        }
        return self.info(FoundUpload(id: id, key: rowKey, row: row), parts: [])
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

    /// Resumable ones, and the plain PUTs in progress on this node; the oldest, in bounds.
    public func uploads() async throws(ClusterError) -> [UploadInfo] {
        let receiving = active.all.prefix(Self.uploadsListedMax)
        var infos = receiving.map { $0.info(now: now) }
        var after: UploadID?
        repeat {
            let rows = try await uploadRows(after: after, limit: Self.uploadsListedMax)
            for found in rows where !found.row.isOver && active.find(found.id) == nil {
                infos.append(info(found, parts: try await parts(of: found)))
            }
            // Those that are over lie among them, for a day.
            after = rows.count == Self.uploadsListedMax ? rows.last?.id : nil
        } while after != nil && infos.count < Self.uploadsListedMax
        return infos
    }

    static let uploadsListedMax = 1_000

    /// Of a plain PUT: its body is cut off. Refused once a resumable one is completing.
    public func abortUpload(_ id: UploadID) async throws(ClusterError) {
        if let receiving = active.find(id), !receiving.isResumable {
            receiving.abort()
            return
        }
        let found = try await find(id)
        try await setUpload(found) { (row) throws(ClusterError) in
            switch row.state {
            case .open: row.state = .aborted
            case .completing where omitted.contains(.abortRefused): row.state = .aborted
            case .completing: throw .uploadBusy
            case .done, .refused: throw .noSuchUpload
            case .aborted: break
            }
        }
        active.find(id)?.abort()
        try await closeUpload(.multipart(id), found.object)
    }

    // MARK: Rows

    func find(_ id: UploadID) async throws(ClusterError) -> FoundUpload {
        let rows = try await rows(of: id)
        guard let key = rows.first(where: { $0.key.kind == .upload(id) })?.key,
            case .upload(let row) = try await coordinator.read(key)
        else { throw .noSuchUpload }
        return FoundUpload(id: id, key: key, row: row)
    }

    func uploadRows(
        after: UploadID?, limit: Int
    ) async throws(ClusterError) -> [FoundUpload] {
        let rows = try await uploadsEverywhere(after: after, limit: limit)
        var found: [FoundUpload] = []
        for row in rows {
            guard case .upload(let id) = row.key.kind,
                case .upload(let upload) = try Coordinator.content(row.value, of: row.key)
            else { continue }
            found.append(FoundUpload(id: id, key: row.key, row: upload))
        }
        return found
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
            bytesPerSecond: Double(bytes) * 1_000 / Double(elapsed), resumable: true,
            expectedBytes: upload.row.expectedBytes)
    }
}
