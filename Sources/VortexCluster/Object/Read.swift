public import VortexCore
internal import VortexStore

/// Reading an object: its row says which version is there, and the version where the bytes are.
extension ClusterNode {
    /// The visible version; linearizable.
    public func head(bucket: String, key: [UInt8]) async throws(ClusterError) -> ObjectVersion {
        let version = try await find(bucket: bucket, key: key, version: nil).version
        guard !version.isMarker else { throw .noSuchObject }
        return version
    }

    /// The version of that name, or the newest one; it may be a delete marker. Linearizable.
    public func find(
        bucket: String, key: [UInt8], version name: VersionName?
    ) async throws(ClusterError) -> FoundVersion {
        try await reading(bucket) { (info) async throws(ClusterError) -> FoundVersion in
            let row = try await self.readObject(
                try Self.row(info, key), generation: info.generation)
            guard let name else {
                guard let newest = row.newest else { throw .noSuchObject }
                return FoundVersion(version: newest, isVersioned: info.isVersioned)
            }
            guard let index = row.index(of: name) else { throw .noSuchVersion }
            return FoundVersion(version: row.versions[index], isVersioned: info.isVersioned)
        }
    }

    /// The bytes of a version that `head` or `find` gave. They stay readable for a while after the
    /// version was replaced or deleted (`ClusterOptions.collectDelayMilliseconds`).
    public func reader(
        for version: ObjectVersion, bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> ObjectReader {
        var row: RowKey?
        if case .row = version.body {
            row = try Self.row(try await bucketForReading(bucket), key)
        }
        return try await ObjectReader(
            chunks: chunks, size: version.size, body: version.body, row: row)
    }
}

/// The bytes of one version, verified block by block as they are read.
public final class ObjectReader: Sendable {
    public let size: UInt64
    private let chunks: Chunks
    private let extents: [Extent]
    /// Where each extent ends in the object.
    private let ends: [UInt64]
    /// Of a body that lives with its row.
    private let row: RowKey?
    /// Of a body that is one chunk and here: found once.
    private let only: StoredChunk?

    init(chunks: Chunks, size: UInt64, body: Body, row: RowKey?) async throws(ClusterError) {
        self.chunks = chunks
        self.size = size
        self.row = row
        switch body {
        case .empty: extents = []
        case .row(let blob): extents = [Extent(blob: blob, length: size)]
        case .spread(let all): extents = all
        }
        var end: UInt64 = 0
        var ends: [UInt64] = []
        for extent in extents {
            end += extent.length
            ends.append(end)
        }
        guard end == size else { throw .damaged }
        self.ends = ends
        guard extents.count == 1, let first = extents.first, first.chunks == 1 else {
            only = nil
            return
        }
        only = try chunks.local(ChunkID(blob: first.blob, index: 0))
    }

    /// Fills all of `buffer` from `offset` on, less only at the end; returns how much.
    public func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int {
        guard offset < size else { return 0 }
        let wanted = Int(min(UInt64(buffer.count), size - offset))
        var done = 0
        while done < wanted {
            let piece = piece(at: offset + UInt64(done))
            let count = min(wanted - done, piece.length - piece.start)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            if try await !readLocal(piece, target) {
                try await chunks.read(
                    piece.chunk, length: piece.length, start: piece.start, row: row, into: target)
            }
            done += count
        }
        return done
    }

    private func readLocal(
        _ piece: Piece, _ target: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Bool {
        guard let only, only.length == piece.length else { return false }
        return await chunks.readLocal(only, piece.start..<piece.start + target.count, target)
    }

    private struct Piece {
        var chunk: ChunkID
        var length: Int
        /// Of the byte asked for, within the chunk.
        var start: Int
    }

    /// The chunk that holds a byte of the object.
    private func piece(at offset: UInt64) -> Piece {
        var low = 0
        var high = ends.count - 1
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > offset { high = middle } else { low = middle + 1 }
        }
        let extent = extents[low]
        let within = offset - (ends[low] - extent.length)
        let chunkBytes = UInt64(extent.chunkBytes)
        let index = within / chunkBytes
        let length = min(chunkBytes, extent.length - index * chunkBytes)
        return Piece(
            chunk: ChunkID(blob: extent.blob, index: UInt32(index)), length: Int(length),
            start: Int(within - index * chunkBytes))
    }
}
