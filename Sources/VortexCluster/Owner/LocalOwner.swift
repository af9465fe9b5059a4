internal import Synchronization
internal import VortexCore
internal import VortexStore

/// This node as an owner: the acceptor's rules over its store.
///
/// Rows and horizons are the store's; promises are in memory, and the durable ceiling stands above
/// all of them, raised a few seconds ahead, so that phase 1 costs no fsync. Per row, an accept that
/// is being journaled holds up prepare, accept and install, and never a read, which sees what is
/// durable.
final class LocalOwner: Owner {
    let node: NodeID
    let store: Store
    let slots = RowSlots()
    let generations: BucketGenerations
    private let clock: any Clock
    private let bounds: Mutex<Bounds>
    private let ring: Ring
    /// By partition: rows written under another one are as good as gone (rule 3).
    private let since: [Epoch?]

    private struct Bounds {
        var floor: Ballot
        var ceiling: Ballot
        /// What the store has durably, raised by dropped rows; filled as partitions are met.
        var horizons: [UInt16: Ballot] = [:]
    }

    private static let ceilingNote = "ceiling"

    /// The ceiling of the last run becomes the floor of this one.
    init(
        store: Store, node: NodeID, layout: Layout, clock: any Clock
    ) throws(StoreError) {
        self.store = store
        self.node = node
        ring = layout.ring
        since = layout.ring.partitions.map { layout.since(node, in: $0) }
        self.clock = clock
        generations = BucketGenerations(store: store)
        var ceiling = Ballot.none
        if let note = try store.note(Self.ceilingNote) {
            do throws(CodingError) {
                ceiling = try ByteReader.decode(note) { (reader) throws(CodingError) in
                    try reader.readBallot()
                }
            } catch { throw .coding(error) }
        }
        bounds = Mutex(Bounds(floor: ceiling, ceiling: ceiling))
    }

    var floor: Ballot { bounds.withLock { $0.floor } }

    // MARK: Rules

    func prepare(_ key: RowKey, _ ballot: Ballot, epoch: Epoch) async -> PrepareAnswer {
        do throws(StoreError) {
            while true {
                await slots.settle(key)
                let answer = try promise(key, ballot)
                switch answer {
                case .wait: continue
                case .raise(let ceiling): try await raiseCeiling(to: ceiling)
                case .answer(let answer): return answer
                }
            }
        } catch { return .failed(error) }
    }

    private enum PromiseStep {
        case wait
        case raise(Ballot)
        case answer(PrepareAnswer)
    }

    private func promise(_ key: RowKey, _ ballot: Ballot) throws(StoreError) -> PromiseStep {
        let result = slots.with(key) { table -> Result<PromiseStep, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(.wait) }
            do throws(StoreError) {
                let stored = try stored(key, table)
                let acceptor = try acceptor(of: key)
                let row = Self.row(stored, table.slots[key])
                switch acceptor.onPrepare(
                    ballot, row: row, wallMilliseconds: clock.wallMilliseconds)
                {
                case .reject(let promised): return .success(.answer(.reject(promised)))
                case .tooFarAhead: return .success(.answer(.tooFarAhead))
                case .raiseCeiling(let ceiling): return .success(.raise(ceiling))
                case .promise:
                    var slot = table.slots[key] ?? RowSlots.Slot()
                    slot.promised = ballot
                    if (stored?.value.content.count ?? 0) <= RowSlots.foundBytesMax {
                        slot.found = RowSlots.Found(row: stored)
                    }
                    table.slots[key] = slot
                    try shed(&table, keeping: key)
                    return .success(
                        .answer(
                            .promise(
                                accepted: stored?.accepted ?? .none, value: stored?.value,
                                horizon: acceptor.horizon)))
                }
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func accept(_ request: AcceptRequest, epoch: Epoch) async -> AcceptAnswer {
        let key = request.key
        do throws(StoreError) {
            while true {
                await slots.settle(key)
                switch try begin(request) {
                case .wait: continue
                case .answer(let answer): return answer
                case .journal(let row, let effects):
                    do throws(StoreError) {
                        try await store.accept(
                            key, row: row, bodies: request.bodies, effects: effects)
                    } catch {
                        slots.finish(key, journaledAt: nil)
                        return .failed(error)
                    }
                    slots.finish(key, journaledAt: request.ballot)
                    return .accepted
                }
            }
        } catch { return .failed(error) }
    }

    private enum AcceptStep {
        case wait
        case answer(AcceptAnswer)
        case journal(StoredRow, RowEffects)
    }

    /// Checks the request, and where it may be journaled marks the row.
    private func begin(_ request: AcceptRequest) throws(StoreError) -> AcceptStep {
        let key = request.key
        if let missing = try missingBodies(request) { return .answer(.missing(missing)) }
        let result = slots.with(key) { table -> Result<AcceptStep, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(.wait) }
            do throws(StoreError) {
                if let generation = request.generation,
                    let current = try generations.current(of: key.bucket), generation < current
                {
                    return .success(.answer(.staleGeneration(current: current)))
                }
                let stored = try stored(key, table)
                let row = Self.row(stored, table.slots[key])
                let partition = partition(of: key)
                guard let since = since[Int(partition)] else { throw .notFound }
                switch try acceptor(of: key).onAccept(request.ballot, row: row) {
                case .reject(let promised): return .success(.answer(.reject(promised)))
                case .accept(let promised):
                    let effects = try effects(of: request, over: stored)
                    var slot = table.slots[key] ?? RowSlots.Slot()
                    slot.promised = promised
                    slot.isJournaling = true
                    table.slots[key] = slot
                    return .success(
                        .journal(
                            StoredRow(
                                partition: partition, since: since,
                                accepted: request.ballot, value: request.value), effects))
                }
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func read(_ key: RowKey, epoch: Epoch) async -> ReadAnswer { read(key) }

    func read(_ key: RowKey) -> ReadAnswer {
        do throws(StoreError) {
            let found =
                key.bucket == .zero
                ? try slots.bucket(key) { () throws(StoreError) in try stored(key) }
                : try stored(key)
            guard let row = found else {
                return .row(accepted: .none, value: nil, horizon: try horizon(of: key))
            }
            return .row(accepted: row.accepted, value: row.value, horizon: .none)
        } catch { return .failed(error) }
    }

    /// Rule 8; false where the row is not that tombstone any more.
    func purge(_ key: RowKey, _ ballot: Ballot) async throws(StoreError) -> Bool {
        await slots.settle(key)
        let result = slots.with(key) { table -> Result<Ballot?, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(nil) }
            do throws(StoreError) {
                let row = Self.row(try stored(key), table.slots[key])
                guard case .purge(let horizon) = try acceptor(of: key).onPurge(ballot, row: row)
                else { return .success(nil) }
                table.slots[key, default: RowSlots.Slot()].isJournaling = true
                return .success(horizon)
            } catch { return .failure(error) }
        }
        guard let horizon = try result.get() else { return false }
        do throws(StoreError) {
            try await store.purge(
                key, partition: partition(of: key), horizon: horizon)
        } catch {
            slots.finish(key, journaledAt: nil)
            throw error
        }
        raiseHorizon(of: partition(of: key), to: horizon)
        slots.finish(key, journaledAt: horizon)
        return true
    }

    // MARK: What the rules look at

    private func partition(of key: RowKey) -> UInt16 { ring.partition(of: key).value }

    private func stored(_ key: RowKey) throws(StoreError) -> StoredRow? {
        guard let row = try store.row(key) else { return nil }
        return row.since == since[Int(row.partition)] ? row : nil
    }

    /// What phase 1 has just found, or what the store has.
    private func stored(_ key: RowKey, _ table: RowSlots.Table) throws(StoreError) -> StoredRow? {
        if let found = table.slots[key]?.found { return found.row }
        return try stored(key)
    }

    private static func row(_ stored: StoredRow?, _ slot: RowSlots.Slot?) -> Acceptor.Row? {
        guard let stored else {
            return slot?.promised.map {
                Acceptor.Row(promised: $0, accepted: .none, isTombstone: false)
            }
        }
        return Acceptor.Row(
            promised: max(slot?.promised ?? .none, stored.accepted), accepted: stored.accepted,
            isTombstone: stored.value.isTombstone)
    }

    private func horizon(of key: RowKey) throws(StoreError) -> Ballot {
        let partition = partition(of: key)
        if let horizon = bounds.withLock({ $0.horizons[partition] }) { return horizon }
        let horizon = try store.horizon(partition)
        raiseHorizon(of: partition, to: horizon)
        return horizon
    }

    private func raiseHorizon(of partition: UInt16, to horizon: Ballot) {
        bounds.withLock {
            $0.horizons[partition] = max($0.horizons[partition] ?? .none, horizon)
        }
    }

    private func acceptor(of key: RowKey) throws(StoreError) -> Acceptor {
        let horizon = try horizon(of: key)
        return bounds.withLock {
            Acceptor(horizon: horizon, floor: $0.floor, ceiling: $0.ceiling)
        }
    }

    private func raiseCeiling(to ceiling: Ballot) async throws(StoreError) {
        var writer = ByteWriter(reserving: Ballot.encodedBytes)
        writer.write(ceiling)
        try await store.setNote(Self.ceilingNote, writer.bytes)
        bounds.withLock { $0.ceiling = max($0.ceiling, ceiling) }
    }

    /// Keeps the shard's promises bounded. A dropped bare row raises its horizon (rule 9); the
    /// promise of a row with content has only the floor to go to. Either way it stands.
    private func shed(_ table: inout RowSlots.Table, keeping key: RowKey) throws(StoreError) {
        guard table.slots.count > RowSlots.slotsPerShardMax else { return }
        for (other, slot) in table.slots
        where other != key && !slot.isJournaling && slot.waiters.isEmpty {
            guard let promised = slot.promised else { continue }
            let isBare = try stored(other) == nil
            let partition = partition(of: other)
            if isBare {
                raiseHorizon(of: partition, to: max(promised, try horizon(of: other)))
            } else {
                bounds.withLock { $0.floor = max($0.floor, promised) }
            }
            table.slots[other] = nil
        }
    }

    /// An owner accepts a value only when it has every body that lives with it.
    private func missingBodies(_ request: AcceptRequest) throws(StoreError) -> [BlobID]? {
        var missing: [BlobID] = []
        for body in request.value.bodies
        where !request.bodies.contains(where: { $0.id.blob == body }) {
            if try store.chunk(ChunkID(blob: body, index: 0)) == nil { missing.append(body) }
        }
        return missing.isEmpty ? nil : missing
    }

    private func effects(
        of request: AcceptRequest, over stored: StoredRow?
    ) throws(StoreError) -> RowEffects {
        do throws(CodingError) {
            let new = try RowContent(request.value.content, of: request.key)
            var effects = RowEffects(
                milliseconds: request.milliseconds, unnamed: [], objects: 0, bytes: 0)
            if case .object(let row) = new, let visible = row.visible {
                effects.objects = 1
                effects.bytes = visible.size
            }
            if let stored {
                let old = try RowContent(stored.value.content, of: request.key).blobs
                if !old.isEmpty {
                    let kept = Set(new.blobs)
                    effects.unnamed = old.filter { !kept.contains($0) }
                }
            }
            return effects
        } catch { throw .coding(error) }
    }
}
