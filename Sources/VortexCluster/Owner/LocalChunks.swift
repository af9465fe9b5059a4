internal import VortexCore
internal import VortexStore

/// This node's copies of chunks.
extension LocalOwner {
    /// A copy counts only on an owner, at the partition's epoch: looked at before and after, so
    /// that none counts on a node that has since reported that it holds nothing.
    func put(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure? {
        let partition: Partition
        do throws(StoreError) { partition = try home(of: chunk.id, chunk.owner) } catch {
            return OwnerFailure(error)
        }
        let isFenced = !omitted.contains(.chunkFence) && !omitted.contains(.strayEpoch)
        if isFenced, let failure = refusal(partition, epoch) { return failure }
        let counts =
            book.view[partition].isOwner || omitted.contains(.ownerCounts) || !isFenced
        guard counts else { return .notOwner }
        do throws(StoreError) { try await store.put(chunk) } catch { return OwnerFailure(error) }
        return isFenced ? refusal(partition, epoch) : nil
    }

    /// A body is stored whether or not its row comes after all: what no row names is collected.
    func putRowBody(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure? {
        let partition = book.view.ring.partition(of: chunk.owner)
        if let failure = refusal(partition, epoch) { return failure }
        guard book.view[partition].isOwner else { return .notOwner }
        do throws(StoreError) {
            if try store.chunk(chunk.id) == nil { try await store.put(chunk) }
        } catch { return OwnerFailure(error) }
        return refusal(partition, epoch)
    }

    /// Where the chunk belongs: with its row, where the row that is here says so; else on its own
    /// arc.
    func home(of id: ChunkID, _ row: RowKey) throws(StoreError) -> Partition {
        let ring = book.view.ring
        guard id.index == 0, row.kind == .object, let stored = try stored(row),
            stored.value.bodies.contains(id.blob)
        else { return ring.partition(of: id) }
        return ring.partition(of: row)
    }

    /// The row that owns a chunk, from the chunk's own record.
    func origin(of id: ChunkID) async -> Result<RowKey?, OwnerFailure> {
        do throws(StoreError) {
            guard let chunk = try store.chunk(id) else { return .success(nil) }
            return .success(try await store.origin(of: chunk).owner)
        } catch { return .failure(OwnerFailure(error)) }
    }

    func chunk(_ id: ChunkID, _ range: Range<Int>) async -> Result<ChunkBuffer?, OwnerFailure> {
        do throws(StoreError) {
            guard let chunk = try store.chunk(id) else { return .success(nil) }
            guard !range.isEmpty, range.upperBound <= chunk.length else {
                return .failure(.damaged)
            }
            let buffer = ChunkBuffer(capacity: range.count)
            try await store.read(chunk, range: range, into: buffer.unfilled)
            buffer.advance(by: range.count)
            return .success(buffer)
        } catch .notFound {
            return .success(nil)
        } catch { return .failure(OwnerFailure(error)) }
    }

    func lengths(of chunks: [ChunkID]) async -> Result<[Int], OwnerFailure> {
        lengthsNow(of: chunks)
    }

    func lengthsNow(of chunks: [ChunkID]) -> Result<[Int], OwnerFailure> {
        do throws(StoreError) {
            var lengths: [Int] = []
            lengths.reserveCapacity(chunks.count)
            for id in chunks {
                if let chunk = try store.chunk(id) {
                    lengths.append(chunk.length)
                } else {
                    lengths.append(
                        try store.isDeleted(id.blob) ? ChunkLength.deleted : ChunkLength.missing)
                }
            }
            return .success(lengths)
        } catch { return .failure(OwnerFailure(error)) }
    }

    func collect(_ blob: BlobID, milliseconds: UInt64) async -> OwnerFailure? {
        do throws(StoreError) {
            guard try !store.isDeleted(blob) else { return nil }
            try await store.delete(blob, milliseconds: milliseconds)
            return nil
        } catch { return OwnerFailure(error) }
    }
}
