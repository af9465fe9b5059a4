public import VortexCore
public import VortexStore

extension ClusterNode {
    public func createBucket(_ name: String) async throws(ClusterError)
        -> (bucket: BucketInfo, created: Bool)
    { throw .stopped }
    public func bucket(_ name: String) async throws(ClusterError) -> BucketInfo { throw .stopped }
    public func deleteBucket(_ name: String) async throws(ClusterError) { throw .stopped }
    public func buckets(after: String?, limit: Int) async throws(ClusterError)
        -> (buckets: [BucketInfo], next: String?)
    { throw .stopped }

    /// The visible version; linearizable.
    public func head(bucket: String, key: [UInt8]) async throws(ClusterError) -> ObjectVersion {
        throw .stopped
    }
    public func reader(
        for version: ObjectVersion, bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> ObjectReader { throw .stopped }
    /// Cheap checks before the body: bucket, condition, space, size. Throws what `put` would.
    public func admitPut(
        bucket: String, key: [UInt8], condition: WriteCondition, expectedBytes: UInt64?,
        idempotency: IdempotencyKey? = nil
    ) async throws(ClusterError) { throw .stopped }
    public func put(
        bucket: String, key: [UInt8], attributes: ObjectAttributes, condition: WriteCondition,
        idempotency: IdempotencyKey?, body: any BodySource
    ) async throws(ClusterError) -> PutResult { throw .stopped }
    public func delete(
        bucket: String, key: [UInt8], condition: WriteCondition, idempotency: IdempotencyKey?
    ) async throws(ClusterError) -> DeleteResult { throw .stopped }
    /// Objects and folded prefixes behind `after`, at most `limit` together; the result goes in as
    /// `after` for the next page, nil at the end. An empty delimiter folds nothing.
    public func list(
        bucket: String, prefix: [UInt8], delimiter: [UInt8], after: [UInt8], limit: Int,
        into sink: inout some ListSink
    ) async throws(ClusterError) -> [UInt8]? { throw .stopped }

    public func createUpload(
        bucket: String, key: [UInt8], attributes: ObjectAttributes, condition: WriteCondition,
        expectedBytes: UInt64?
    ) async throws(ClusterError) -> UploadInfo { throw .stopped }
    public func upload(_ id: UploadID) async throws(ClusterError) -> UploadInfo { throw .stopped }
    /// Keeps what arrived even where the client breaks off; durable before it returns or throws.
    public func append(
        to id: UploadID, offset: UInt64, body: any BodySource
    ) async throws(ClusterError) -> UploadInfo { throw .stopped }
    /// Idempotent.
    public func completeUpload(
        _ id: UploadID, expectedSHA256: [UInt8]?
    ) async throws(ClusterError) -> PutResult { throw .stopped }
    public func abortUpload(_ id: UploadID) async throws(ClusterError) { throw .stopped }
    /// Resumable ones, and the plain PUTs in progress on this node.
    public func uploads() async throws(ClusterError) -> [UploadInfo] { throw .stopped }

    public func status() async -> NodeStatus { preconditionFailure("unfinished") }
    public func placement(
        bucket: String, key: [UInt8]
    ) async throws(ClusterError) -> PlacementReport { throw .stopped }
}

/// The bytes of one version.
public final class ObjectReader: Sendable {
    public let size: UInt64
    init(size: UInt64) { self.size = size }
    /// Fills all of `buffer` from `offset` on, less only at the end; verified against the checksums.
    public func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int { throw .stopped }
}
