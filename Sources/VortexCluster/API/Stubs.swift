public import VortexCore

extension ClusterNode {
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
