public import VortexCore

/// What changes a store. Every call returns when its change is durable and readable, or throws:
/// `full` and `stopped` mean that nothing happened; an error from the writer itself ends the
/// process.
extension Store {
    /// Journals a row as accepted (or installed), with the bodies that live with it, in one batch.
    public func accept(
        _ key: RowKey, row: StoredRow, bodies: [ChunkWrite], effects: RowEffects
    ) async throws(StoreError) {
        guard row.value.content.count <= Limits.rowBytesMax,
            effects.unnamed.count <= RowEffects.unnamedMax
        else { throw .coding(.outOfRange(UInt64(row.value.content.count))) }
        var items = bodies.map(item)
        items.append(.init(record: .row(key, row, effects), data: nil, position: nil))
        try await queue.submit(items, isPrivileged: bodies.isEmpty)
    }

    /// Removes a tombstone's row and durably raises its partition's horizon (register-protocol.md,
    /// rule 8).
    public func purge(
        _ key: RowKey, partition: UInt16, horizon: Ballot
    ) async throws(StoreError) {
        let record = Record.purge(key, partition: partition, horizon: horizon, origin: .max)
        try await submit(record)
    }

    public func setNote(_ name: String, _ value: [UInt8]) async throws(StoreError) {
        guard name.utf8.count <= 256, value.count <= Limits.rowBytesMax else {
            throw .coding(.outOfRange(UInt64(value.count)))
        }
        try await submit(.note(name, value))
    }

    public func put(_ chunk: ChunkWrite) async throws(StoreError) {
        try await queue.submit([item(chunk)], isPrivileged: false)
    }

    /// A delete record: the blob's chunks are gone, and copies that arrive later stay away.
    public func collect(_ unnamed: UnnamedBlob, milliseconds: UInt64) async throws(StoreError) {
        try await submit(
            .delete(
                unnamed.blob, milliseconds: milliseconds,
                unnamedSince: unnamed.sinceMilliseconds, origin: .max))
    }

    /// A row names the blob after all: it is no candidate any more. Not journaled: a candidate that
    /// replay brings back is looked at once more.
    public func keep(_ unnamed: UnnamedBlob) async throws(StoreError) {
        var batch = IndexBatch()
        batch.delete(IndexKey.unnamed(unnamed.sinceMilliseconds, unnamed.blob))
        do throws(IndexError) { try index.write(batch) } catch { throw .index }
    }

    private func submit(_ record: Record) async throws(StoreError) {
        try await queue.submit(
            [.init(record: record, data: nil, position: nil)], isPrivileged: true)
    }

    private func item(_ chunk: ChunkWrite) -> JournalQueue.Submission.Item {
        precondition(chunk.buffer.count > 0 && chunk.buffer.count <= Limits.chunkBytes)
        return .init(
            record: .chunk(
                chunk.id, owner: chunk.owner,
                receivedMilliseconds: chunk.receivedMilliseconds, checksums: chunk.checksums),
            data: chunk.buffer, position: nil)
    }
}
