internal import Synchronization
internal import VortexCore
internal import VortexStore

/// The newest layout that this node knows: durable before anything is done by it, and never an
/// older one again (register-protocol.md, rule 1).
final class LayoutBook: Sendable {
    let node: NodeID
    /// Here, since everything that follows a rule has the book.
    let omitted: Omissions
    private let store: Store
    private let current: Mutex<LayoutView>
    private let turn = KeyLatch()
    private static let note = "layout"
    private static let turnKey = RowKey(bucket: .zero, key: [])

    private init(store: Store, layout: Layout, omitted: Omissions) {
        self.store = store
        self.omitted = omitted
        node = store.identity.node
        current = Mutex(LayoutView(layout, node: store.identity.node, omitted: omitted))
    }

    /// What the data directory has noted; `first` where nothing has been.
    static func open(
        _ store: Store, first: Layout, omitted: Omissions
    ) async throws(StoreError) -> LayoutBook {
        var layout = first
        if let note = try store.note(note) {
            do throws(CodingError) { layout = try Layout(decoding: note) } catch {
                throw .coding(error)
            }
        }
        return LayoutBook(store: store, layout: layout, omitted: omitted)
    }

    var view: LayoutView { current.withLock { $0 } }

    /// Nothing is noted before the node has entered a cluster.
    func note(_ layout: Layout) async throws(StoreError) {
        if layout.members.count > 1 { try await store.setShared() }
        try await store.setNote(Self.note, layout.encoded())
        take(layout)
    }

    private func take(_ layout: Layout) {
        let view = LayoutView(layout, node: node, omitted: omitted)
        current.withLock { if $0.epoch <= layout.epoch { $0 = view } }
    }

    /// Takes over a newer layout of the same cluster; others change nothing. True where it was
    /// newer.
    @discardableResult
    func adopt(_ layout: Layout) async throws(StoreError) -> Bool {
        guard isNews(layout) else { return false }
        do throws(ClusterError) { try await turn.acquire(Self.turnKey) } catch { throw .stopped }
        defer { turn.release(Self.turnKey) }
        guard isNews(layout) else { return false }
        if omitted.contains(.durableEpoch) { take(layout) } else { try await note(layout) }
        return true
    }

    private func isNews(_ layout: Layout) -> Bool {
        let view = view
        return layout.cluster == view.layout.cluster && layout.epoch > view.epoch
    }

    enum Standing { case good, stale, behind, notOwner }

    /// How a question of that epoch about a partition stands to what this node knows.
    func standing(_ partition: Partition, _ epoch: Epoch) -> Standing {
        let place = view[partition]
        if place.epoch > epoch, !omitted.contains(.stale) { return .stale }
        if place.epoch < epoch { return .behind }
        return place.since == nil ? .notOwner : .good
    }
}
