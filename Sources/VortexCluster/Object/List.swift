internal import VortexCore
internal import VortexStore

/// Listing a bucket: one scan over its rows, in the order of the keys, that decodes of each row no
/// more than it shows, and seeks past what a delimiter folds.
extension ClusterNode {
    /// Rows that one page looks at, at most: past it the page ends early, with a `next`.
    private static let rowsPerPageMax = 100_000

    /// Objects and folded prefixes behind `after`, in byte order of keys, at most `limit` together;
    /// the result goes in as `after` for the next page, nil at the end. An empty delimiter folds
    /// nothing; one that folds seeks past what it has folded.
    public func list(
        bucket: String, prefix: [UInt8], delimiter: [UInt8], after: [UInt8], limit: Int,
        into sink: inout some ListSink
    ) async throws(ClusterError) -> [UInt8]? {
        var listing = Listing(
            prefix: prefix, delimiter: delimiter, limit: max(1, limit),
            rowsMax: Self.rowsPerPageMax)
        guard let from = listing.start(after: after) else { return nil }
        guard view.isAlone else {
            return try await listMerged(bucket, &listing, from, into: &sink)
        }
        let info = try await bucketForReading(bucket)
        do throws(StoreError) {
            try store.scanObjects(bucket: info.id, from: from) { key, row in
                listing.visit(key, row, into: &sink)
            }
        } catch { throw ClusterError(error) }
        if listing.isDamaged { throw .damaged }
        return listing.next
    }

    /// The same over the rows that a majority of their owners has.
    private func listMerged(
        _ bucket: String, _ listing: inout Listing, _ start: [UInt8],
        into sink: inout some ListSink
    ) async throws(ClusterError) -> [UInt8]? {
        var from: [UInt8]? = start
        while let at = from {
            let (prefix, delimiter) = (listing.prefix, listing.delimiter)
            let limit = min(ListQuestion.limitMax, listing.limit - listing.count + 1)
            let page = try await reading(bucket) {
                (info) async throws(ClusterError) -> MergedPage in
                try await self.rows(
                    ListQuestion(
                        bucket: info.id, generation: info.generation, from: at,
                        prefix: prefix, delimiter: delimiter, limit: max(2, limit)))
            }
            from = page.next
            var index = 0
            while index < page.rows.count {
                let row = page.rows[index]
                let step = row.key.withUnsafeBytes { key in
                    listing.visit(key, row.glance, into: &sink)
                }
                switch step {
                case .next: index += 1
                case .stop: return listing.next
                case .seek(let target):
                    while index < page.rows.count,
                        page.rows[index].key.lexicographicallyPrecedes(target)
                    { index += 1 }
                    if let next = from, next.lexicographicallyPrecedes(target) { from = target }
                }
            }
        }
        return nil
    }
}

/// One page of a listing on its way through a bucket's rows.
struct Listing {
    let prefix: [UInt8]
    let delimiter: [UInt8]
    let limit: Int
    let rowsMax: Int
    var count = 0
    var rows = 0
    /// The last key or folded prefix given to the sink.
    var last: [UInt8] = []
    var next: [UInt8]?
    var isDamaged = false

    init(prefix: [UInt8], delimiter: [UInt8], limit: Int, rowsMax: Int) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.limit = limit
        self.rowsMax = rowsMax
    }

    /// The first key that can be on the page; nil where none can.
    func start(after: [UInt8]) -> [UInt8]? {
        guard !after.isEmpty, !after.lexicographicallyPrecedes(prefix) else { return prefix }
        if isFolded(after) { return Self.successor(of: after) }
        return after + [0]
    }

    /// Whether it is a prefix that a page before this one has folded.
    /// As the owners fold.
    private func fold(_ key: UnsafeRawBufferPointer) -> Int? {
        Delimiter(prefix: prefix, delimiter: delimiter).fold(key)
    }

    private func isFolded(_ after: [UInt8]) -> Bool {
        after.starts(with: prefix)
            && after.withUnsafeBytes { fold($0) }.map { $0 == after.count } ?? false
    }

    mutating func visit(
        _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer,
        into sink: inout some ListSink
    ) -> ScanStep {
        guard key.count >= prefix.count, key.prefix(prefix.count).elementsEqual(prefix) else {
            return .stop
        }
        let glance: ObjectGlance
        do throws(CodingError) {
            var reader = try ByteReader.registerValue(ofStored: row)
            glance = try reader.readObjectGlance()
        } catch {
            isDamaged = true
            return .stop
        }
        return visit(key, glance, into: &sink)
    }

    mutating func visit(
        _ key: UnsafeRawBufferPointer, _ glance: ObjectGlance, into sink: inout some ListSink
    ) -> ScanStep {
        rows += 1
        guard case .visible(let summary) = glance else {
            return rows < rowsMax ? .next : cut(behind: key)
        }
        guard count < limit else {
            next = last
            return .stop
        }
        count += 1
        if let end = fold(key) {
            let folded = UnsafeRawBufferPointer(rebasing: key[..<end])
            sink.prefix(folded)
            last = Array(folded)
            return Self.successor(of: last).map { .seek($0) } ?? .stop
        }
        sink.object(key: key, summary: summary)
        if count == limit { last = Array(key) }
        return rows < rowsMax ? .next : cut(behind: key)
    }

    /// Enough rows were looked at; the next page begins behind this one.
    private mutating func cut(behind key: UnsafeRawBufferPointer) -> ScanStep {
        next = Array(key)
        return .stop
    }

    /// The first key behind all keys with this prefix; nil where there is none.
    static func successor(of prefix: [UInt8]) -> [UInt8]? {
        var key = prefix
        while let byte = key.last {
            if byte < .max {
                key[key.count - 1] = byte + 1
                return key
            }
            key.removeLast()
        }
        return nil
    }
}
