internal import VortexCore
internal import VortexStore

/// A slow walk over all objects, for what no list leads to: open uploads whose gateway died,
/// tombstones.
extension ClusterNode {
    private static let sliceRows = 500
    private static let pauseMilliseconds: UInt64 = 10
    /// Tombstones younger than this stay.
    private static let graceMilliseconds: UInt64 = 60_000

    /// The tombstones of lately deleted objects; those still owed to retries wait for the sweep.
    func purgeTombstones() async throws(ClusterError) {
        let now = now
        guard now > Self.graceMilliseconds else { return }
        while !Task.isCancelled {
            var keys: [RowKey] = []
            while keys.count < Self.sliceRows,
                let key = tombstones.next(before: now - Self.graceMilliseconds)
            { keys.append(key) }
            if keys.isEmpty { return }
            try await together(keys) { (key) async throws(ClusterError) in
                try await self.purge(key)
            }
        }
    }

    /// Buckets whose deletion was cut short: deleted now, or open again.
    func finishClosingBuckets() async throws(ClusterError) {
        for (name, id) in try closingBuckets() {
            do throws(ClusterError) { try await finishDeleting(name, id) } catch {
                guard error == .bucketNotEmpty || error == .noSuchBucket else { throw error }
            }
        }
    }

    func sweep() async throws(ClusterError) {
        var after: String?
        repeat {
            let page = try await buckets(after: after, limit: Limits.listPageMax)
            for bucket in page.buckets {
                try await sweep(bucket.id)
            }
            after = page.next
        } while after != nil && !Task.isCancelled
        try await sweep(.zero)
        try await sweep(.accessKeys)
        try await sweepLostBuckets()
    }

    /// Rows of buckets that are gone: of a put whose client was told 503, one owner may have
    /// accepted the value, unseen by the listing that found the bucket empty. Ids are never reused,
    /// and a bucket is there before its first row: so one that a complete listing lacks, which
    /// began after the row was met, is gone.
    private func sweepLostBuckets() async throws(ClusterError) {
        let met: [BucketID]
        do throws(StoreError) { met = try store.buckets() } catch { throw ClusterError(error) }
        guard met.contains(where: { !$0.isReserved }) else { return }
        var living: Set<BucketID> = []
        var after: String?
        repeat {
            let page = try await buckets(after: after, limit: Limits.listPageMax)
            living.formUnion(page.buckets.map(\.id))
            after = page.next
        } while after != nil
        for bucket in met where !bucket.isReserved && !living.contains(bucket) {
            var from: [UInt8]? = []
            while let start = from, !Task.isCancelled {
                let slice = try slice(of: bucket, from: start) { _ in true }
                try await together(slice.keys) { (key) async throws(ClusterError) in
                    try await self.bury(RowKey(bucket: bucket, key: key))
                }
                from = slice.next
            }
        }
    }

    private func bury(_ key: RowKey) async throws(ClusterError) {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            found.isTombstone
                ? .nothing(.success(())) : .write(.nothing, bodies: [], ())
        }
        try await purge(key)
    }

    private func sweep(_ bucket: BucketID) async throws(ClusterError) {
        var from: [UInt8]? = []
        while let start = from, !Task.isCancelled {
            let slice = try slice(of: bucket, from: start) { Self.needsSweep($0, bucket) }
            try await together(slice.keys) { (key) async throws(ClusterError) in
                let key = RowKey(bucket: bucket, key: key)
                if self.isFirst(of: key) { try await self.sweep(key) }
            }
            from = slice.next
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.pauseMilliseconds)
            } catch { return }
        }
    }

    /// Rows with something to do among the next few hundred, and where to go on.
    private func slice(
        of bucket: BucketID, from start: [UInt8],
        where isWanted: (_ row: UnsafeRawBufferPointer) -> Bool
    ) throws(ClusterError) -> (keys: [[UInt8]], next: [UInt8]?) {
        var keys: [[UInt8]] = []
        var next: [UInt8]?
        var count = 0
        do throws(StoreError) {
            try store.scanObjects(bucket: bucket, from: start) { key, row in
                count += 1
                if isWanted(row) { keys.append(Array(key)) }
                guard count == Self.sliceRows else { return .next }
                next = Array(key) + [0]
                return .stop
            }
        } catch { throw ClusterError(error) }
        return (keys, next)
    }

    private static func needsSweep(
        _ row: UnsafeRawBufferPointer, _ bucket: BucketID
    ) -> Bool {
        do throws(CodingError) {
            var reader = try ByteReader.registerValue(ofStored: row)
            let value = try reader.readRegisterValue()
            if value.isTombstone { return true }
            guard !bucket.isReserved else { return false }
            let object = try ByteReader.decode(value.content) { (reader) throws(CodingError) in
                try reader.readObjectRow()
            }
            return !object.openUploads.isEmpty
        } catch {
            // A read of the object says so to whoever wants it; here is nothing to tidy.
            return false
        }
    }

    private func sweep(_ key: RowKey) async throws(ClusterError) {
        guard !key.bucket.isReserved else { return try await purge(key) }
        let row = try await readObject(key)
        for upload in row.openUploads { try await expire(upload, of: key) }
        if row.isTombstone, now > row.modifiedMilliseconds + Self.graceMilliseconds {
            try await purge(key)
        }
    }

    private func expire(_ upload: OpenUpload, of key: RowKey) async throws(ClusterError) {
        let isIdle = now > upload.renewedMilliseconds + options.uploadIdleMilliseconds
        // Of an earlier run of this node: nobody feeds it any more.
        let isOrphan = upload.node == node && upload.boot < boot
        switch upload.kind {
        case .plain(let blob):
            guard active.find(UploadID(of: blob)) == nil, isIdle || isOrphan else { return }
            try await closeUpload(upload.kind, key)
        case .multipart(let id):
            guard active.find(id) == nil, isIdle || isOrphan else { return }
            if omitted.contains(.entryStays) {
                try await closeUpload(upload.kind, key)
                return
            }
            try await expireMultipart(id, of: key)
        }
    }

    /// The entry goes only after the upload's row says aborted; one whose row was never written
    /// gets a row that says so, in case its gateway comes back to write it.
    private func expireMultipart(_ id: UploadID, of key: RowKey) async throws(ClusterError) {
        let rowKey = RowKey(bucket: key.bucket, key: key.key, kind: .upload(id))
        let now = now
        let isOver = try await coordinator.change(.init(key: rowKey, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Bool> in
            if case .upload(let row) = found {
                return .nothing(.success(row.state == .aborted || row.state == .refused))
            }
            var row = UploadRow(
                bucket: "", attributes: ObjectAttributes(), condition: .none,
                expectedBytes: nil, generation: 0, startedMilliseconds: now)
            row.state = .aborted
            return .write(.upload(row), bodies: [], true)
        }
        if isOver { try await closeUpload(.multipart(id), key) }
    }

    /// As this node's rows have it, which may be behind.
    private func closingBuckets() throws(ClusterError) -> [(name: String, id: BucketID)] {
        var found: [(String, BucketID)] = []
        do throws(StoreError) {
            try store.scanObjects(bucket: .zero, from: []) { key, row in
                if let id = Self.closing(row), found.count < Limits.listPageMax {
                    found.append((String(decoding: key, as: UTF8.self), id))
                }
                return .next
            }
        } catch { throw ClusterError(error) }
        return found
    }

    private static func closing(_ row: UnsafeRawBufferPointer) -> BucketID? {
        do throws(CodingError) {
            var reader = try ByteReader.registerValue(ofStored: row)
            let value = try reader.readRegisterValue()
            guard !value.isTombstone else { return nil }
            let bucket = try ByteReader.decode(value.content) { (reader) throws(CodingError) in
                try reader.readBucketRow()
            }
            return bucket.state == .closing ? bucket.id : nil
        } catch {
            return nil
        }
    }
}
