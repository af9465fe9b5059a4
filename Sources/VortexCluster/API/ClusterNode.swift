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
    /// Of a new cluster: 2^bits partitions.
    public var partitionBits = Limits.partitionBitsDefault
    package var omitted: Omissions = []

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

/// Where a node stands: what the layout lists it with.
public struct MemberPlace: Sendable {
    /// host:port of the chunk protocol; empty for a node that nobody ever asks.
    public var address: String
    public var zone: String
    public var host: String
    /// The space it offers; its share is proportional.
    public var weightBytes: UInt64
    public init(address: String, zone: String = "", host: String = "", weightBytes: UInt64) {
        self.address = address
        self.zone = zone
        self.host = host
        self.weightBytes = weightBytes
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
    let place: MemberPlace
    let book: LayoutBook
    let fence: Fence
    let peers: Peers
    let council: LayoutRegister
    let coordinator: Coordinator
    let chunks: Chunks
    let answers: PeerAnswers
    let knownBuckets = KnownBuckets()
    /// Bodies that this gateway is receiving.
    let active: ActiveUploads
    let tombstones = Tombstones()
    let owedDeletes = OwedDeletes()
    let overUploads = OverUploads()
    let progress = RepairProgress()
    let startedMilliseconds: UInt64
    /// Where the journal ended when the node was opened.
    let openedPosition: UInt64
    private let seenPositions: SeenPositions
    /// How far this node durably remembers other nodes' journals.
    public var notedPositions: [NodeID: UInt64] { seenPositions.noted }

    var node: NodeID { book.node }
    var boot: UInt32 { coordinator.boot }
    var omitted: Omissions { book.omitted }
    var now: UInt64 { clock.wallMilliseconds }
    var view: LayoutView { book.view }
    /// The disk has lost rows, and this node knows it: what it has held since then or before it
    /// answers for only after it has synced it anew.
    public var isFenced: Bool { fence.isRaised }
    /// The newest layout that this node knows.
    public var layout: Layout { book.view.layout }

    /// What answers peers' questions; to be served from before `enter` on.
    public var service: any PeerResponder { answers }

    private init(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions,
        place: MemberPlace, book: LayoutBook, owner: LocalOwner, transport: (any Transport)?,
        seen: SeenPositions, opened: UInt64
    ) {
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.options = options
        self.place = place
        self.book = book
        seenPositions = seen
        openedPosition = opened
        let fence = owner.fence
        self.fence = fence
        let peers = Peers(
            book: book, transport: transport, clock: clock, positions: seen.noted)
        self.peers = peers
        council = LayoutRegister(
            store: store, book: book, fence: fence, peers: peers, clock: clock, entropy: entropy)
        coordinator = Coordinator(
            owner: owner, peers: peers, owed: OwedCopies(clock: clock), clock: clock,
            entropy: entropy)
        chunks = Chunks(coordinator: coordinator, store: store)
        active = ActiveUploads()
        let started = clock.wallMilliseconds
        startedMilliseconds = started
        let (progress, owed) = (progress, coordinator.owed)
        answers = PeerAnswers(
            owner: owner, council: council, peers: peers, owed: owed
        ) {
            NodeReport(
                store.usage, progress, book.view, fence,
                missing: owed.missing, started: started
            ).encoded
        }
        buffers = BufferPool(limitBytes: options.bufferBytes)
    }

    /// Reads what the node knows of its cluster. It answers peers from now on, as far as agreeing
    /// on a layout needs; everything else waits for `enter`.
    public static func open(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions,
        place: MemberPlace, transport: (any Transport)?
    ) async throws(ClusterError) -> ClusterNode {
        let opened = store.position
        let book: LayoutBook
        let owner: LocalOwner
        let seen: SeenPositions
        do throws(StoreError) {
            let fence = try await Fence.open(store)
            seen = try SeenPositions.open(store)
            book = try await LayoutBook.open(
                store,
                first: Layout.single(
                    cluster: store.identity.cluster, node: store.identity.node,
                    address: place.address, zone: place.zone, host: place.host,
                    weightBytes: max(1, place.weightBytes), boot: 0,
                    ring: Ring(bits: options.partitionBits)),
                omitted: options.omitted)
            owner = try LocalOwner(store: store, book: book, fence: fence, clock: clock)
        } catch { throw ClusterError(error) }
        return ClusterNode(
            store: store, clock: clock, entropy: entropy, options: options, place: place,
            book: book, owner: owner, transport: transport, seen: seen, opened: opened)
    }

    /// A cluster of one that talks to nobody, entered.
    public static func open(
        store: Store, clock: any Clock, entropy: any Entropy, options: ClusterOptions
    ) async throws(ClusterError) -> ClusterNode {
        let node = try await open(
            store: store, clock: clock, entropy: entropy, options: options,
            place: MemberPlace(address: "", weightBytes: max(1, store.usage.totalBytes)),
            transport: nil)
        try await node.enter(joining: [])
        return node
    }

    /// To be called now and then.
    func keepPositions() async throws(ClusterError) {
        do throws(StoreError) {
            try await seenPositions.keep(
                peers.positions, milliseconds: clock.monotonicNanoseconds / 1_000_000)
        } catch { throw ClusterError(error) }
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
