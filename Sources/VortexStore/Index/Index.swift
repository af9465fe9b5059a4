/// Where the journal's records are found: an ordered map from byte keys to byte values, compared as
/// unsigned bytes, a shorter key before its extensions.
///
/// The index owns no truth. Whatever it loses is rebuilt from the journal, so it keeps no log of
/// its own; what it must keep is order: after a crash it holds the state after some batch, at the
/// earliest the last one before the last `flush`, and never half a batch. The journal position
/// stored within each batch then says from where to replay (object-protocol.md, The journal).
///
/// All calls are synchronous and may be made from any thread. Batches are applied in the order of
/// the calls, so callers that care serialise them.
public protocol Index: Sendable {
    /// Lends the value of `key`, or nil where there is none. The bytes are valid only during the
    /// call.
    func read(
        _ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) -> Void
    ) throws(IndexError)

    /// Applies all of the batch or, where it throws, nothing that a later call could see. Visible
    /// to readers when it returns, durable after `flush`.
    func write(_ batch: borrowing IndexBatch) throws(IndexError)

    /// Lends the rows of `lower..<upper` in order, as they were when the call began; without
    /// `upper`, to the end. The bytes are valid only during one call of `body`, which may use the
    /// index itself.
    func scan(
        from lower: [UInt8], before upper: [UInt8]?,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> IndexScanStep
    ) throws(IndexError)

    /// Makes every batch applied so far durable.
    func flush() throws(IndexError)

    /// Bytes on disk and in memory that the index takes for its rows, roughly.
    var approximateBytes: UInt64 { get }

    /// Ends the use of the index. Nobody may be within, or make, another call.
    func close()
}

/// What a scan does after a row.
public enum IndexScanStep: Equatable, Sendable {
    case next
    /// Continues at the first key that is not below this one, which must be above the current key.
    case seek([UInt8])
    case stop
}

public enum IndexError: Error, Equatable, Sendable {
    public enum Operation: Sendable { case open, read, write, scan, flush }
    /// The index can no longer be relied on in this process; its durable state can.
    case failed(Operation)
    /// The file system is full. Nothing of the batch, or of the flush, took effect.
    case full
    /// Bytes that do not verify: to be removed and rebuilt from the journal.
    case damaged
}

extension Index {
    /// A copy of the value of `key`.
    public func get(_ key: [UInt8]) throws(IndexError) -> [UInt8]? {
        try get(key) { value in value.map { Array($0) } }
    }

    /// What `body` makes of the value of `key`, without copying it first. A `body` that can fail
    /// returns a `Result`.
    public func get<Value>(
        _ key: [UInt8], _ body: (UnsafeRawBufferPointer?) -> Value
    ) throws(IndexError) -> Value {
        var answer: Value?
        var failure: IndexError?
        key.withUnsafeBytes { bytes in
            do throws(IndexError) {
                try read(bytes) { answer = body($0) }
            } catch { failure = error }
        }
        if let failure { throw failure }
        guard let answer else { preconditionFailure("an index reads by calling back once") }
        return answer
    }
}
