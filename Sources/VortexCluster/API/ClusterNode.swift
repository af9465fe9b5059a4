public import VortexCore
public import VortexStore

/// Settings of a node. Everything else is a constant in `Limits`.
public struct ClusterOptions: Sendable {
    /// The memory of all bodies in flight together.
    public var bufferBytes: Int
    /// Replaced bodies wait this long for the GETs that still read them; tests set 0.
    public var collectDelayMilliseconds: UInt64
    public var uploadIdleMilliseconds: UInt64
    /// For `completeUpload(expectedSHA256:)`; the gateway has the cryptographic library.
    public var makeSHA256: (@Sendable () -> any StreamDigest)?

    public init(
        bufferBytes: Int = 64 << 20,
        collectDelayMilliseconds: UInt64 = Limits.collectDelayMilliseconds,
        uploadIdleMilliseconds: UInt64 = Limits.uploadIdleMilliseconds,
        makeSHA256: (@Sendable () -> any StreamDigest)? = nil
    ) {
        self.bufferBytes = bufferBytes
        self.collectDelayMilliseconds = collectDelayMilliseconds
        self.uploadIdleMilliseconds = uploadIdleMilliseconds
        self.makeSHA256 = makeSHA256
    }
}

/// One node of the cluster, and the procedures that its gateway runs.
public final class ClusterNode: Sendable {
    public let buffers: BufferPool
    let store: Store

    init(store: Store, options: ClusterOptions) {
        self.store = store
        buffers = BufferPool(limitBytes: options.bufferBytes)
    }

    /// Makes the cluster of one at the first start; raises the boot number at every start.
    public static func open(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions
    ) async throws(ClusterError) -> ClusterNode {
        ClusterNode(store: store, options: options)
    }

    /// Expiry of uploads, collecting, purging. Ends when its task is cancelled.
    public func run() async {}
}
