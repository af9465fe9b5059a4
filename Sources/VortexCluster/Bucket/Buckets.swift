public import VortexCore
internal import VortexStore

/// Buckets are rows of the system's bucket, under their names.
extension ClusterNode {
    static func bucketKey(_ name: String) throws(ClusterError) -> RowKey {
        guard BucketRow.isValid(name: name) else { throw .invalidBucketName }
        return RowKey(bucket: .zero, key: Array(name.utf8))
    }

    static func bucket(in content: RowContent) -> BucketRow? {
        if case .bucket(let row) = content { row } else { nil }
    }

    static func info(_ name: String, _ row: BucketRow) -> BucketInfo {
        BucketInfo(
            name: name, id: row.id, createdMilliseconds: row.createdMilliseconds,
            generation: row.generation, versioning: row.versioning)
    }

    /// Gives the bucket there is, with the settings it has, or makes it with these.
    public func createBucket(
        _ name: String, settings: BucketSettings = BucketSettings()
    ) async throws(ClusterError) -> (bucket: BucketInfo, created: Bool) {
        let key = try Self.bucketKey(name)
        guard settings.isWithinBounds else { throw .settingsTooLarge }
        if let row = Self.bucket(in: try await coordinator.read(key)), row.state == .open {
            return (Self.info(name, row), false)
        }
        var made = BucketRow(
            id: BucketID(high: entropy.next() | 1, low: entropy.next()),
            createdMilliseconds: now)
        made.settings = settings
        let fresh = made
        let (row, created) = try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<(BucketRow, Bool)> in
            guard let row = Self.bucket(in: found) else {
                return .write(.bucket(fresh), bodies: [], (fresh, true))
            }
            guard row.state == .open else { throw .busy }
            return .nothing(.success((row, false)))
        }
        return (Self.info(name, row), created)
    }

    public func bucket(_ name: String) async throws(ClusterError) -> BucketInfo {
        Self.info(name, try await bucketRow(name))
    }

    /// Read now, and remembered.
    func bucketRow(_ name: String) async throws(ClusterError) -> BucketRow {
        guard let row = Self.bucket(in: try await coordinator.read(try Self.bucketKey(name))) else {
            knownBuckets.forget(name)
            throw .noSuchBucket
        }
        if row.state == .open, !view.isAlone { knownBuckets.remember(Self.info(name, row)) }
        return row
    }

    /// For reading: a bucket that is being deleted still answers.
    func bucketForReading(_ name: String) async throws(ClusterError) -> BucketInfo {
        if let known = knownBuckets[name] { return known }
        return Self.info(name, try await bucketRow(name))
    }

    /// For writing: one that is being deleted takes nothing, and may be back in a moment.
    func bucketForWriting(_ name: String) async throws(ClusterError) -> BucketInfo {
        if let known = knownBuckets[name] { return known }
        let row = try await bucketRow(name)
        guard row.state == .open else { throw .busy }
        return Self.info(name, row)
    }

    /// Runs `body` with the bucket as this gateway knows it, and again where an owner knows better.
    func reading<Value: Sendable>(
        _ name: String, _ body: (BucketInfo) async throws(ClusterError) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(ClusterError) {
            return try await body(try await bucketForReading(name))
        } catch .staleBucket {
            knownBuckets.forget(name)
        }
        return try await Self.again(try await bucketForReading(name), body)
    }

    /// Settings that change twice during one request: the client comes again.
    private static func again<Value: Sendable>(
        _ info: BucketInfo, _ body: (BucketInfo) async throws(ClusterError) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(ClusterError) { return try await body(info) } catch .staleBucket { throw .busy }
    }

    /// The same for what changes something; the first attempt has changed nothing then.
    func writing<Value: Sendable>(
        _ name: String, _ body: (BucketInfo) async throws(ClusterError) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(ClusterError) {
            return try await body(try await bucketForWriting(name))
        } catch .staleBucket {
            knownBuckets.forget(name)
        }
        return try await Self.again(try await bucketForWriting(name), body)
    }

    /// Three steps, so that no put slips in: closing, under a new generation that every owner
    /// enforces; a complete listing; the tombstone, or open again.
    public func deleteBucket(_ name: String) async throws(ClusterError) {
        let key = try Self.bucketKey(name)
        // Not worth the trouble; one whose deletion was cut short must open again, though.
        if let row = Self.bucket(in: try await coordinator.read(key)), row.state == .open {
            guard try await isEmpty(row.id, row.generation) else { throw .bucketNotEmpty }
        }
        try await delete(name, try await setBucket(key, .closing))
    }

    /// Goes on with a deletion that was cut short; throws `.noSuchBucket` where somebody has: there
    /// may be another bucket of that name by now.
    func finishDeleting(_ name: String, _ id: BucketID) async throws(ClusterError) {
        let closing = try await setBucket(try Self.bucketKey(name), .closing) {
            $0.id == id && $0.state == .closing
        }
        try await delete(name, closing)
    }

    private func delete(_ name: String, _ closing: BucketRow) async throws(ClusterError) {
        let key = try Self.bucketKey(name)
        knownBuckets.forget(name)
        try await push(closing)
        guard try await isEmpty(closing.id, closing.generation) else {
            try await push(try await setBucket(key, .open) { $0.id == closing.id })
            throw .bucketNotEmpty
        }
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard let row = Self.bucket(in: found), row.id == closing.id else {
                return .nothing(.success(()))
            }
            guard row.generation == closing.generation else { throw .busy }
            return .write(.nothing, bodies: [], ())
        }
    }

    /// Gives the row a new generation in that state.
    private func setBucket(
        _ key: RowKey, _ state: BucketRow.State, where isMeant: (BucketRow) -> Bool = { _ in true }
    ) async throws(ClusterError) -> BucketRow {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<BucketRow> in
            guard var row = Self.bucket(in: found), isMeant(row) else { throw .noSuchBucket }
            row.state = state
            row.generation += 1
            return .write(.bucket(row), bodies: [], row)
        }
    }

    /// No object and no open upload. Throws `.busy` where somebody else changes the bucket.
    private func isEmpty(
        _ bucket: BucketID, _ generation: UInt64
    ) async throws(ClusterError) -> Bool {
        var from: [UInt8]? = []
        while let start = from {
            let page: MergedPage
            do throws(ClusterError) {
                page = try await rows(
                    ListQuestion(
                        bucket: bucket, generation: generation, from: start, prefix: [],
                        delimiter: [], limit: Limits.listPageMax))
            } catch .staleBucket { throw .busy }
            for row in page.rows where row.glance != .hidden(isTombstone: true) { return false }
            from = page.next
        }
        return true
    }

    /// In order of names, behind `after`; `next` goes in as `after` for the next page.
    public func buckets(after: String?, limit: Int) async throws(ClusterError)
        -> (buckets: [BucketInfo], next: String?)
    {
        var found: [BucketInfo] = []
        var from: [UInt8]? = after.map { Array($0.utf8) + [0] } ?? []
        while let start = from {
            var question = ListQuestion(
                bucket: .zero, generation: .max, from: start, prefix: [], delimiter: [],
                limit: min(Limits.listPageMax, max(limit, 1) + 1))
            question.wantsValues = true
            let page = try await rows(question)
            for row in page.rows {
                guard let value = row.value, !value.isTombstone else { continue }
                let key = RowKey(bucket: .zero, key: row.key)
                guard let bucket = Self.bucket(in: try Coordinator.content(value, of: key)) else {
                    throw .damaged
                }
                guard found.count < max(limit, 1) else { return (found, found.last?.name) }
                found.append(Self.info(String(decoding: row.key, as: UTF8.self), bucket))
            }
            from = page.next
        }
        return (found, nil)
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
