public import VortexCore

/// One node's disk: rows, chunks, notes. Writes are journaled, fdatasynced together with whatever else
/// waits (group commit), applied to the index, and only then return. Reads see what has been applied.

public enum StoreError: Error, Equatable, Sendable {
    case disk(DiskError)
    /// The journal or the index failed; nothing more will be written by this process.
    case stopped
    /// Writes are refused before the disk is full; deletes (`purge`, `delete`, tombstones) are not.
    case full(availableBytes: UInt64)
    /// Bytes on disk that do not verify; another owner may have them.
    case damaged(segment: UInt32, offset: UInt64)
    case notFound
    /// The index library's own error.
    case index
    case coding(CodingError)
    case refused(OpenRefusal)
}

/// Why a data directory is not opened; nothing in it has been changed.
public enum OpenRefusal: Error, Equatable, Sendable {
    case locked
    case formatTooNew(found: UInt32, supported: UInt32)
    case foreignFormat
    case foreignCluster(found: ClusterID, expected: ClusterID)
    case missingSegment(UInt32)
    case indexNewerThanJournal(index: UInt64, journal: UInt64)
}

/// Where bytes lie in the journal.
public struct Location: Hashable, Sendable {
    public var segment: UInt32
    /// Of the record, from the segment's start.
    public var offset: UInt32
    /// Payload bytes.
    public var length: UInt32
    /// The record's journal position, kept through compaction.
    public var position: UInt64
    public init(segment: UInt32, offset: UInt32, length: UInt32, position: UInt64) {
        self.segment = segment
        self.offset = offset
        self.length = length
        self.position = position
    }
}

/// A row as its owner holds it.
public struct StoredRow: Hashable, Sendable {
    public var partition: UInt16
    /// The partition's `since` under which it was written; another one means the row is as good as gone.
    public var since: Epoch
    public var accepted: Ballot
    public var value: RegisterValue
    public init(partition: UInt16, since: Epoch, accepted: Ballot, value: RegisterValue) {
        self.partition = partition
        self.since = since
        self.accepted = accepted
        self.value = value
    }
}

/// A chunk to store: its bytes, their block checksums as the gateway computed them, and the row that
/// owns its blob.
public struct ChunkWrite: Sendable {
    public var id: ChunkID
    public var owner: RowKey
    public var receivedMilliseconds: UInt64
    /// `CRC32C.blocks(of:chunk:)` of `buffer`.
    public var checksums: [UInt32]
    public var buffer: ChunkBuffer
    public init(
        id: ChunkID, owner: RowKey, receivedMilliseconds: UInt64, checksums: [UInt32],
        buffer: ChunkBuffer
    ) {
        self.id = id
        self.owner = owner
        self.receivedMilliseconds = receivedMilliseconds
        self.checksums = checksums
        self.buffer = buffer
    }
}

/// A chunk opened for reading; its segment stays until the last reader has left.
public struct StoredChunk: Sendable {
    public let id: ChunkID
    public let length: Int
    let location: Location
}
