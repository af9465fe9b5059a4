internal import Synchronization
internal import VortexCore

/// Uploads that are over, whose parts were looked for lately: a part that commits late turns up
/// after the others have gone, so each is looked at again, but not in every round. Bounded; what
/// does not fit, or a restart forgets, is looked at again.
final class OverUploads: Sendable {
    private let due = Mutex<[UploadID: UInt64]>([:])
    private static let uploadsMax = 65_536
    /// Behind a look that found parts, and behind one that found none.
    private static let soonMilliseconds: UInt64 = 60_000
    private static let laterMilliseconds: UInt64 = 600_000

    func isDue(_ id: UploadID, now: UInt64) -> Bool {
        due.withLock { $0[id].map { now >= $0 } ?? true }
    }

    func note(_ id: UploadID, hadParts: Bool, now: UInt64) {
        let next = now + (hadParts ? Self.soonMilliseconds : Self.laterMilliseconds)
        due.withLock { table in
            if table[id] != nil || table.count < Self.uploadsMax { table[id] = next }
        }
    }

    func forget(_ id: UploadID) { due.withLock { $0[id] = nil } }
}
