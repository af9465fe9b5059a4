public import VortexCore

/// Access keys are rows of a reserved bucket, under their ids: linearizable like any other row, and
/// on as many nodes. What is in them, the gateway knows; the cluster keeps their secrets sealed.
extension ClusterNode {
    /// One key as it is kept.
    public struct StoredAccessKey: Hashable, Sendable {
        public var id: String
        public var row: AccessKeyRow
    }

    private static func key(_ id: String) throws(ClusterError) -> RowKey {
        guard (1...AccessKeyRow.idBytesMax).contains(id.utf8.count) else { throw .invalidKey }
        return RowKey(bucket: .accessKeys, key: Array(id.utf8))
    }

    private static func row(_ content: RowContent) -> AccessKeyRow? {
        if case .accessKey(let row) = content { row } else { nil }
    }

    /// Nil where there is none, or no longer.
    public func accessKey(_ id: String) async throws(ClusterError) -> AccessKeyRow? {
        Self.row(try await coordinator.read(try Self.key(id)))
    }

    /// Applies `compute` to the key's row: nil is none. Gives back what is there afterwards; a
    /// throw of `compute` leaves it as it was.
    @discardableResult
    public func changeAccessKey(
        _ id: String,
        _ compute: (AccessKeyRow?) throws(ClusterError) -> AccessKeyRow?
    ) async throws(ClusterError) -> AccessKeyRow? {
        try await coordinator.change(.init(key: try Self.key(id), id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<AccessKeyRow?> in
            let old = Self.row(found)
            let new = try compute(old)
            guard new != old else { return .nothing(.success(new)) }
            return .write(new.map { .accessKey($0) } ?? .nothing, bodies: [], new)
        }
    }

    /// In order of ids, behind `after`; `next` goes in as `after` for the next page.
    public func accessKeys(after: String?, limit: Int) async throws(ClusterError)
        -> (keys: [StoredAccessKey], next: String?)
    {
        var found: [StoredAccessKey] = []
        var from: [UInt8]? = after.map { Array($0.utf8) + [0] } ?? []
        while let start = from {
            var question = ListQuestion(
                bucket: .accessKeys, generation: .max, from: start, prefix: [], delimiter: [],
                limit: min(Limits.listPageMax, max(limit, 1) + 1))
            question.wantsValues = true
            let page = try await rows(question)
            for row in page.rows {
                guard let value = row.value, !value.isTombstone else { continue }
                let key = RowKey(bucket: .accessKeys, key: row.key)
                guard let content = Self.row(try Coordinator.content(value, of: key)) else {
                    throw .damaged
                }
                guard found.count < max(limit, 1) else { return (found, found.last?.id) }
                found.append(
                    StoredAccessKey(id: String(decoding: row.key, as: UTF8.self), row: content))
            }
            from = page.next
        }
        return (found, nil)
    }
}
