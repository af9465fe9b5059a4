public import VortexCore

/// Whether a bucket keeps versions: a setting, which every owner knows of before it is
/// acknowledged, so that no gateway that has not heard of it overwrites a version.
extension ClusterNode {
    /// Where the setting is that already it is told to the owners once more: who set it may not
    /// have come to it.
    public func setVersioning(
        bucket name: String, _ versioning: Versioning
    ) async throws(ClusterError) {
        try await announce(
            try await changeRow(ofBucket: name) { (row) throws(ClusterError) in
                row.versioning = versioning
            })
    }

    /// True for all writes from now on: a change that was cut short is told to the owners first.
    public func versioning(bucket name: String) async throws(ClusterError) -> Versioning {
        let row = try await bucketRow(name)
        if row.generation > 1, !knownBuckets.isAnnounced(row.id, row.generation) {
            try await announce(row)
        }
        return row.versioning
    }
}

extension BucketInfo {
    /// It keeps versions, or has.
    public var isVersioned: Bool { versioning != .off }
}
