public import VortexCore
internal import VortexStore

/// A PUT, from the body's first byte to the answer:
///
///     up to 1 MiB   body -> one change: version and body in one `accept`, one fsync
///     more          change: name the blob as an open upload (while the first chunk arrives)
///                   body -> chunks of 1 MiB, a few in flight, each durable
///                   change: the version replaces the open upload
///
/// The version comes last, so nobody ever sees half an object. An upload that fails takes its name
/// back; what a crash leaves behind stays visible as an open upload, and expires.
extension ClusterNode {
    /// One PUT, resolved.
    struct PutOrder: Sendable {
        var bucket: BucketInfo
        var key: RowKey
        var attributes: ObjectAttributes
        var condition: WriteCondition
        var idempotency: IdempotencyKey?
        var expectedBytes: UInt64?
    }

    /// Cheap checks before the body: bucket, condition, space, size. Throws what `put` would.
    public func admitPut(
        bucket: String, key: [UInt8], condition: WriteCondition, expectedBytes: UInt64?,
        idempotency: IdempotencyKey? = nil
    ) async throws(ClusterError) {
        try await writing(bucket) { (info) async throws(ClusterError) -> Void in
            let order = PutOrder(
                bucket: info, key: try Self.row(info, key), attributes: ObjectAttributes(),
                condition: condition, idempotency: idempotency, expectedBytes: expectedBytes)
            try Self.checkSize(order)
            try self.admitSpace(expectedBytes ?? 0)
            // A small body is here as soon as its condition is decided.
            guard condition != .none, expectedBytes ?? .max > Limits.earlyCheckBytesMin else {
                return
            }
            let row = try await self.readObject(order.key, generation: info.generation)
            try Self.check(order, on: row, now: self.now)
        }
    }

    static func checkSize(_ order: PutOrder) throws(ClusterError) {
        guard order.attributes.bytes <= Limits.metadataBytesMax else { throw .metadataTooLarge }
        guard order.expectedBytes ?? 0 <= Limits.objectBytesMax else {
            throw .tooLarge(limitBytes: Limits.objectBytesMax)
        }
    }

    /// Whether so many bytes can be had; the store's own reserve guards what arrives after all.
    func admitSpace(_ bytes: UInt64) throws(ClusterError) {
        let room = store.roomBytes
        guard room > 0, bytes <= room else { throw .full(availableBytes: room) }
    }

    /// The condition; an answer owed to the same retry comes before it.
    static func check(
        _ order: PutOrder, on row: ObjectRow, now: UInt64
    ) throws(ClusterError) {
        if let key = order.idempotency, row.answer(for: key.keyHash, now: now) != nil { return }
        guard order.condition.holds(for: row.visible?.tag) else { throw .preconditionFailed }
    }

    public func put(
        bucket: String, key: [UInt8], attributes: ObjectAttributes, condition: WriteCondition,
        idempotency: IdempotencyKey?, body: any BodySource
    ) async throws(ClusterError) -> PutResult {
        let order = try await order(
            bucket, key, attributes, condition, idempotency, body.expectedBytes)
        let chunkBytes = UInt64(Limits.chunkBytes)
        if let expected = body.expectedBytes, expected > chunkBytes {
            return try await putSpread(order, beginning: nil, body)
        }
        let buffer = await buffers.take(Int(body.expectedBytes ?? chunkBytes))
        let hasEnded = body.expectedBytes == 0 ? true : try await body.fill(buffer)
        guard hasEnded || isWhole(buffer, body) else {
            return try await putSpread(order, beginning: buffer, body)
        }
        guard body.expectedBytes == nil || isWhole(buffer, body) else { throw .bodyEndedEarly }
        try await body.verify()
        do throws(ClusterError) {
            return try await putInRow(order, buffer, body)
        } catch .staleBucket {
            // Nothing was written; the bucket is another one, or has other settings.
            knownBuckets.forget(bucket)
        }
        let again = try await self.order(
            bucket, key, attributes, condition, idempotency, body.expectedBytes)
        do throws(ClusterError) {
            return try await putInRow(again, buffer, body)
        } catch .staleBucket { throw .busy }
    }

    private func order(
        _ bucket: String, _ key: [UInt8], _ attributes: ObjectAttributes,
        _ condition: WriteCondition, _ idempotency: IdempotencyKey?, _ expectedBytes: UInt64?
    ) async throws(ClusterError) -> PutOrder {
        // A large body cannot be read twice: its bucket is looked up now.
        if expectedBytes ?? .max > UInt64(Limits.chunkBytes) { knownBuckets.forget(bucket) }
        let info = try await bucketForWriting(bucket)
        let order = PutOrder(
            bucket: info, key: try Self.row(info, key), attributes: attributes,
            condition: condition, idempotency: idempotency, expectedBytes: expectedBytes)
        try Self.checkSize(order)
        return order
    }

    private func isWhole(_ buffer: ChunkBuffer, _ body: any BodySource) -> Bool {
        body.expectedBytes == UInt64(buffer.count)
    }

    /// The body lives with its row: one change, one fsync.
    private func putInRow(
        _ order: PutOrder, _ buffer: ChunkBuffer, _ source: any BodySource
    ) async throws(ClusterError) -> PutResult {
        let digest = XXH3.hash128(buffer.bytes)
        guard buffer.count > 0 else {
            return try await commit(order, .empty, [], size: 0, digest, source, replacing: nil)
        }
        let blob = newBlob()
        let chunk = chunk(ChunkID(blob: blob, index: 0), of: order.key, buffer)
        return try await commit(
            order, .row(blob), [chunk], size: UInt64(buffer.count), digest, source,
            replacing: nil)
    }

    /// The body is spread over the ring, named by an open upload meanwhile. `beginning`: a body of
    /// unknown length that turned out longer than a chunk.
    private func putSpread(
        _ order: PutOrder, beginning: ChunkBuffer?, _ body: any BodySource
    ) async throws(ClusterError) -> PutResult {
        let blob = newBlob()
        let upload = ActiveUpload(
            id: UploadID(of: blob), bucket: order.bucket.name, key: order.key.key,
            isResumable: false, expectedBytes: order.expectedBytes, startedMilliseconds: now,
            firstByte: 0)
        try active.begin(upload)
        defer { active.end(upload) }
        do throws(ClusterError) {
            let received = await receive(
                body, into: blob, of: order.key, for: upload, beginning: beginning
            ) { () async throws(ClusterError) in
                try await self.name(upload) { (blobs) async throws(ClusterError) in
                    try await self.openUpload(blobs.map { .plain($0) }, order)
                }
            }
            if let failure = received.failure { throw failure }
            try await body.verify()
            let extent = Extent(blob: received.blob, length: received.bytes)
            return try await commit(
                order, .spread([extent]), [], size: received.bytes, received.digest, body,
                replacing: received.blob)
        } catch {
            await withdraw(upload.id.blob, order.key, after: error)
            throw error == .staleBucket ? .busy : error
        }
    }

    /// Takes back the name of an upload that failed. Where that fails too, or the commit may yet
    /// take effect, the open upload expires by itself.
    private func withdraw(_ blob: BlobID, _ key: RowKey, after error: ClusterError) async {
        if error == .outcomeUnknown || error == .stopped { return }
        do throws(ClusterError) {
            try await closeUpload(.plain(blob), key)
        } catch {
            return
        }
    }

    /// The change that makes a version visible. `replacing`: the open upload that it takes the
    /// place of. The body's own tag goes before one that is made of the digest.
    private func commit(
        _ order: PutOrder, _ body: Body, _ chunks: [ChunkWrite], size: UInt64,
        _ digest: Digest128, _ source: any BodySource, replacing blob: BlobID?
    ) async throws(ClusterError) -> PutResult {
        let id = newChange()
        let now = now
        let answerKey = order.idempotency?.with(body: digest)
        var version = ObjectVersion(
            id: id, size: size, tag: source.tag ?? EntityTag(digest: digest, parts: 1),
            modifiedMilliseconds: now, policy: Self.policy, attributes: order.attributes,
            sha256: nil, body: body)
        version.checksum = source.checksum
        let change = Coordinator.Change(
            key: order.key, id: id, generation: order.bucket.generation,
            looksFirst: order.condition != .none)
        return try await coordinator.change(change) {
            (found) throws(ClusterError) -> Coordinator.Computed<PutResult> in
            var row = try Self.object(found)
            if let blob, !row.removeUpload(.plain(blob)), !omitted.contains(.commitChecks) {
                throw .uploadExpired
            }
            if let answerKey, let owed = row.answer(for: answerKey.keyHash, now: now) {
                var replay = try PutResult(replaying: owed, answerKey, order.attributes)
                replay.isVersioned = order.bucket.isVersioned
                // The upload's name goes, the version of the first time stays.
                return blob == nil
                    ? .nothing(.success(replay)) : .write(.object(row), bodies: [], replay)
            }
            try Self.check(order, on: row, now: now)
            let result = try row.add(&version, in: order.bucket, now: now)
            if let answerKey { row.owe(result.answer(to: answerKey, now: now)) }
            return .write(.object(row), bodies: chunks, result)
        }
    }

    /// One copy on each node there is; the layout says which.
    static let policy: UInt8 = 3

    func chunk(_ id: ChunkID, of key: RowKey, _ buffer: ChunkBuffer) -> ChunkWrite {
        ChunkWrite(
            id: id, owner: key, receivedMilliseconds: now,
            checksums: CRC32C.blocks(of: buffer.bytes, chunk: id), buffer: buffer)
    }
}

extension ObjectRow {
    /// Encoded it leaves what deleting some of its versions needs.
    var hasRoomForOthers: Bool {
        RowContent.object(self).encoded.count <= Limits.rowBytesMax - Limits.rowReserveBytes
    }

    /// The version becomes the newest one, under the name and the time that it gets here.
    mutating func add(
        _ version: inout ObjectVersion, in bucket: BucketInfo, now: UInt64
    ) throws(ClusterError) -> PutResult {
        version.isNull = bucket.versioning != .enabled
        version.modifiedMilliseconds = nextModified(now)
        var result = PutResult(version: version, created: visible == nil, replayed: false)
        result.isVersioned = bucket.isVersioned
        guard add(version, generation: bucket.generation) else { throw .tooManyVersions }
        return result
    }

    /// False where it is not there, or was refused.
    mutating func removeUpload(_ kind: OpenUpload.Kind) -> Bool {
        guard let index = openUploads.firstIndex(where: { $0.kind == kind && $0.state == .open })
        else { return false }
        openUploads.remove(at: index)
        return true
    }
}
