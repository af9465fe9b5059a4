public import VortexCore

/// What goes into the store and comes out of it, and how that fails.

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

/// A row as its owner holds it.
public struct StoredRow: Hashable, Sendable {
    public var partition: UInt16
    /// The partition's `since` under which it was written; another one means the row is as good as
    /// gone.
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

/// A chunk to store: its bytes, their block checksums as the gateway computed them, and the row
/// that owns its blob.
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

/// What a change of a row means for the rest of the store. The row's owner knows the old content
/// and the new; the store does not look inside.
public struct RowEffects: Hashable, Sendable {
    /// Blobs that one change may unname: every body and upload of a row, and a completed upload's
    /// parts.
    public static let unnamedMax = 65_536

    /// When the change was made.
    public var milliseconds: UInt64
    /// Blobs that the old value named and the new one does not: candidates for collecting.
    public var unnamed: [BlobID]
    /// What the row holds from now on (not the difference): visible objects, and the bytes of all
    /// versions.
    public var objects: UInt32
    public var bytes: UInt64
    public init(milliseconds: UInt64, unnamed: [BlobID], objects: UInt32, bytes: UInt64) {
        self.milliseconds = milliseconds
        self.unnamed = unnamed
        self.objects = objects
        self.bytes = bytes
    }
}

/// A blob that a row has stopped naming.
public struct UnnamedBlob: Hashable, Sendable {
    public var blob: BlobID
    /// The row that named it.
    public var owner: RowKey
    public var sinceMilliseconds: UInt64
    public init(blob: BlobID, owner: RowKey, sinceMilliseconds: UInt64) {
        self.blob = blob
        self.owner = owner
        self.sinceMilliseconds = sinceMilliseconds
    }
}

/// A chunk opened for reading; its segment stays until the last reader has left.
public struct StoredChunk: Sendable {
    public let id: ChunkID
    public let length: Int
    let entry: ChunkEntry
}
