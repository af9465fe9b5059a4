internal import Synchronization
public import VortexCluster
public import VortexCore

/// A request's body that is digested on its way into the cluster's buffers.
public final class DigestingBody: BodySource {
    private let body: any BodySource
    private let digest: Mutex<BodyDigest>

    public init(_ body: any BodySource, _ expected: ExpectedDigests) {
        self.body = body
        digest = Mutex(BodyDigest(expected: expected))
    }

    public var expectedBytes: UInt64? { body.expectedBytes }

    public func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        let before = buffer.count
        let ended = try await body.fill(buffer)
        let arrived = UnsafeRawBufferPointer(rebasing: buffer.bytes[before...])
        if !arrived.isEmpty { digest.withLock { $0.update(arrived) } }
        return ended
    }

    public func verify() async throws(ClusterError) {
        try await body.verify()
        guard digest.withLock({ $0.matches() }) else { throw .digestMismatch }
    }
}
