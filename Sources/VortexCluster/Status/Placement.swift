internal import VortexCore
internal import VortexStore

/// Redundancy that can be checked: which copies there are, from reading them.
extension ClusterNode {
    /// Chunks in one report, and how many of them are read for it.
    static let placementChunksMax = 1_000
    static let placementReadsMax = 64

    /// Where an object's bytes are. The first chunks are read and verified for this very report, so
    /// that it says what is, and not what once was written.
    public func placement(
        bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> PlacementReport {
        let info = try await self.bucket(bucket)
        let rowKey = try Self.row(info, key)
        guard let version = try await readObject(rowKey).visible else { throw .noSuchObject }
        let ring = layout.ring
        var report = PlacementReport(
            version: version, partition: ring.partition(of: rowKey).value,
            rowOwners: layout.rowOwners(of: ring.partition(of: rowKey)),
            wantedCopies: Int(version.policy), chunkCount: 0, chunks: [])
        let extents: [Extent] =
            switch version.body {
            case .empty: []
            case .row(let blob): [Extent(blob: blob, length: version.size)]
            case .spread(let extents): extents
            }
        report.chunkCount = extents.reduce(0) { $0 + $1.chunks }
        for extent in extents {
            for index in 0..<extent.chunks where report.chunks.count < Self.placementChunksMax {
                let id = ChunkID(blob: extent.blob, index: UInt32(index))
                let partition =
                    version.body == .row(extent.blob)
                    ? ring.partition(of: rowKey) : ring.partition(of: id)
                let start = index * UInt64(extent.chunkBytes)
                let length = min(UInt64(extent.chunkBytes), extent.length - start)
                var copies: [ChunkCopy] = []
                for owner in view[partition].quorum.owners {
                    let isRead = report.chunks.count < Self.placementReadsMax
                    copies.append(await copy(of: id, Int(length), at: owner, isRead: isRead))
                }
                report.chunks.append(
                    ChunkPlacement(
                        chunk: id, length: length, partition: partition.value, copies: copies))
            }
        }
        return report
    }

    /// One owner's copy, read and verified there where `isRead`.
    private func copy(
        of id: ChunkID, _ length: Int, at owner: NodeID, isRead: Bool
    ) async -> ChunkCopy {
        let owning = coordinator.anOwner(owner)
        func copy(_ state: ChunkCopy.State, _ moment: UInt64? = nil) -> ChunkCopy {
            ChunkCopy(node: owner, state: state, verifiedMilliseconds: moment)
        }
        guard isRead else {
            switch await owning.lengths(of: [id]) {
            case .success([length]): return copy(.notRead)
            case .success: return copy(.missing)
            case .failure: return copy(.unreachable)
            }
        }
        switch await owning.chunk(id, 0..<length) {
        case .success(.some): return copy(.verified, now)
        case .success(nil): return copy(.missing)
        case .failure(.damaged): return copy(.damaged)
        case .failure: return copy(.unreachable)
        }
    }
}
