internal import VortexCore
internal import VortexStore

/// The parts of an upload, in order. The row of a part names its blob before the first
/// chunk is stored; how much of it arrived, the durable chunks themselves say.
extension ClusterNode {
    struct Part: Sendable {
        var key: RowKey
        var number: UInt32
        var row: PartRow
    }

    /// The parts there are; of an appended one whose writer crashed, with the durable length.
    func parts(of upload: FoundUpload) async throws(ClusterError) -> [Part] {
        var parts: [Part] = []
        for (key, number, content) in try await partRows(of: upload.id) {
            guard case .part(var row) = content else { continue }
            if row.digest == nil {
                guard !upload.row.isNumbered else { continue }
                row.extent.length = try await durableBytes(of: row.extent.blob, key)
            }
            parts.append(Part(key: key, number: number, row: row))
        }
        return parts
    }

    /// The rows, tombstones among them.
    func partRows(
        of id: UploadID
    ) async throws(ClusterError) -> [(key: RowKey, number: UInt32, content: RowContent)] {
        var parts: [(key: RowKey, number: UInt32, content: RowContent)] = []
        for row in try await rows(of: id) {
            guard case .part(_, let number) = row.key.kind else { continue }
            parts.append((row.key, number, try Coordinator.content(row.value, of: row.key)))
        }
        return parts
    }

    /// The unbroken run of chunks from the first one on that a majority of their owners has.
    private func durableBytes(
        of blob: BlobID, _ key: RowKey
    ) async throws(ClusterError) -> UInt64 {
        var bytes: UInt64 = 0
        for index in UInt32(0)... {
            let length = try await chunks.durableLength(
                ChunkID(blob: blob, index: index), of: key)
            bytes += UInt64(length)
            if length < Limits.chunkBytes { break }
        }
        return bytes
    }

    /// Finishes parts whose writer crashed: reads what is durable once, for its digest.
    func finishParts(of upload: FoundUpload) async throws(ClusterError) -> [Part] {
        var parts = try await parts(of: upload)
        for index in parts.indices where parts[index].row.digest == nil {
            let extent = parts[index].row.extent
            let digest = try await digest(of: extent)
            parts[index].row = try await setPart(
                parts[index].key,
                PartRow(extent: extent, digest: digest, changedMilliseconds: now), isFirst: true)
        }
        return parts.filter { $0.row.extent.length > 0 }
    }

    private func digest(of extent: Extent) async throws(ClusterError) -> Digest128 {
        var hash = XXH3.Stream()
        try await readThrough(Body.spread([extent]), size: extent.length) { hash.update($0) }
        return hash.digest()
    }

    /// Lends all bytes of a body in order, a chunk at a time.
    func readThrough(
        _ body: Body, size: UInt64, _ visit: (UnsafeRawBufferPointer) -> Void
    ) async throws(ClusterError) {
        let reader = try await ObjectReader(chunks: chunks, size: size, body: body, row: nil)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Limits.chunkBytes, alignment: 4_096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let count = try await reader.read(at: offset, into: buffer)
            visit(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }

    /// Writes the part's row; one that was removed (the upload is over) stays removed. `isFirst`:
    /// and one that its writer has finished meanwhile stays as it is.
    @discardableResult
    func setPart(
        _ key: RowKey, _ row: PartRow, isFirst: Bool = false
    ) async throws(ClusterError) -> PartRow {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<PartRow> in
            guard case .part(let old) = found else { throw .uploadExpired }
            if isFirst, old.digest != nil { return .nothing(.success(old)) }
            return .write(.part(row), bodies: [], row)
        }
    }

    func createPart(_ key: RowKey, _ row: PartRow) async throws(ClusterError) {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard found == .nothing else { throw .uploadBusy }
            return .write(.part(row), bodies: [], ())
        }
    }

    func removePart(_ key: RowKey) async throws(ClusterError) {
        try await coordinator.change(.init(key: key, id: newChange())) {
            (found) throws(ClusterError) -> Coordinator.Computed<Void> in
            guard found != .nothing else { return .nothing(.success(())) }
            return .write(.nothing, bodies: [], ())
        }
    }
}
