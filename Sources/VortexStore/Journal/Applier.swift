internal import OrderedCollections
internal import VortexCore

/// Brings the index up to what a durable batch says. The same code applies a batch just synced, a
/// copy made by compaction, and the journal replayed after a crash, so that all three end in the
/// same state.
///
/// What a record meets decides what it does:
///
///     the entry for its key           a row, note            a chunk             delete, purge
///     none                            becomes the entry      becomes the entry   becomes the entry
///     of a lower position             replaces it            replaces it         replaces it
///     of the same position            moves it               moves it            moves it
///     of a higher position            nothing                nothing             nothing
///     purged (x) at a higher one      nothing                -                   -
///     its blob is deleted (d)         -                      nothing             -
struct Applier {
    private let index: any Index
    private var batch = IndexBatch()
    /// What this batch has written so far, since the index shows it only after `commit`.
    private var written: [[UInt8]: [UInt8]?] = [:]
    private var writtenChunks: [BlobID: [[UInt8]]] = [:]
    private var changedSegments: OrderedSet<UInt32> = []
    private(set) var mark: AppliedMark
    /// Live bytes by segment, in the order of first use.
    private(set) var live: OrderedDictionary<UInt32, UInt64>
    /// The blobs that delete records stand for, and some others.
    private var deleted = BlobFilter()

    init(index: any Index) throws(StoreError) {
        self.index = index
        let bytes: [UInt8]?
        do throws(IndexError) { bytes = try index.get(IndexKey.applied) } catch { throw .index }
        do throws(CodingError) { mark = try bytes.map(AppliedMark.decode) ?? AppliedMark() } catch {
            throw .coding(error)
        }
        live = [:]
        for (key, value) in try index.entries(prefix: IndexKey.segmentsAll, limit: .max) {
            do throws(CodingError) {
                let number = try ByteReader.decode(key) { (reader) throws(CodingError) in
                    try reader.skip(1)
                    return try reader.readOrdered(UInt32.self)
                }
                live[number] = try ByteReader.decode(value) { (reader) throws(CodingError) in
                    try reader.readFixed(UInt64.self)
                }
            } catch { throw .coding(error) }
        }
        do throws(IndexError) { deleted = try BlobFilter(deletedIn: index) } catch { throw .index }
    }

    private func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        if let value = written[key] { return value }
        do throws(IndexError) { return try index.get(key) } catch { throw .index }
    }

    private mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        batch.put(key, value)
        written[key] = .some(value)
    }

    private mutating func delete(_ key: [UInt8]) {
        batch.delete(key)
        written[key] = .some(nil)
    }

    private mutating func add(_ bytes: UInt64, to segment: UInt32) {
        live[segment, default: 0] += bytes
        changedSegments.append(segment)
    }

    private mutating func subtract(_ place: RecordPlace) {
        let before = live[place.segment] ?? 0
        live[place.segment] = before - min(before, place.storedBytes)
        changedSegments.append(place.segment)
    }

    /// What is applied from here on belongs to this batch.
    mutating func begin(batch number: UInt64, at offset: UInt64) {
        mark.batch = number
        mark.offset = offset
    }

    /// Applies one record of a batch in `segment`. Nothing shows before `commit`.
    mutating func apply(_ placed: PlacedRecord, segment: UInt32) throws(StoreError) {
        let place = RecordPlace(segment: segment, placed)
        // Written now for the first time: no entry can be of a higher position.
        let isLatest = placed.position >= mark.nextPosition
        mark.nextPosition = max(mark.nextPosition, placed.position + 1)
        switch placed.record {
        case .row(let key, let row, let effects):
            if !isLatest, try isPurged(key, above: place) { return }
            try applyRow(key, row, effects, place)
        case .chunk(let id, _, _, let checksums):
            let entry = ChunkEntry(
                place: place, dataOffset: placed.dataOffset, checksums: checksums)
            guard try !isDeleted(id.blob) else { return }
            let key = IndexKey.chunk(id)
            guard try supersede(key, place) != .keep else { return }
            put(key, entry.encoded())
            writtenChunks[id.blob, default: []].append(key)
        case .note(let name, let value):
            let key = IndexKey.note(name)
            guard try supersede(key, place) != .keep else { return }
            put(key, prefixed(place, value))
        case .delete(let blob, let milliseconds, let since, let origin):
            try applyDelete(blob, milliseconds, since, origin, place)
        case .purge(let key, let partition, let horizon, let origin):
            try applyPurge(key, partition, horizon, origin, place)
        }
    }

    private enum Outcome { case fresh, replace, move, keep }

    /// Settles what `place` does to the entry at `key`, and the live bytes of both.
    private mutating func supersede(
        _ key: [UInt8], _ place: RecordPlace
    ) throws(StoreError) -> Outcome {
        try supersede(entry: get(key), place)
    }

    private mutating func supersede(
        entry: [UInt8]?, _ place: RecordPlace
    ) throws(StoreError) -> Outcome {
        var outcome = Outcome.fresh
        if let bytes = entry {
            let old: RecordPlace
            do throws(CodingError) { old = try placeIn(bytes) } catch { throw .coding(error) }
            if old.position > place.position { return .keep }
            outcome = old.position == place.position ? .move : .replace
            subtract(old)
        }
        add(place.storedBytes, to: place.segment)
        return outcome
    }

    private func placeIn(_ bytes: [UInt8]) throws(CodingError) -> RecordPlace {
        try ByteReader.prefix(bytes) { (reader) throws(CodingError) in try RecordPlace(&reader) }
    }

    private func prefixed(_ place: RecordPlace, _ value: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reserving: RecordPlace.encodedBytes + value.count)
        place.write(to: &writer)
        writer.write(raw: value)
        return writer.bytes
    }

    private func isPurged(
        _ key: RowKey, above place: RecordPlace
    ) throws(StoreError) -> Bool {
        guard let purge = try get(IndexKey.purge(key)) else { return false }
        do throws(CodingError) { return try placeIn(purge).position > place.position } catch {
            throw .coding(error)
        }
    }

    private func isDeleted(_ blob: BlobID) throws(StoreError) -> Bool {
        guard deleted.mayContain(blob) else { return false }
        return try get(IndexKey.delete(blob)) != nil
    }

    private mutating func applyRow(
        _ key: RowKey, _ row: StoredRow, _ effects: RowEffects, _ place: RecordPlace
    ) throws(StoreError) {
        let indexKey = IndexKey.row(key)
        let old = try get(indexKey)
        let outcome = try supersede(entry: old, place)
        guard outcome != .keep else { return }
        try count(old, by: -1)
        mark.objects += UInt64(effects.objects)
        mark.bytes += effects.bytes
        let entry = RowEntry(place: place, objects: effects.objects, bytes: effects.bytes)
        put(indexKey, entry.encoded(row))
        guard outcome != .move else { return }
        var ballot = ByteWriter(reserving: Ballot.encodedBytes)
        ballot.write(row.accepted)
        batch.put(IndexKey.partitionRow(row.partition, indexKey), ballot.bytes)
        for blob in effects.unnamed {
            var owner = ByteWriter()
            owner.write(key)
            put(IndexKey.unnamed(effects.milliseconds, blob), owner.bytes)
        }
    }

    private mutating func count(_ old: [UInt8]?, by sign: Int) throws(StoreError) {
        guard let old else { return }
        let entry = old.withUnsafeBytes { raw -> Result<RowEntry, CodingError> in
            do throws(CodingError) { return .success(try RowEntry.decode(raw)) } catch {
                return .failure(error)
            }
        }
        switch entry {
        case .success(let entry):
            mark.objects -= min(mark.objects, UInt64(entry.objects))
            mark.bytes -= min(mark.bytes, entry.bytes)
        case .failure(let error): throw .coding(error)
        }
    }

    private mutating func applyDelete(
        _ blob: BlobID, _ milliseconds: UInt64, _ since: UInt64?, _ origin: UInt32,
        _ place: RecordPlace
    ) throws(StoreError) {
        let key = IndexKey.delete(blob)
        guard try supersede(key, place) != .keep else { return }
        deleted.insert(blob)
        var writer = ByteWriter()
        writer.write(fixed: origin)
        writer.write(fixed: milliseconds)
        put(key, prefixed(place, writer.bytes))
        if let since { delete(IndexKey.unnamed(since, blob)) }
        let prefix = IndexKey.chunks(of: blob)
        for (key, value) in try index.entries(prefix: prefix, limit: .max) {
            if written[key] != nil { continue }
            do throws(CodingError) { subtract(try placeIn(value)) } catch { throw .coding(error) }
            delete(key)
        }
        for key in writtenChunks.removeValue(forKey: blob) ?? [] {
            guard case .some(.some(let value)) = written[key] else { continue }
            do throws(CodingError) { subtract(try placeIn(value)) } catch { throw .coding(error) }
            delete(key)
        }
    }

    private mutating func applyPurge(
        _ key: RowKey, _ partition: UInt16, _ horizon: Ballot, _ origin: UInt32,
        _ place: RecordPlace
    ) throws(StoreError) {
        let marker = IndexKey.purge(key)
        guard try supersede(marker, place) != .keep else { return }
        var writer = ByteWriter()
        writer.write(fixed: origin)
        put(marker, prefixed(place, writer.bytes))
        let indexKey = IndexKey.row(key)
        if let old = try get(indexKey) {
            let oldPlace: RecordPlace
            do throws(CodingError) { oldPlace = try placeIn(old) } catch { throw .coding(error) }
            if oldPlace.position < place.position {
                subtract(oldPlace)
                try count(old, by: -1)
                delete(indexKey)
                batch.delete(IndexKey.partitionRow(partition, indexKey))
            }
        }
        let horizonKey = IndexKey.horizon(partition)
        var raised = horizon
        if let bytes = try get(horizonKey) {
            do throws(CodingError) {
                raised = max(
                    raised,
                    try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                        try reader.readBallot()
                    })
            } catch { throw .coding(error) }
        }
        var bytes = ByteWriter(reserving: Ballot.encodedBytes)
        bytes.write(raised)
        put(horizonKey, bytes.bytes)
    }

    /// Drops the entry at `key` where it still stands for the record at `place`.
    mutating func drop(_ key: [UInt8], _ place: RecordPlace) throws(StoreError) {
        guard let entry = try get(key) else { return }
        let found: RecordPlace
        do throws(CodingError) { found = try placeIn(entry) } catch { throw .coding(error) }
        guard found == place else { return }
        subtract(place)
        delete(key)
    }

    /// Records in these bytes were never applied, and never will be: noted together with the mark
    /// that goes past them, so that no later start takes the index for complete.
    mutating func note(hiding region: DamagedRegion) {
        var writer = ByteWriter(reserving: 8)
        writer.write(fixed: region.length)
        batch.put(IndexKey.damage(region.segment, region.offset), writer.bytes)
    }

    /// A segment is gone: its count too.
    mutating func forget(segment: UInt32) {
        live.removeValue(forKey: segment)
        changedSegments.remove(segment)
        batch.delete(IndexKey.segment(segment))
    }

    /// Makes all that was applied visible at once, with the mark that tells how far that is.
    mutating func commit(segment: UInt32, end: UInt64) throws(StoreError) {
        mark.segment = segment
        mark.end = end
        for segment in changedSegments {
            guard let bytes = live[segment] else { continue }
            var writer = ByteWriter(reserving: 8)
            writer.write(fixed: bytes)
            batch.put(IndexKey.segment(segment), writer.bytes)
        }
        batch.put(IndexKey.applied, mark.encoded())
        do throws(IndexError) { try index.write(batch) } catch { throw .index }
        batch = IndexBatch()
        written.removeAll(keepingCapacity: true)
        writtenChunks.removeAll(keepingCapacity: true)
        changedSegments.removeAll(keepingCapacity: true)
    }
}

extension Index {
    /// All entries whose keys begin with `prefix`, at most `limit`.
    func entries(
        prefix: [UInt8], after: [UInt8]? = nil, limit: Int
    ) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        var found: [(key: [UInt8], value: [UInt8])] = []
        do throws(IndexError) {
            try scan(from: after ?? prefix, before: IndexKey.end(of: prefix)) { key, value in
                if let after, key.elementsEqual(after) { return .next }
                found.append((Array(key), Array(value)))
                return found.count < limit ? .next : .stop
            }
        } catch { throw .index }
        return found
    }
}
