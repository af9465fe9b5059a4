internal import CRocksDB
internal import Synchronization

/// The index in a directory of its own, by RocksDB (its C API) with the log switched off.
///
/// One column family: memtables are written out whole, in order, and recorded in the manifest one
/// after the other, so what a crash leaves is the state after some batch. Files are synced before
/// the manifest names them.
///
/// `@unchecked Sendable`: the handles are immutable after `init`, and the C API's functions used
/// here may be called on them from any thread; `close` alone must be the last call.
public final class RocksIndex: Index, @unchecked Sendable {
    private let database: OpaquePointer
    private let settings: RocksSettings
    private let closed = Atomic(false)

    /// Opens the index in the directory `path`, or makes an empty one. `.damaged`: to be removed
    /// with `remove(at:)`, opened again and filled from the journal.
    public init(path: String) throws(IndexError) {
        let settings = RocksSettings()
        var message: UnsafeMutablePointer<CChar>?
        let database = rocksdb_open(settings.options, path, &message)
        if let message {
            let failure = Self.failure(message, during: .open)
            settings.free()
            throw failure
        }
        guard let database else { preconditionFailure("RocksDB opens or says why not") }
        self.database = database
        self.settings = settings
    }

    deinit { close() }

    /// Deletes the index's files. It must not be open.
    public static func remove(at path: String) throws(IndexError) {
        let settings = RocksSettings()
        defer { settings.free() }
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_destroy_db(settings.options, path, &message)
        if let message { throw failure(message, during: .open) }
    }

    public func read(
        _ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?) -> Void
    ) throws(IndexError) {
        requireOpen()
        var message: UnsafeMutablePointer<CChar>?
        let value = rocksdb_get_pinned(
            database, settings.pointReads, key.characters, key.count, &message)
        defer { if let value { rocksdb_pinnableslice_destroy(value) } }
        if let message { throw Self.failure(message, during: .read) }
        guard let value else { return body(nil) }
        var count = 0
        let start = rocksdb_pinnableslice_value(value, &count)
        body(UnsafeRawBufferPointer(start: start, count: count))
    }

    public func write(_ batch: borrowing IndexBatch) throws(IndexError) {
        requireOpen()
        if batch.isEmpty { return }
        var message: UnsafeMutablePointer<CChar>?
        batch.bytes.withUnsafeBytes { bytes in
            let copy = rocksdb_writebatch_create_from(bytes.characters, bytes.count)
            rocksdb_write(database, settings.writes, copy, &message)
            rocksdb_writebatch_destroy(copy)
        }
        if let message { throw Self.failure(message, during: .write) }
    }

    public func scan(
        from lower: [UInt8], before upper: [UInt8]?,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> IndexScanStep
    ) throws(IndexError) {
        requireOpen()
        let reads = rocksdb_readoptions_create()
        defer { rocksdb_readoptions_destroy(reads) }
        var message: UnsafeMutablePointer<CChar>?
        // The iterator refers to the bound, which so has to outlive it.
        (upper ?? []).withUnsafeBytes { bound in
            if upper != nil {
                rocksdb_readoptions_set_iterate_upper_bound(reads, bound.characters, bound.count)
            }
            guard let rows = rocksdb_create_iterator(database, reads) else {
                preconditionFailure("RocksDB makes an iterator and reports errors through it")
            }
            defer { rocksdb_iter_destroy(rows) }
            Self.seek(rows, lower)
            while rocksdb_iter_valid(rows) != 0 {
                var (keyCount, valueCount) = (0, 0)
                let key = rocksdb_iter_key(rows, &keyCount)
                let value = rocksdb_iter_value(rows, &valueCount)
                switch body(
                    UnsafeRawBufferPointer(start: key, count: keyCount),
                    UnsafeRawBufferPointer(start: value, count: valueCount))
                {
                case .next: rocksdb_iter_next(rows)
                case .seek(let target): Self.seek(rows, target)
                case .stop: return
                }
            }
            rocksdb_iter_get_error(rows, &message)
        }
        if let message { throw Self.failure(message, during: .scan) }
    }

    private static func seek(_ rows: OpaquePointer, _ key: [UInt8]) {
        key.withUnsafeBytes { rocksdb_iter_seek(rows, $0.characters, $0.count) }
    }

    public func flush() throws(IndexError) {
        requireOpen()
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_flush(database, settings.flushes, &message)
        if let message { throw Self.failure(message, during: .flush) }
    }

    public var approximateBytes: UInt64 {
        requireOpen()
        var total: UInt64 = 0
        for name in ["rocksdb.live-sst-files-size", "rocksdb.cur-size-all-mem-tables"] {
            var bytes: UInt64 = 0
            guard rocksdb_property_int(database, name, &bytes) == 0 else {
                preconditionFailure("RocksDB knows its properties")
            }
            total += bytes
        }
        return total
    }

    /// Also flushes.
    public func close() {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        rocksdb_close(database)
        settings.free()
    }

    private func requireOpen() {
        precondition(!closed.load(ordering: .relaxed), "the index is closed")
    }

    /// Takes over `message`. RocksDB tells kinds of failure apart only by the text's beginning
    /// (util/status.cc). While opening, files that are missing are damage too; those of another
    /// version or configuration likewise mean: rebuild.
    private static func failure(
        _ message: UnsafeMutablePointer<CChar>, during operation: IndexError.Operation
    ) -> IndexError {
        let text = String(cString: message)
        rocksdb_free(message)
        if text.contains("No space left on device") { return .full }
        if text.hasPrefix("Corruption") { return .damaged }
        guard operation == .open else { return .failed(operation) }
        let rebuilt = ["Invalid argument", "Not implemented", "NotFound"]
        if rebuilt.contains(where: { text.hasPrefix($0) }) { return .damaged }
        return text.contains("No such file") ? .damaged : .failed(.open)
    }
}

extension UnsafeRawBufferPointer {
    /// The same bytes as C's `const char *`, never NULL.
    fileprivate var characters: UnsafePointer<CChar> {
        guard let baseAddress else { return UnsafePointer(bitPattern: 1)! }
        return baseAddress.assumingMemoryBound(to: CChar.self)
    }
}
