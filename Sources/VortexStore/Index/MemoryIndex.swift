internal import Synchronization

/// The index in memory, for the simulator and tests: same order, same snapshots, and a crash that
/// loses what was not flushed.
///
/// Like RocksDB, which writes its memory out whenever that is full, it may flush of its own accord
/// after any batch; a seed decides after which.
public final class MemoryIndex: Index {
    private struct State {
        var applied = SortedRows()
        var durable = SortedRows()
        var random: SeededGenerator
        var failing: IndexError?
    }
    private let state: Mutex<State>
    private let flushesItselfOneIn: UInt64?

    public init(flushesItselfOneIn chance: UInt64? = nil, seed: UInt64 = 0) {
        precondition(chance != 0)
        flushesItselfOneIn = chance
        state = Mutex(State(random: SeededGenerator(seed: seed)))
    }

    /// What the next process finds after the loss of power or of this process.
    public func crash() -> MemoryIndex {
        let (durable, seed) = state.withLock { ($0.durable, $0.random.next()) }
        let next = MemoryIndex(flushesItselfOneIn: flushesItselfOneIn, seed: seed)
        next.state.withLock { state in
            state.applied = durable
            state.durable = durable
        }
        return next
    }

    /// From now on every call fails like this; nil ends that.
    public func fail(_ error: IndexError?) { state.withLock { $0.failing = error } }

    public func read(
        _ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) -> Void
    ) throws(IndexError) {
        let value = try rows()[key]
        if let value { value.withUnsafeBytes { body($0) } } else { body(nil) }
    }

    public func write(_ batch: borrowing IndexBatch) throws(IndexError) {
        let batch = copy batch
        let failure = state.withLock { state in
            if let failing = state.failing { return failing as IndexError? }
            batch.forEachChange { state.applied.apply($0) }
            if let chance = flushesItselfOneIn, state.random.next(upperBound: chance) == 0 {
                state.durable = state.applied
            }
            return nil
        }
        if let failure { throw failure }
    }

    public func scan(
        from lower: [UInt8], before upper: [UInt8]?,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> IndexScanStep
    ) throws(IndexError) {
        let rows = try rows()
        var place = lower.withUnsafeBytes { rows.place(notBelow: $0) }
        while let row = rows[place] {
            if let upper, !row.key.lexicographicallyPrecedes(upper) { return }
            let step = row.key.withUnsafeBytes { key in
                row.value.withUnsafeBytes { body(key, $0) }
            }
            switch step {
            case .next: place = rows.place(after: place)
            case .seek(let target): place = target.withUnsafeBytes { rows.place(notBelow: $0) }
            case .stop: return
            }
        }
    }

    public func flush() throws(IndexError) {
        let failure = state.withLock { state in
            if let failing = state.failing { return failing as IndexError? }
            state.durable = state.applied
            return nil
        }
        if let failure { throw failure }
    }

    public var approximateBytes: UInt64 { state.withLock { $0.applied.byteCount } }
    public var rowCount: Int { state.withLock { $0.applied.count } }

    public func close() {}

    private func rows() throws(IndexError) -> SortedRows {
        let (rows, failing) = state.withLock { ($0.applied, $0.failing) }
        if let failing { throw failing }
        return rows
    }
}
