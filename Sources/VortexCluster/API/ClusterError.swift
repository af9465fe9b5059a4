/// Why a procedure gave up. The gateway maps each to one HTTP status, in one place.
public enum ClusterError: Error, Hashable, Sendable {
    case noSuchBucket
    case bucketExists
    case bucketNotEmpty
    case invalidBucketName
    case invalidKey
    case noSuchObject
    /// The object has no version of that name.
    case noSuchVersion
    /// The object has as many versions as its row takes; deleting some makes room.
    case tooManyVersions
    case noSuchUpload
    /// The open upload was removed (it was idle, or aborted) before its commit; nothing was stored.
    case uploadExpired
    case preconditionFailed
    /// Not thrown here: conditions of reads are the gateway's.
    case notModified
    case offsetMismatch(expected: UInt64)
    case tooLarge(limitBytes: UInt64)
    case metadataTooLarge
    /// All that is set of the bucket would have more than `Limits.bucketSettingsBytesMax` together.
    case settingsTooLarge
    case tooManyUploads
    /// Another request appends to or completes this upload right now.
    case uploadBusy
    /// The parts that were named to be put together are not those that are there.
    case invalidPart
    /// The same idempotency key came with another request before.
    case idempotencyMismatch
    case digestMismatch
    case bodyEndedEarly
    case bodyTimedOut
    case bodyMalformed
    /// The client went away.
    case bodyAborted
    case noQuorum
    /// The change may or may not have taken effect, or may yet.
    case outcomeUnknown
    /// A bounded table or queue is full; later there will be room.
    case busy
    case full(availableBytes: UInt64)
    /// An owner knows newer settings of the bucket than this gateway: looked up again, not shown.
    case staleBucket
    /// Bytes that do not verify, on every owner that has them.
    case damaged
    /// The data directory is an older copy of what the cluster last saw of this node: it must join
    /// as a new one.
    case outdatedDisk
    /// Another node has taken this one's places: its disk counted as lost.
    case replaced
    /// The node is closing or its disk has failed.
    case stopped
}
