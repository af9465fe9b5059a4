internal import Synchronization
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

/// One node of the cluster, and the procedures that its gateway runs: `Object/Put.swift` is a whole
/// PUT.
public final class ClusterNode: Sendable {
    public let buffers: BufferPool
    let store: Store
    let clock: any Clock
    let entropy: any Entropy
    let options: ClusterOptions
    let coordinator: Coordinator
    let layout: Layout
    /// Bodies that this gateway is receiving.
    let active: ActiveUploads
    let tombstones = Tombstones()
    let startedMilliseconds: UInt64
    let collected = Atomic<UInt64>(0)

    var node: NodeID { coordinator.node }
    var boot: UInt32 { coordinator.boot }
    var now: UInt64 { clock.wallMilliseconds }

    private init(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions,
        coordinator: Coordinator, layout: Layout
    ) {
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.options = options
        self.coordinator = coordinator
        self.layout = layout
        active = ActiveUploads()
        startedMilliseconds = clock.wallMilliseconds
        buffers = BufferPool(limitBytes: options.bufferBytes)
    }

    private static let bootNote = "boot"

    /// Makes the cluster of one at the first start; raises the boot number at every start, durably
    /// and before anything else, so that no ballot is ever used twice.
    public static func open(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions
    ) async throws(ClusterError) -> ClusterNode {
        let owner: LocalOwner
        let layout: Layout
        let boot: UInt32
        do throws(StoreError) {
            boot = try await raiseBoot(store)
            layout = try await readLayout(store)
            owner = try LocalOwner(
                store: store, node: store.identity.node, layout: layout, clock: clock)
        } catch { throw ClusterError(error) }
        let coordinator = Coordinator(
            node: store.identity.node, boot: boot, owner: owner, clock: clock, entropy: entropy)
        return ClusterNode(
            store: store, clock: clock, entropy: entropy, options: options,
            coordinator: coordinator, layout: layout)
    }

    private static let layoutNote = "layout"

    /// The layout that this node knows; at the first start that of a cluster of one.
    private static func readLayout(_ store: Store) async throws(StoreError) -> Layout {
        if let note = try store.note(layoutNote) {
            do throws(CodingError) { return try Layout(decoding: note) } catch {
                throw .coding(error)
            }
        }
        let layout = Layout.single(
            cluster: store.identity.cluster, node: store.identity.node, address: "",
            weightBytes: max(1, store.usage.totalBytes))
        try await store.setNote(layoutNote, layout.encoded())
        return layout
    }

    private static func raiseBoot(_ store: Store) async throws(StoreError) -> UInt32 {
        var boot: UInt32 = 0
        if let note = try store.note(bootNote) {
            do throws(CodingError) {
                boot = try ByteReader.decode(note) { (reader) throws(CodingError) in
                    try reader.readFixed(UInt32.self)
                }
            } catch { throw .coding(error) }
        }
        guard boot < .max else { throw .coding(.outOfRange(UInt64(boot))) }
        var writer = ByteWriter()
        writer.write(fixed: boot + 1)
        try await store.setNote(bootNote, writer.bytes)
        return boot + 1
    }

    // MARK: Ids

    func newChange() -> ChangeID { ChangeID(milliseconds: now, tag: 0, random: entropy.next()) }

    func newBlob() -> BlobID { BlobID(milliseconds: now, tag: 0, random: entropy.next()) }

    /// The tag leads from an upload's id to the partition of its object.
    func newUpload(for key: RowKey) -> UploadID {
        UploadID(
            milliseconds: now, tag: UInt16(key.ringHash >> 48), random: entropy.next())
    }
}
