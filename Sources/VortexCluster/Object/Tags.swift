public import VortexCore

/// An object's tags: changed in its row, by a change like any other, without a new version.
extension ClusterNode {
    /// Of the visible version, or of the one of that name. Returns the version that has them now;
    /// its bytes, tag and time stay.
    @discardableResult
    public func setTags(
        bucket: String, key: [UInt8], version name: VersionName? = nil, tags: [ObjectTag]
    ) async throws(ClusterError) -> FoundVersion {
        try await writing(bucket) { (info) async throws(ClusterError) -> FoundVersion in
            let change = Coordinator.Change(
                key: try Self.row(info, key), id: self.newChange(), generation: info.generation)
            return try await self.coordinator.change(change) {
                (found) throws(ClusterError) -> Coordinator.Computed<FoundVersion> in
                var row = try Self.object(found)
                guard let index = name.map({ row.index(of: $0) }) ?? (row.visible.map { _ in 0 })
                else { throw name == nil ? .noSuchObject : .noSuchVersion }
                var version = row.versions[index]
                // A delete marker has none.
                guard !version.isMarker, version.attributes.tags != tags else {
                    return .nothing(
                        .success(
                            FoundVersion(version: version, isVersioned: info.isVersioned)))
                }
                version.attributes.tags = tags
                row.versions[index] = version
                row.generation = max(row.generation, info.generation)
                return .write(
                    .object(row), bodies: [],
                    FoundVersion(version: version, isVersioned: info.isVersioned))
            }
        }
    }
}
