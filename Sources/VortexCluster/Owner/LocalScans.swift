internal import VortexCore
internal import VortexStore

/// Questions about many rows of one owner; every answer holds at one epoch of the whole layout,
/// which the caller compares before and after.

/// What a listing asks of each owner.
struct ListQuestion: Sendable {
    var bucket: BucketID
    var generation: UInt64
    var from: [UInt8]
    var prefix: [UInt8]
    var delimiter: [UInt8]
    var limit: Int
    /// Whole rows come along, as buckets' listings need them.
    var wantsValues = false
    /// Whole rows, and those fold that have any version: a delete marker is one.
    var wantsVersions = false {
        didSet { wantsValues = wantsValues || wantsVersions }
    }

    var folding: Delimiter { Delimiter(prefix: prefix, delimiter: delimiter) }
}

/// Which keys a listing folds into one prefix.
struct Delimiter: Sendable {
    var prefix: [UInt8]
    /// Empty: folds nothing.
    var delimiter: [UInt8]

    /// Where the first delimiter behind the prefix ends.
    func fold(_ key: UnsafeRawBufferPointer) -> Int? {
        guard let first = delimiter.first, key.count >= prefix.count + delimiter.count else {
            return nil
        }
        for start in prefix.count...key.count - delimiter.count where key[start] == first {
            let end = start + delimiter.count
            if key[start..<end].elementsEqual(delimiter) { return end }
        }
        return nil
    }
}

/// One row as an owner lists it.
struct ListedRow: Sendable {
    var key: [UInt8]
    var partition: UInt16
    var accepted: Ballot
    var glance: ObjectGlance
    var value: RegisterValue?
}

extension ListedRow {
    /// Whether a delimiter may fold it.
    func folds(_ question: ListQuestion) throws(CodingError) -> Bool {
        if question.delimiter.isEmpty { return false }
        guard question.wantsVersions else {
            if case .visible = glance { return true }
            return false
        }
        return try ByteReader.prefix(value?.content ?? []) { (reader) throws(CodingError) in
            try reader.readHasVersions()
        }
    }
}

struct ListAnswer: Sendable {
    var rows: [ListedRow] = []
    /// Rows behind the last one may be there too.
    var isCut = false
}

/// A whole row, for what no order of keys leads to.
struct FoundRow: Sendable {
    var key: RowKey
    var accepted: Ballot
    var value: RegisterValue
}

/// Rows of uploads or of parts in order, as far as one answer takes them.
struct FoundPage: Sendable {
    var rows: [FoundRow] = []
    /// The last one that was looked at; nil: there are no others behind it.
    var end: RowKey?
}

extension LocalOwner {
    /// Of several rows none is told as long as some may be lost.
    var fenced: OwnerFailure? { fence.isUp(book.view) ? .fenced : nil }

    func list(_ question: ListQuestion) -> Result<ListAnswer, OwnerFailure> {
        if let failure = fenced { return .failure(failure) }
        var answer = ListAnswer()
        var bytes = 0
        var damage: CodingError?
        let view = book.view
        let folding = question.folding
        do throws(StoreError) {
            if let current = try generations.current(of: question.bucket),
                question.generation < current
            {
                return .failure(.busy)
            }
            try store.scanObjects(bucket: question.bucket, from: question.from) { key, row in
                guard key.starts(with: question.prefix) else { return .stop }
                let folds: Bool
                do throws(CodingError) {
                    guard let listed = try Self.listed(key, row, question, view) else {
                        return .next
                    }
                    answer.rows.append(listed)
                    folds = try listed.folds(question)
                } catch {
                    damage = error
                    return .stop
                }
                // Whole rows can have any size up to `rowBytesMax`: the answer must fit a frame.
                bytes += key.count + (question.wantsValues ? row.count : Self.glanceBytes)
                if answer.rows.count >= question.limit || bytes >= Limits.listAnswerBytesMax {
                    answer.isCut = true
                    return .stop
                }
                guard folds, let end = folding.fold(key),
                    let next = Listing.successor(of: Array(key[..<end]))
                else { return .next }
                return .seek(next)
            }
        } catch { return .failure(OwnerFailure(error)) }
        return damage == nil ? .success(answer) : .failure(.damaged)
    }

    /// What a row without its value comes to, besides its key: partition, ballot and summary.
    private static let glanceBytes = 96

    /// nil: written under another `since`, which is as good as gone.
    private static func listed(
        _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer, _ question: ListQuestion,
        _ view: LayoutView
    ) throws(CodingError) -> ListedRow? {
        var reader = ByteReader(row)
        let partition: UInt16 = try reader.readFixed()
        let since = Epoch(generation: try reader.readFixed(), number: try reader.readFixed())
        guard Int(partition) < view.count, view[Partition(partition)].since == since else {
            return nil
        }
        let accepted = try reader.readBallot()
        if question.wantsValues {
            let value = try reader.readRegisterValue()
            return ListedRow(
                key: Array(key), partition: partition, accepted: accepted,
                glance: .hidden(isTombstone: value.isTombstone), value: value)
        }
        return ListedRow(
            key: Array(key), partition: partition, accepted: accepted,
            glance: try reader.readObjectGlance())
    }

    /// Upload rows behind `after`.
    func uploads(after: UploadID?, limit: Int) -> Result<FoundPage, OwnerFailure> {
        if let failure = fenced { return .failure(failure) }
        do throws(StoreError) {
            return .success(found(try store.uploads(after: after, limit: limit)))
        } catch { return .failure(OwnerFailure(error)) }
    }

    /// Those of an upload's parts behind number `after`; behind 0, its own row before them.
    func parts(
        of id: UploadID, after: UInt32, limit: Int
    ) -> Result<FoundPage, OwnerFailure> {
        if let failure = fenced { return .failure(failure) }
        do throws(StoreError) {
            var attached = try store.parts(of: id, after: after, limit: limit)
            if after == 0, let upload = try store.upload(id) {
                attached.rows.insert(upload, at: 0)
            }
            return .success(found(attached))
        } catch { return .failure(OwnerFailure(error)) }
    }

    private func found(_ attached: AttachedRows) -> FoundPage {
        FoundPage(
            rows: attached.rows.compactMap { key, row in
                isCurrent(row)
                    ? FoundRow(key: key, accepted: row.accepted, value: row.value) : nil
            }, end: attached.isTruncated ? attached.rows.last?.key : nil)
    }

    /// One page of a partition's rows, and the horizon that stands for all that are missing.
    struct PartitionPage: Sendable {
        var rows: [Store.PartitionRow]
        var next: [UInt8]?
        var horizon: Ballot
    }

    /// The same, behind everything that was begun at an older epoch: nothing that this page lacks
    /// comes to be accepted later but at the epoch at which it is asked for.
    func settledPage(
        of partition: Partition, after: [UInt8]?, limit: Int
    ) async -> Result<PartitionPage, OwnerFailure> {
        await slots.settleAll()
        return page(of: partition, after: after, limit: limit)
    }

    func page(
        of partition: Partition, after: [UInt8]?, limit: Int
    ) -> Result<PartitionPage, OwnerFailure> {
        if let failure = fenced { return .failure(failure) }
        do throws(StoreError) {
            let page = try store.rows(of: partition.value, after: after, limit: limit)
            var rows: [Store.PartitionRow] = []
            for row in page.rows {
                guard let stored = try stored(row.key) else { continue }
                rows.append(.init(key: row.key, accepted: stored.accepted))
            }
            return .success(
                PartitionPage(
                    rows: rows, next: page.next, horizon: try horizon(of: partition.value)))
        } catch { return .failure(OwnerFailure(error)) }
    }

    private static let digestPage = 1_000

    /// A sum over the partition's rows and ballots that does not depend on their order.
    func digest(of partition: Partition) -> Result<UInt64, OwnerFailure> {
        if let failure = fenced { return .failure(failure) }
        var sum: UInt64 = 0
        var after: [UInt8]?
        do throws(StoreError) {
            repeat {
                let page = try store.rows(
                    of: partition.value, after: after, limit: Self.digestPage)
                for row in page.rows {
                    var writer = ByteWriter(reserving: 96)
                    writer.write(row.key)
                    writer.write(row.accepted)
                    sum &+= XXH3.hash64(writer.bytes)
                }
                after = page.next
            } while after != nil
            return .success(sum)
        } catch { return .failure(OwnerFailure(error)) }
    }
}
