internal import Synchronization
internal import VortexCore

/// Open buckets that this gateway has met, so that not every request reads two registers. Owners
/// refuse requests that are made by older settings than they know (`BucketGenerations`), and every
/// change of the settings reaches a majority of every partition's owners before it is acknowledged:
/// so an entry that is out of date is found out by the request that uses it.
final class KnownBuckets: Sendable {
    private let table = Mutex<[String: BucketInfo]>([:])
    private static let bucketsMax = 4_096

    subscript(name: String) -> BucketInfo? { table.withLock { $0[name] } }

    func remember(_ info: BucketInfo) {
        table.withLock { table in
            if table.count >= Self.bucketsMax { table.removeAll() }
            table[info.name] = info
        }
    }

    func forget(_ name: String) { table.withLock { $0[name] = nil } }
}
