public import VortexCore
public import VortexStore

/// What the procedures of a node answer with.

public struct BucketInfo: Hashable, Sendable {
    public var name: String
    public var id: BucketID
    public var createdMilliseconds: UInt64
    public var generation: UInt64
    public var versioning: Versioning
    public init(
        name: String, id: BucketID, createdMilliseconds: UInt64, generation: UInt64,
        versioning: Versioning
    ) {
        self.name = name
        self.id = id
        self.createdMilliseconds = createdMilliseconds
        self.generation = generation
        self.versioning = versioning
    }
}

/// An Idempotency-Key and the request that it came with. `put` adds the body's digest.
public struct IdempotencyKey: Hashable, Sendable {
    public var keyHash: Digest128
    /// Of method, path and condition.
    public var requestHash: Digest128
    public init(keyHash: Digest128, requestHash: Digest128) {
        self.keyHash = keyHash
        self.requestHash = requestHash
    }
}

public struct PutResult: Hashable, Sendable {
    /// Of a replayed answer only id, size, tag and time are known.
    public var version: ObjectVersion
    /// Nothing was visible before: 201 instead of 200.
    public var created: Bool
    /// The first answer to this idempotency key, given again; nothing was written.
    public var replayed: Bool
    /// The bucket keeps versions, or has.
    public var isVersioned = false
    public init(version: ObjectVersion, created: Bool, replayed: Bool) {
        self.version = version
        self.created = created
        self.replayed = replayed
    }
}

/// A version as it was found; perhaps a delete marker.
public struct FoundVersion: Hashable, Sendable {
    public var version: ObjectVersion
    /// The bucket keeps versions, or has.
    public var isVersioned: Bool
    public init(version: ObjectVersion, isVersioned: Bool) {
        self.version = version
        self.isVersioned = isVersioned
    }
}

public struct DeleteResult: Hashable, Sendable {
    public var existed: Bool
    public var replayed: Bool
    /// The delete marker that was made, or the version that was to be removed; nil where the bucket
    /// keeps no versions.
    public var version: VersionName?
    /// Whether that is, or was, a delete marker.
    public var isMarker: Bool
    public init(
        existed: Bool, replayed: Bool, version: VersionName? = nil, isMarker: Bool = false
    ) {
        self.existed = existed
        self.replayed = replayed
        self.version = version
        self.isMarker = isMarker
    }
}

/// Takes a listing as it is found, in byte order of keys; the pointers are valid during the call
/// only.
public protocol ListSink {
    mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary)
    mutating func prefix(_ prefix: UnsafeRawBufferPointer)
}

public struct UploadInfo: Hashable, Sendable {
    public var id: UploadID
    public var bucket: String
    public var key: [UInt8]
    /// Durable so far: the offset at which an append goes on.
    public var bytes: UInt64
    public var startedMilliseconds: UInt64
    public var lastProgressMilliseconds: UInt64
    public var bytesPerSecond: Double
    /// False: a plain PUT in progress on this node.
    public var resumable: Bool
    public var expectedBytes: UInt64?
    public init(
        id: UploadID, bucket: String, key: [UInt8], bytes: UInt64, startedMilliseconds: UInt64,
        lastProgressMilliseconds: UInt64, bytesPerSecond: Double, resumable: Bool,
        expectedBytes: UInt64?
    ) {
        self.id = id
        self.bucket = bucket
        self.key = key
        self.bytes = bytes
        self.startedMilliseconds = startedMilliseconds
        self.lastProgressMilliseconds = lastProgressMilliseconds
        self.bytesPerSecond = bytesPerSecond
        self.resumable = resumable
        self.expectedBytes = expectedBytes
    }
}

public struct NodeStatus: Sendable {
    public var cluster: ClusterID
    public var node: NodeID
    public var boot: UInt32
    public var epoch: Epoch
    public var partitions: Int
    public var members: Int
    public var startedMilliseconds: UInt64
    /// Bodies being received right now.
    public var activeUploads: Int
    /// Changes that wait for another change of the same key.
    public var waitingChanges: Int
    public var bufferBytes: Int
    public var bufferLimitBytes: Int
    /// Blobs removed by the collector since the start.
    public var collectedBlobs: UInt64
    public var usage: StoreUsage
    /// What the journal's damage may hide, others have told again.
    var isHealed: Bool
}

/// What is known of one copy of a chunk.
public struct ChunkCopy: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        case verified, damaged, missing, notRead, unreachable
    }
    public var node: NodeID
    public var state: State
    /// When its bytes were last read and matched their checksums; nil where that has not been.
    public var verifiedMilliseconds: UInt64?
}

public struct ChunkPlacement: Hashable, Sendable {
    public var chunk: ChunkID
    public var length: UInt64
    public var partition: UInt16
    public var copies: [ChunkCopy]
}

/// Where an object's bytes are, as found by reading them for this very report.
public struct PlacementReport: Sendable {
    public var version: ObjectVersion
    public var partition: UInt16
    public var rowOwners: [NodeID]
    /// How many copies the policy asks for, and there can be with the nodes there are.
    public var wantedCopies: Int
    public var chunkCount: UInt64
    /// The first `placementChunksMax` ones.
    public var chunks: [ChunkPlacement]
}
