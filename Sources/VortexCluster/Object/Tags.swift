public import VortexCore

/// An object's tags: changed in its row, by a change like any other, without a new version.
extension ClusterNode {
    /// Returns the version that has them now; its bytes, tag and time stay.
    @discardableResult
    public func setTags(
        bucket: String, key: [UInt8], tags: [ObjectTag]
    ) async throws(ClusterError) -> ObjectVersion {
        try await writing(bucket) { (info) async throws(ClusterError) -> ObjectVersion in
            let change = Coordinator.Change(
                key: try Self.row(info, key), id: self.newChange(), generation: info.generation)
            return try await self.coordinator.change(change) {
                (found) throws(ClusterError) -> Coordinator.Computed<ObjectVersion> in
                var row = try Self.object(found)
                guard var version = row.visible else { throw .noSuchObject }
                guard version.attributes.tags != tags else { return .nothing(.success(version)) }
                version.attributes.tags = tags
                row.versions[0] = version
                row.generation = max(row.generation, info.generation)
                return .write(.object(row), bodies: [], version)
            }
        }
    }
}
