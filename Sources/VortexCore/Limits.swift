/// Every bound of the store that is not a setting, with its unit last in the name. A bound that two
/// users could want differently is a setting of `vortex server` and not here.
public enum Limits {
    /// A spread body is cut into chunks of this size; a body of at most this size lives with its
    /// row.
    public static let chunkBytes = 1 << 20
    /// One CRC32C covers this much of a chunk, so that a range read verifies just what it reads.
    public static let blockBytes = 64 << 10
    /// Blocks in a whole chunk.
    public static let blocksPerChunk = chunkBytes / blockBytes

    /// What a message between nodes carries besides a chunk: a layout of 65,536 partitions and
    /// 1,000 members is the largest.
    public static let wireHeadBytesMax = 8 << 20

    /// A page of rows that one node tells another ends behind so much of them: it and one more row,
    /// which has at most `rowBytesMax`, are far from `wireHeadBytesMax`.
    public static let listAnswerBytesMax = 2 << 20

    public static let keyBytesMax = 1_024
    public static let bucketNameBytes = 3...63
    /// Content headers and user metadata of one version together.
    public static let metadataBytesMax = 8_192
    /// The condition of a put with a longer body is looked at before the body is read, too.
    public static let earlyCheckBytesMin: UInt64 = 64 << 10
    /// Tags of one object, and the bytes of a key or a value: 256 characters.
    public static let tagsMax = 10
    public static let tagTextBytesMax = 1_024
    /// Everything that is set of one bucket, encoded.
    public static let bucketSettingsBytesMax = 16 << 10
    public static let bucketTagsMax = 50
    public static let corsRulesMax = 100
    /// Versions of one object, delete markers among them: all are in its row, of which every change
    /// rewrites all, so that a thousand are as many as a change can carry.
    public static let versionsPerRowMax = 1_000
    public static let openUploadsPerRowMax = 64
    /// Answers owed to idempotent retries, per row, and for how long.
    public static let answersPerRowMax = 16
    public static let answerLifetimeMilliseconds: UInt64 = 24 * 3_600_000
    /// A manifest with more extents than this becomes a blob of its own.
    public static let extentsPerManifestMax = 256
    /// What a start may write before it knows how much is free: the index's files. Its library ends
    /// the process where it cannot write.
    public static let startBytesMin: UInt64 = 4 << 20
    /// 5 TiB, S3's bound on one object.
    public static let objectBytesMax: UInt64 = 5 << 40
    public static let partsPerUploadMax = 10_000

    /// A replaced or deleted body waits this long, so that a GET in flight can finish.
    public static let collectDelayMilliseconds: UInt64 = 15 * 60_000
    /// A delete record stands this long against copies that arrive late.
    public static let deleteRecordLifetimeMilliseconds: UInt64 = 24 * 3_600_000
    /// Open uploads without progress are removed after this.
    public static let uploadIdleMilliseconds: UInt64 = 24 * 3_600_000
    /// A ballot whose clock is further ahead than this is refused.
    public static let clockLeadMilliseconds: UInt64 = 60_000
    /// How far the ceiling is raised ahead of need.
    public static let ceilingLeadMilliseconds: UInt64 = 5_000

    public static let listPageMax = 1_000
    public static let partitionBitsDefault: UInt8 = 12
    public static let partitionBitsMax: UInt8 = 16

    /// A journal record larger than this is not one of ours.
    public static let recordBytesMax = 4 << 20
    /// A row's encoded value; what does not fit is refused before it is journaled.
    public static let rowBytesMax = 1 << 20
    /// Of which a row with versions leaves so many free of them, for its open uploads and answers:
    /// versions can always be deleted.
    public static let rowReserveBytes = 16 << 10
}
