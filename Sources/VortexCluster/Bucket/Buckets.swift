internal import VortexCore
internal import VortexStore

/// Buckets are rows of the system's bucket, under their names.
extension ClusterNode {
    private static func key(_ name: String) throws(ClusterError) -> RowKey {
        guard BucketRow.isValid(name: name) else { throw .invalidBucketName }
        return RowKey(bucket: .zero, key: Array(name.utf8))
    }

    private static func row(_ content: RowContent) -> BucketRow? {
        if case .bucket(let row) = content { row } else { nil }
    }

    private static func info(_ name: String, _ row: BucketRow) -> BucketInfo {
        BucketInfo(
            name: name, id: row.id, createdMilliseconds: row.createdMilliseconds,
            generation: row.generation)
    }

    /// Gives the bucket there is, or makes it.
    public func createBucket(_ name: String) async throws(ClusterError)
        -> (bucket: BucketInfo, created: Bool)
    {
        let key = try Self.key(name)
        if let row = Self.row(try coordinator.read(key)), row.state == .open {
            return (Self.info(name, row), false)
        }
        let fresh = BucketRow(
            id: BucketID(high: entropy.next() | 1, low: entropy.next()),
            createdMilliseconds: now)
        let (row, created) = try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<(BucketRow, Bool)> in
            guard let row = Self.row(found) else {
                return .write(.bucket(fresh), bodies: [], (fresh, true))
            }
            guard row.state == .open else { throw .busy }
            return .nothing(.success((row, false)))
        }
        return (Self.info(name, row), created)
    }

    public func bucket(_ name: String) async throws(ClusterError) -> BucketInfo {
        try bucketForReading(name)
    }

    /// For reading: a bucket that is being deleted still answers.
    func bucketForReading(_ name: String) throws(ClusterError) -> BucketInfo {
        guard let row = Self.row(try coordinator.read(try Self.key(name))) else {
            throw .noSuchBucket
        }
        return Self.info(name, row)
    }

    /// For writing: one that is being deleted takes nothing, and may be back in a moment.
    func bucketForWriting(_ name: String) throws(ClusterError) -> BucketInfo {
        guard let row = Self.row(try coordinator.read(try Self.key(name))) else {
            throw .noSuchBucket
        }
        guard row.state == .open else { throw .busy }
        return Self.info(name, row)
    }

    /// Three steps, so that no put slips in: closing, under a new generation that every owner
    /// enforces; a complete listing; the tombstone, or open again.
    public func deleteBucket(_ name: String) async throws(ClusterError) {
        let key = try Self.key(name)
        // Not worth the trouble; one whose deletion was cut short must open again, though.
        if let row = Self.row(try coordinator.read(key)), row.state == .open {
            guard try isEmpty(row.id) else { throw .bucketNotEmpty }
        }
        let closing = try await setBucket(key, .closing)
        do throws(StoreError) {
            try await coordinator.owner.generations.push(
                closing.id, generation: closing.generation)
            await coordinator.owner.slots.drain(bucket: closing.id)
        } catch { throw ClusterError(error) }
        guard try isEmpty(closing.id) else {
            let open = try await setBucket(key, .open)
            do throws(StoreError) {
                try await coordinator.owner.generations.push(open.id, generation: open.generation)
            } catch { throw ClusterError(error) }
            throw .bucketNotEmpty
        }
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard let row = Self.row(found), row.id == closing.id else {
                return .nothing(.success(()))
            }
            guard row.generation == closing.generation else { throw .busy }
            return .write(.nothing, bodies: [], ())
        }
    }

    /// Gives the row a new generation in that state.
    private func setBucket(
        _ key: RowKey, _ state: BucketRow.State
    ) async throws(ClusterError) -> BucketRow {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<BucketRow> in
            guard var row = Self.row(found) else { throw .noSuchBucket }
            row.state = state
            row.generation += 1
            return .write(.bucket(row), bodies: [], row)
        }
    }

    /// No object and no open upload.
    private func isEmpty(_ bucket: BucketID) throws(ClusterError) -> Bool {
        var isEmpty = true
        var isDamaged = false
        do throws(StoreError) {
            try store.scanObjects(bucket: bucket, from: []) { _, row in
                do throws(CodingError) {
                    var reader = try ByteReader.registerValue(ofStored: row)
                    if case .hidden(isTombstone: true) = try reader.readObjectGlance() {
                        return .next
                    }
                    isEmpty = false
                } catch { isDamaged = true }
                return .stop
            }
        } catch { throw ClusterError(error) }
        guard !isDamaged else { throw .damaged }
        return isEmpty
    }

    /// In order of names, behind `after`; `next` goes in as `after` for the next page.
    public func buckets(after: String?, limit: Int) async throws(ClusterError)
        -> (buckets: [BucketInfo], next: String?)
    {
        let from: [UInt8] = after.map { Array($0.utf8) + [0] } ?? []
        var found: [BucketInfo] = []
        var hasMore = false
        var isDamaged = false
        do throws(StoreError) {
            try store.scanObjects(bucket: .zero, from: from) { key, row in
                do throws(CodingError) {
                    var reader = try ByteReader.registerValue(ofStored: row)
                    let value = try reader.readRegisterValue()
                    if value.isTombstone { return .next }
                    guard found.count < max(limit, 1) else {
                        hasMore = true
                        return .stop
                    }
                    let row = try ByteReader.decode(value.content) {
                        (reader) throws(CodingError) in try reader.readBucketRow()
                    }
                    found.append(Self.info(String(decoding: key, as: UTF8.self), row))
                    return .next
                } catch {
                    isDamaged = true
                    return .stop
                }
            }
        } catch { throw ClusterError(error) }
        guard !isDamaged else { throw .damaged }
        return (found, hasMore ? found.last?.name : nil)
    }
}

extension ByteReader {
    /// At the register's value in an encoded `StoredRow`: behind partition, since and ballot.
    static func registerValue(
        ofStored row: UnsafeRawBufferPointer
    ) throws(CodingError) -> ByteReader {
        var reader = ByteReader(row)
        try reader.skip(2 + 4 + 8 + Ballot.encodedBytes)
        return reader
    }
}
