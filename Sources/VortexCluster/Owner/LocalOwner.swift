internal import Synchronization
internal import VortexCore
internal import VortexStore

/// This node as an owner: the acceptor's rules over its store.
///
/// Rows and horizons are the store's; promises are in memory, and the durable ceiling stands above
/// all of them, raised a few seconds ahead, so that phase 1 costs no fsync. Per row, an accept that
/// is being journaled holds up prepare, accept and install, and never a read, which sees what is
/// durable.
///
/// The epoch is looked at before and after: what was done while the layout changed is answered as
/// `stale`, like an answer that was lost on the way.
final class LocalOwner: Owner {
    let node: NodeID
    let store: Store
    let book: LayoutBook
    let fence: Fence
    let slots = RowSlots()
    let generations: BucketGenerations
    private let clock: any Clock
    private let bounds: Mutex<Bounds>

    private struct Bounds {
        var floor: Ballot
        var ceiling: Ballot
        /// What the store has durably, raised by dropped rows; filled as partitions are met.
        var horizons: [UInt16: Ballot] = [:]
    }

    private static let ceilingNote = "ceiling"
    var omitted: Omissions { book.omitted }

    /// The ceiling of the last run becomes the floor of this one.
    init(
        store: Store, book: LayoutBook, fence: Fence, clock: any Clock
    ) throws(StoreError) {
        self.store = store
        self.book = book
        self.fence = fence
        node = book.node
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
        let floor = book.omitted.contains(.ceiling) ? Ballot.none : ceiling
        bounds = Mutex(Bounds(floor: floor, ceiling: ceiling))
    }

    var floor: Ballot { bounds.withLock { $0.floor } }

    /// Why the question must not be answered; nil where it may.
    func refusal(_ partition: Partition, _ epoch: Epoch) -> OwnerFailure? {
        switch book.standing(partition, epoch) {
        case .good: nil
        case .stale: .stale
        // The asker knows more; a peer's question is answered `behind` before it comes here.
        case .behind, .notOwner: .notOwner
        }
    }

    /// A row's owner may be fenced; copies of chunks carry checksums, and are not.
    private func refusal(_ key: RowKey, _ epoch: Epoch) -> OwnerFailure? {
        let view = book.view
        if let failure = refusal(view.ring.partition(of: key), epoch) { return failure }
        return fence.hides(view[key].since) ? .fenced : nil
    }

    // MARK: Rules

    func prepare(
        _ key: RowKey, _ ballot: Ballot, generation: UInt64?, epoch: Epoch
    ) async -> PrepareAnswer {
        if let failure = refusal(key, epoch) { return .failed(failure) }
        do throws(StoreError) {
            while true {
                await slots.settle(key)
                let answer = try promise(key, ballot, generation)
                switch answer {
                case .wait: continue
                case .raise(let ceiling): try await raiseCeiling(to: ceiling)
                case .answer(let answer): return refusal(key, epoch).map { .failed($0) } ?? answer
                }
            }
        } catch { return .failed(OwnerFailure(error)) }
    }

    private enum PromiseStep {
        case wait
        case raise(Ballot)
        case answer(PrepareAnswer)
    }

    private func promise(
        _ key: RowKey, _ ballot: Ballot, _ generation: UInt64?
    ) throws(StoreError) -> PromiseStep {
        let result = slots.with(key) { table -> Result<PromiseStep, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(.wait) }
            do throws(StoreError) {
                if let newer = try newerGeneration(of: key.bucket, than: generation) {
                    return .success(.answer(.staleGeneration(current: newer)))
                }
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
                    slot.promised = max(slot.promised ?? .none, ballot)
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
        if let failure = refusal(key, epoch) { return .failed(failure) }
        do throws(StoreError) {
            while true {
                await slots.settle(key)
                switch try begin(request, isInstall: false, epoch) {
                case .wait: continue
                case .failed(let failure): return .failed(failure)
                case .missing(let bodies): return .missing(bodies)
                case .reject(let ballot): return .reject(ballot)
                case .superseded(let ballot): return .superseded(ballot)
                case .staleGeneration(let current): return .staleGeneration(current: current)
                case .isThere, .refused: preconditionFailure("answers of install only")
                case .journal(let row, let effects):
                    try await journal(request, row, effects)
                    return refusal(key, epoch).map { .failed($0) } ?? .accepted
                }
            }
        } catch { return .failed(OwnerFailure(error)) }
    }

    func install(_ request: AcceptRequest, epoch: Epoch) async -> InstallAnswer {
        let key = request.key
        if let failure = refusal(key, epoch) { return .failed(failure) }
        do throws(StoreError) {
            while true {
                await slots.settle(key)
                switch try begin(request, isInstall: true, epoch) {
                case .wait: continue
                case .failed(let failure): return .failed(failure)
                case .missing(let bodies): return .missing(bodies)
                case .isThere: return .isThere
                case .refused: return .refused
                case .reject, .superseded, .staleGeneration:
                    preconditionFailure("answers of accept only")
                case .journal(let row, let effects):
                    try await journal(request, row, effects)
                    return refusal(key, epoch).map { .failed($0) } ?? .installed
                }
            }
        } catch { return .failed(OwnerFailure(error)) }
    }

    private func journal(
        _ request: AcceptRequest, _ row: StoredRow, _ effects: RowEffects
    ) async throws(StoreError) {
        do throws(StoreError) {
            try await store.accept(request.key, row: row, bodies: request.bodies, effects: effects)
        } catch {
            slots.finish(request.key, journaledAt: nil)
            throw error
        }
        slots.finish(request.key, journaledAt: request.ballot)
    }

    private enum WriteStep {
        case wait
        case failed(OwnerFailure)
        case missing([BlobID])
        case reject(Ballot)
        case superseded(Ballot)
        case staleGeneration(UInt64)
        case isThere
        case refused
        case journal(StoredRow, RowEffects)
    }

    /// Checks the request, and where it may be journaled marks the row. The epoch is looked at here
    /// again, since the layout may have changed while the row was waited for: what begins is either
    /// seen by `settleAll`, or refused.
    private func begin(
        _ request: AcceptRequest, isInstall: Bool, _ epoch: Epoch
    ) throws(StoreError) -> WriteStep {
        let key = request.key
        if !isInstall || !omitted.contains(.syncBodies),
            let missing = try missingBodies(request)
        {
            return .missing(missing)
        }
        let result = slots.with(key) { table -> Result<WriteStep, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(.wait) }
            if let failure = refusal(key, epoch) { return .success(.failed(failure)) }
            do throws(StoreError) {
                if let newer = try newerGeneration(of: key.bucket, than: request.generation) {
                    return .success(.staleGeneration(newer))
                }
                let stored = try stored(key, table)
                let row = Self.row(stored, table.slots[key])
                guard let since = book.view[key].since else { return .success(.failed(.stale)) }
                let acceptor = try acceptor(of: key)
                let promised: Ballot
                if isInstall {
                    switch acceptor.onInstall(request.ballot, row: row) {
                    case .isThere: return .success(.isThere)
                    case .refused: return .success(.refused)
                    case .install(let ballot): promised = ballot
                    }
                } else {
                    switch acceptor.onAccept(request.ballot, row: row) {
                    case .reject(let ballot):
                        let isBare = row?.isBare ?? true
                        let known = isBare ? acceptor.horizon : row?.accepted ?? .none
                        return .success(
                            known >= request.ballot ? .superseded(ballot) : .reject(ballot))
                    case .accept(let ballot): promised = ballot
                    }
                }
                let effects = try effects(of: request, over: stored)
                table.slots[key, default: RowSlots.Slot()].promised = promised
                table.slots[key, default: RowSlots.Slot()].isJournaling = true
                let new = StoredRow(
                    partition: partition(of: key), since: since, accepted: request.ballot,
                    value: request.value)
                return .success(.journal(new, effects))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func read(_ key: RowKey, generation: UInt64?, epoch: Epoch) async -> ReadAnswer {
        readNow(key, generation: generation, epoch: epoch)
    }

    /// A read never waits.
    func readNow(_ key: RowKey, generation: UInt64? = nil, epoch: Epoch) -> ReadAnswer {
        if let failure = refusal(key, epoch) { return .failed(failure) }
        do throws(StoreError) {
            if let newer = try newerGeneration(of: key.bucket, than: generation) {
                return .staleGeneration(current: newer)
            }
            let found =
                key.bucket == .zero && book.view.isAlone
                ? try slots.bucket(key) { () throws(StoreError) in try stored(key) }
                : try stored(key)
            // The horizon behind the row: a purge between the two shows as a horizon above it.
            let horizon = found == nil ? try horizon(of: key) : .none
            if let failure = refusal(key, epoch) { return .failed(failure) }
            return .row(
                accepted: found?.accepted ?? .none, value: found?.value, horizon: horizon)
        } catch { return .failed(OwnerFailure(error)) }
    }

    func purge(_ key: RowKey, _ ballot: Ballot, epoch: Epoch) async -> OwnerFailure? {
        if let failure = refusal(key, epoch) { return failure }
        guard !book.view[key].isMigrating || omitted.contains(.purgeStable) else { return .busy }
        do throws(StoreError) { _ = try await purge(key, ballot, epoch) } catch {
            return OwnerFailure(error)
        }
        return refusal(key, epoch)
    }

    /// Rule 8; false where the row is not that tombstone any more.
    private func purge(
        _ key: RowKey, _ ballot: Ballot, _ epoch: Epoch
    ) async throws(StoreError) -> Bool {
        await slots.settle(key)
        let result = slots.with(key) { table -> Result<Ballot?, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(nil) }
            if refusal(key, epoch) != nil { return .success(nil) }
            do throws(StoreError) {
                let row = Self.row(try stored(key), table.slots[key])
                guard case .purge(let horizon) = try acceptor(of: key).onPurge(ballot, row: row)
                else { return .success(nil) }
                table.slots[key, default: RowSlots.Slot()].isJournaling = true
                return .success(horizon)
            } catch { return .failure(error) }
        }
        guard let horizon = try result.get() else { return false }
        // Before the row goes: who finds no row must find the horizon that stands for it.
        raiseHorizon(of: partition(of: key), to: horizon)
        do throws(StoreError) {
            try await store.purge(
                key, partition: partition(of: key),
                horizon: omitted.contains(.durableHorizon) ? .none : horizon)
        } catch {
            slots.finish(key, journaledAt: nil)
            throw error
        }
        // The horizon stands for whatever the row had promised.
        slots.finish(key, journaledAt: .highest)
        return true
    }

    // MARK: What the rules look at

    /// The bucket's generation here, where a request was made by an older one.
    private func newerGeneration(
        of bucket: BucketID, than generation: UInt64?
    ) throws(StoreError) -> UInt64? {
        guard let generation, let current = try generations.current(of: bucket) else { return nil }
        return generation < current ? current : nil
    }

    private func partition(of key: RowKey) -> UInt16 {
        book.view.ring.partition(of: key).value
    }

    func stored(_ key: RowKey) throws(StoreError) -> StoredRow? {
        try store.row(key).flatMap { isCurrent($0) ? $0 : nil }
    }

    /// Rows written under another `since` are as good as gone (rule 3).
    func isCurrent(_ row: StoredRow) -> Bool {
        let since = book.view[Partition(row.partition)].since
        return since == row.since || since != nil && omitted.contains(.since)
    }

    /// What phase 1 has just found, or what the store has.
    private func stored(_ key: RowKey, _ table: RowSlots.Table) throws(StoreError) -> StoredRow? {
        if let found = table.slots[key]?.found {
            return found.row.flatMap { isCurrent($0) ? $0 : nil }
        }
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

    func horizon(of key: RowKey) throws(StoreError) -> Ballot {
        try horizon(of: partition(of: key))
    }

    func horizon(of partition: UInt16) throws(StoreError) -> Ballot {
        if let horizon = bounds.withLock({ $0.horizons[partition] }) { return horizon }
        var horizon = try store.horizon(partition)
        if let note = try store.note(Self.horizonNote(partition)) {
            do throws(CodingError) {
                let taken = try ByteReader.decode(note) { (reader) throws(CodingError) in
                    try reader.readBallot()
                }
                horizon = max(horizon, taken)
            } catch { throw .coding(error) }
        }
        raiseHorizon(of: partition, to: horizon)
        return horizon
    }

    private static func horizonNote(_ partition: UInt16) -> String { "horizon/\(partition)" }

    /// Takes over what another owner's horizon stands for, durably.
    func takeHorizon(_ ballot: Ballot, of partition: Partition) async throws(StoreError) {
        guard ballot > (try horizon(of: partition.value)) else { return }
        var writer = ByteWriter(reserving: Ballot.encodedBytes)
        writer.write(ballot)
        try await store.setNote(Self.horizonNote(partition.value), writer.bytes)
        raiseHorizon(of: partition.value, to: ballot)
    }

    /// Removes a row that was written under another `since`; false where it is none.
    func dropFormer(_ key: RowKey) async throws(StoreError) -> Bool {
        await slots.settle(key)
        let result = slots.with(key) { table -> Result<StoredRow?, StoreError> in
            if table.slots[key]?.isJournaling == true { return .success(nil) }
            do throws(StoreError) {
                guard let row = try store.row(key), !isCurrent(row) else { return .success(nil) }
                table.slots[key, default: RowSlots.Slot()].isJournaling = true
                return .success(row)
            } catch { return .failure(error) }
        }
        guard let row = try result.get() else { return false }
        do throws(StoreError) {
            try await store.purge(key, partition: row.partition, horizon: .none)
        } catch {
            slots.finish(key, journaledAt: nil)
            throw error
        }
        slots.finish(key, journaledAt: nil)
        return true
    }

    private func raiseHorizon(of partition: UInt16, to horizon: Ballot) {
        bounds.withLock {
            $0.horizons[partition] = max($0.horizons[partition] ?? .none, horizon)
        }
    }

    private func acceptor(of key: RowKey) throws(StoreError) -> Acceptor {
        let horizon = try horizon(of: key)
        var acceptor = bounds.withLock {
            Acceptor(horizon: horizon, floor: $0.floor, ceiling: $0.ceiling)
        }
        acceptor.omitted = omitted
        return acceptor
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
            let row = Self.row(try stored(other), slot)
            if let row, let horizon = try acceptor(of: other).onDrop(row) {
                raiseHorizon(of: partition(of: other), to: horizon)
            } else {
                bounds.withLock { $0.floor = max($0.floor, promised) }
            }
            table.slots[other] = nil
        }
    }

    /// An owner accepts a value only when it has every body that lives with it.
    private func missingBodies(_ request: AcceptRequest) throws(StoreError) -> [BlobID]? {
        if omitted.contains(.missing) { return nil }
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
            if case .object(let row) = new {
                effects.objects = row.visible == nil ? 0 : 1
                effects.bytes = row.bytes
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
