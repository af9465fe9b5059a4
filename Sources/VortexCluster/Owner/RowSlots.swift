internal import Synchronization
internal import VortexCore
internal import VortexStore

/// What an owner keeps in memory of the rows that it is just being asked about: promises above what
/// is accepted, and whether an `accept` is being journaled. Split by key, so that rows seldom share
/// a lock.
final class RowSlots: Sendable {
    struct Slot {
        /// Above the accepted ballot; nil where it is the accepted ballot itself.
        var promised: Ballot?
        /// An accept, install or purge is on its way to the disk: others of this row wait.
        var isJournaling = false
        /// The row as phase 1 found it, for the accept that follows.
        var found: Found?
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isIdle: Bool { promised == nil && !isJournaling && waiters.isEmpty }
    }
    /// nil: no row.
    struct Found {
        var row: StoredRow?
    }
    struct Table {
        var slots: [RowKey: Slot] = [:]
        /// Of buckets' rows, which every request looks at.
        var buckets: [RowKey: Found] = [:]
    }
    private final class Shard: Sendable {
        let table = Mutex(Table())
    }
    private let shards: [Shard]

    /// Promises kept in one shard; the oldest rows beyond give theirs to horizon or floor.
    static let slotsPerShardMax = 1_024
    private static let shardCount = 16
    /// Beyond, a shard forgets them and reads them again.
    private static let bucketsPerShardMax = 256
    /// A larger row is read twice rather than kept between the two phases, of which the second may
    /// never come: 16,384 of them are 13 MB.
    static let foundBytesMax = 512

    init() { shards = (0..<Self.shardCount).map { _ in Shard() } }

    static func shard(of key: RowKey) -> Int {
        key.key.reduce(key.key.count) { $0 &* 31 &+ Int($1) } & (shardCount - 1)
    }

    private func shard(_ key: RowKey) -> Shard { shards[Self.shard(of: key)] }

    func with<Value>(_ key: RowKey, _ body: (inout Table) -> Value) -> Value {
        shard(key).table.withLock { body(&$0) }
    }

    /// A bucket's row, kept until a change of it has ended: `load` reads it from the store. While a
    /// change is being journaled nothing is kept, so no later read finds less than an earlier one.
    func bucket(
        _ key: RowKey, _ load: () throws(StoreError) -> StoredRow?
    ) throws(StoreError) -> StoredRow? {
        let result = with(key) { table -> Result<StoredRow?, StoreError> in
            if let found = table.buckets[key] { return .success(found.row) }
            do throws(StoreError) {
                let row = try load()
                if table.slots[key]?.isJournaling != true {
                    if table.buckets.count >= Self.bucketsPerShardMax {
                        table.buckets.removeAll()
                    }
                    table.buckets[key] = Found(row: row)
                }
                return .success(row)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Returns once no accept of the row is being journaled; another may have begun since.
    func settle(_ key: RowKey) async {
        let isFree = with(key) { $0.slots[key]?.isJournaling != true }
        if isFree { return }
        await withCheckedContinuation { wake in
            let isWaiting = with(key) { table in
                guard table.slots[key]?.isJournaling == true else { return false }
                table.slots[key]?.waiters.append(wake)
                return true
            }
            if !isWaiting { wake.resume() }
        }
    }

    /// Ends what `body` of an accept began; `promised` nil: the slot's promise is what is accepted
    /// now.
    func finish(_ key: RowKey, journaledAt ballot: Ballot?) {
        let waiters = with(key) { table -> [CheckedContinuation<Void, Never>] in
            guard var slot = table.slots[key] else { return [] }
            let waiters = slot.waiters
            slot.waiters = []
            slot.isJournaling = false
            slot.found = nil
            table.buckets[key] = nil
            if let ballot, let promised = slot.promised, promised <= ballot { slot.promised = nil }
            table.slots[key] = slot.isIdle ? nil : slot
            return waiters
        }
        for wake in waiters { wake.resume() }
    }

    /// Returns once everything that is being journaled now has ended.
    func settleAll() async {
        for shard in shards {
            let keys = shard.table.withLock { table in
                table.slots.filter(\.value.isJournaling).keys.sorted()
            }
            for key in keys { await settle(key) }
        }
    }

    /// Returns once every accept of the bucket's rows that is being journaled now has ended.
    func drain(bucket: BucketID) async {
        for shard in shards {
            while let key = shard.table.withLock({ table in
                table.slots.filter { $0.key.bucket == bucket && $0.value.isJournaling }.keys.min()
            }) { await settle(key) }
        }
    }
}
