internal import VortexCore

/// From bucket and key to the row of the object.
extension ClusterNode {
    /// The row of an object. Keys have 1 to 1,024 bytes; which of them are text is the gateway's
    /// matter.
    static func row(
        _ bucket: BucketInfo, _ key: [UInt8]
    ) throws(ClusterError) -> RowKey {
        guard !key.isEmpty, key.count <= Limits.keyBytesMax else { throw .invalidKey }
        return RowKey(bucket: bucket.id, key: key)
    }

    /// What is there, or the empty row that stands for nothing.
    static func object(_ content: RowContent) throws(ClusterError) -> ObjectRow {
        switch content {
        case .object(let row): row
        case .nothing: ObjectRow(generation: 0)
        case .bucket, .accessKey, .part, .upload: throw .damaged
        }
    }

    func readObject(
        _ key: RowKey, generation: UInt64? = nil
    ) async throws(ClusterError) -> ObjectRow {
        try Self.object(
            try await coordinator.read(key, generation: view.isAlone ? nil : generation))
    }
}
