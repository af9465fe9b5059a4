internal import VortexCore
internal import VortexStore

extension ClusterNode {
    /// Chunks in one report, and how many of them are read for it.
    static let placementChunksMax = 1_000
    static let placementReadsMax = 64

    /// Where an object's bytes are. The first chunks are read and verified for this very report, so
    /// that it says what is, and not what once was written.
    public func placement(
        bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> PlacementReport {
        let info = try bucketForReading(bucket)
        let rowKey = try Self.row(info, key)
        guard let version = try readObject(rowKey).visible else { throw .noSuchObject }
        var report = PlacementReport(
            version: version, partition: layout.ring.partition(of: rowKey).value,
            rowOwners: layout.rowOwners(of: layout.ring.partition(of: rowKey)),
            wantedCopies: Int(version.policy), chunkCount: 0, chunks: [])
        let extents: [Extent] =
            switch version.body {
            case .empty: []
            case .row(let blob): [Extent(blob: blob, length: version.size)]
            case .spread(let extents): extents
            }
        report.chunkCount = extents.reduce(0) { $0 + $1.chunks }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Limits.chunkBytes, alignment: 4_096)
        defer { buffer.deallocate() }
        for extent in extents {
            for index in 0..<extent.chunks where report.chunks.count < Self.placementChunksMax {
                let id = ChunkID(blob: extent.blob, index: UInt32(index))
                let isRead = report.chunks.count < Self.placementReadsMax
                let copy = try await copy(of: id, reading: isRead ? buffer : nil)
                let start = index * UInt64(extent.chunkBytes)
                report.chunks.append(
                    ChunkPlacement(
                        chunk: id, length: min(UInt64(extent.chunkBytes), extent.length - start),
                        partition: version.body == .row(extent.blob)
                            ? report.partition : layout.ring.partition(of: id).value,
                        copies: [copy]))
            }
        }
        return report
    }

    /// This node's copy; read and verified where there is a buffer for it.
    private func copy(
        of id: ChunkID, reading buffer: UnsafeMutableRawBufferPointer?
    ) async throws(ClusterError) -> ChunkCopy {
        do throws(StoreError) {
            guard let chunk = try store.chunk(id) else {
                return ChunkCopy(node: node, state: .missing, verifiedMilliseconds: nil)
            }
            guard let buffer else {
                return ChunkCopy(node: node, state: .notRead, verifiedMilliseconds: nil)
            }
            try await store.read(
                chunk, range: 0..<chunk.length,
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.length]))
            return ChunkCopy(node: node, state: .verified, verifiedMilliseconds: now)
        } catch .damaged {
            return ChunkCopy(node: node, state: .damaged, verifiedMilliseconds: nil)
        } catch .notFound {
            return ChunkCopy(node: node, state: .missing, verifiedMilliseconds: nil)
        } catch { throw ClusterError(error) }
    }
}
