public import VortexCore
internal import VortexStore

extension ClusterNode {
    /// The visible version; linearizable.
    public func head(bucket: String, key: [UInt8]) async throws(ClusterError) -> ObjectVersion {
        let info = try bucketForReading(bucket)
        guard let version = try readObject(try Self.row(info, key)).visible else {
            throw .noSuchObject
        }
        return version
    }

    /// The bytes of a version that `head` gave. They stay readable for a while after the version
    /// was replaced or deleted (`ClusterOptions.collectDelayMilliseconds`).
    public func reader(
        for version: ObjectVersion, bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> ObjectReader {
        try ObjectReader(store: store, size: version.size, body: version.body)
    }
}

/// The bytes of one version, verified block by block as they are read.
public final class ObjectReader: Sendable {
    public let size: UInt64
    private let store: Store
    private let extents: [Extent]
    /// Where each extent ends in the object.
    private let ends: [UInt64]
    /// Of a body that is one chunk: found once.
    private let only: StoredChunk?

    init(store: Store, size: UInt64, body: Body) throws(ClusterError) {
        self.store = store
        self.size = size
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
        do throws(StoreError) {
            only = try store.chunk(ChunkID(blob: first.blob, index: 0))
        } catch { throw ClusterError(error) }
        if only == nil { throw .damaged }
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
            do throws(StoreError) {
                var found = only
                if found == nil { found = try store.chunk(piece.chunk) }
                guard let chunk = found, chunk.length == piece.length else { throw .notFound }
                try await store.read(
                    chunk, range: piece.start..<piece.start + count,
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]))
            } catch { throw ClusterError(error) }
            done += count
        }
        return done
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
