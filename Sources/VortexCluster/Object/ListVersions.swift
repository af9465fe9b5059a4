public import VortexCore
internal import VortexStore

/// Listing all versions of a bucket's objects: in order of keys, of one key the newest first.
extension ClusterNode {
    /// Behind what a page begins.
    public struct VersionMarker: Hashable, Sendable {
        /// Behind all versions of this key, or of the keys that this prefix has folded.
        public var key: [UInt8]
        /// Only behind these of its versions.
        public var place: Place?

        public enum Place: Hashable, Sendable {
            /// Where a client names one. All are listed where it is gone.
            case version(VersionName)
            /// Those that are as new as this or newer: true also of what has been deleted since.
            case modified(UInt64)
        }

        public init(key: [UInt8], place: Place?) {
            self.key = key
            self.place = place
        }
    }

    public enum VersionEntry: Hashable, Sendable {
        case version(key: [UInt8], VersionSummary, isNewest: Bool)
        case prefix([UInt8])
    }

    public struct VersionPage: Sendable {
        public var entries: [VersionEntry] = []
        /// Goes in as `after` for the next page; nil at the end.
        public var next: VersionMarker?
        public init() {}
    }

    /// Rows without versions that one page passes, at most: past it the page ends early.
    private static let rowsPerVersionPageMax = 20_000

    /// At most `limit` versions and folded prefixes. An empty delimiter folds nothing.
    public func listVersions(
        bucket: String, prefix: [UInt8], delimiter: [UInt8], after: VersionMarker?, limit: Int
    ) async throws(ClusterError) -> VersionPage {
        var listing = VersionListing(
            folding: Delimiter(prefix: prefix, delimiter: delimiter), after: after,
            limit: max(1, limit), rowsLeft: Self.rowsPerVersionPageMax)
        var from = listing.start
        while let at = from {
            let rows = min(Limits.listPageMax, listing.limit - listing.page.entries.count + 1)
            let page = try await reading(bucket) {
                (info) async throws(ClusterError) -> MergedPage in
                var question = ListQuestion(
                    bucket: info.id, generation: info.generation, from: at, prefix: prefix,
                    delimiter: delimiter, limit: max(2, rows))
                question.wantsVersions = true
                return try await self.rows(question)
            }
            from = page.next
            var skipped: [UInt8]?
            for row in page.rows {
                if let skipped, row.key.lexicographicallyPrecedes(skipped) { continue }
                switch listing.visit(row.key, try Self.object(of: row)) {
                case .next: break
                case .stop: return listing.page
                case .seek(let target):
                    skipped = target
                    if let next = from, next.lexicographicallyPrecedes(target) { from = target }
                }
            }
        }
        return listing.page
    }

    private static func object(of row: ListedRow) throws(ClusterError) -> ObjectRow {
        guard let value = row.value else { throw .damaged }
        return try object(
            try Coordinator.content(
                value, of: RowKey(bucket: BucketID(high: .max, low: .max), key: row.key)))
    }
}

/// One page of versions on its way through a bucket's rows.
private struct VersionListing {
    let folding: Delimiter
    let after: ClusterNode.VersionMarker?
    let limit: Int
    var rowsLeft: Int
    var page = ClusterNode.VersionPage()
    private var last: ClusterNode.VersionMarker?

    init(
        folding: Delimiter, after: ClusterNode.VersionMarker?, limit: Int, rowsLeft: Int
    ) {
        self.folding = folding
        self.after = after
        self.limit = limit
        self.rowsLeft = rowsLeft
    }

    private func fold(_ key: [UInt8]) -> Int? { key.withUnsafeBytes { folding.fold($0) } }

    /// The first key that can be on the page; nil where none can.
    var start: [UInt8]? {
        guard let after, !after.key.lexicographicallyPrecedes(folding.prefix) else {
            return folding.prefix
        }
        if after.key.starts(with: folding.prefix), fold(after.key) == after.key.count {
            return Listing.successor(of: after.key)
        }
        return after.place == nil ? after.key + [0] : after.key
    }

    mutating func visit(_ key: [UInt8], _ row: ObjectRow) -> ScanStep {
        guard key.starts(with: folding.prefix) else { return .stop }
        rowsLeft -= 1
        guard !row.versions.isEmpty else { return rowsLeft > 0 ? .next : cut(behind: key) }
        if let end = fold(key) {
            guard page.entries.count < limit else { return full() }
            let prefix = Array(key[..<end])
            page.entries.append(.prefix(prefix))
            last = .init(key: prefix, place: nil)
            return Listing.successor(of: prefix).map { .seek($0) } ?? .stop
        }
        for index in first(of: row, key)..<row.versions.count {
            guard page.entries.count < limit else { return full() }
            let version = row.versions[index]
            page.entries.append(
                .version(key: key, VersionSummary(version), isNewest: index == 0))
            last = .init(key: key, place: .modified(version.modifiedMilliseconds))
        }
        return rowsLeft > 0 ? .next : cut(behind: key)
    }

    /// Of the key at which the page before this one has ended, behind what that had.
    private func first(of row: ObjectRow, _ key: [UInt8]) -> Int {
        guard let after, after.key == key, let place = after.place else { return 0 }
        switch place {
        case .version(let name): return row.index(of: name).map { $0 + 1 } ?? 0
        case .modified(let time):
            return row.versions.firstIndex { $0.modifiedMilliseconds < time } ?? row.versions.count
        }
    }

    private mutating func full() -> ScanStep {
        page.next = last
        return .stop
    }

    private mutating func cut(behind key: [UInt8]) -> ScanStep {
        page.next = .init(key: key, place: nil)
        return .stop
    }
}
