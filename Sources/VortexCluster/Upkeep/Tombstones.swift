internal import DequeModule
internal import Synchronization
internal import VortexCore

/// Objects deleted lately: their tombstones are purged after a grace period, without waiting for the
/// sweep. Bounded; what does not fit, or a restart forgets, the sweep finds.
final class Tombstones: Sendable {
    private struct Entry {
        var key: RowKey
        var madeMilliseconds: UInt64
    }
    private let entries = Mutex<Deque<Entry>>([])
    static let entriesMax = 65_536

    func add(_ key: RowKey, now: UInt64) {
        entries.withLock { entries in
            guard entries.count < Self.entriesMax else { return }
            entries.append(Entry(key: key, madeMilliseconds: now))
        }
    }

    /// Takes out the oldest one where it was made before that moment.
    func next(before moment: UInt64) -> RowKey? {
        entries.withLock { entries in
            guard let first = entries.first, first.madeMilliseconds < moment else { return nil }
            return entries.removeFirst().key
        }
    }
}
