internal import OrderedCollections
internal import Synchronization
internal import VortexCore

/// The numbers behind `StoreUsage`, written by the writer, recovery and compaction.
final class StoreGauges: Sendable {
    private struct State {
        var mark = AppliedMark()
        var live: OrderedDictionary<UInt32, UInt64> = [:]
        var syncs: UInt64 = 0
        var records: UInt64 = 0
        var bytes: UInt64 = 0
        var compacted: UInt64 = 0
        var damaged: [DamagedRegion] = []
        var tornTails = 0
        var unmovable: Set<UInt32> = []
    }
    private let state = Mutex(State())

    func publish(_ mark: AppliedMark, live: OrderedDictionary<UInt32, UInt64>) {
        state.withLock {
            $0.mark = mark
            $0.live = live
        }
    }

    var position: UInt64 { state.withLock { $0.mark.nextPosition } }

    func countBatch(records: Int, bytes: Int) {
        state.withLock {
            $0.syncs += 1
            $0.records += UInt64(records)
            $0.bytes += UInt64(bytes)
        }
    }

    func countCompacted() { state.withLock { $0.compacted += 1 } }
    func countTornTail() { state.withLock { $0.tornTails += 1 } }

    /// Regions are few, and kept once each, 1,000 at the most.
    func note(damage region: DamagedRegion) {
        state.withLock {
            if $0.damaged.count < 1_000, !$0.damaged.contains(region) { $0.damaged.append(region) }
        }
    }

    /// The segment holds something that lives and cannot be read: compaction leaves it alone.
    func markUnmovable(_ segment: UInt32) {
        state.withLock { _ = $0.unmovable.insert(segment) }
    }
    var unmovable: Set<UInt32> { state.withLock { $0.unmovable } }

    var live: OrderedDictionary<UInt32, UInt64> { state.withLock { $0.live } }
    var damaged: [DamagedRegion] { state.withLock { $0.damaged } }

    func fill(_ usage: inout StoreUsage) {
        state.withLock {
            usage.objects = $0.mark.objects
            usage.bytes = $0.mark.bytes
            usage.position = $0.mark.nextPosition
            usage.liveBytes = $0.live.values.reduce(0, +)
            usage.syncs = $0.syncs
            usage.records = $0.records
            usage.journaledBytes = $0.bytes
            usage.compactedSegments = $0.compacted
            usage.damagedRegions = $0.damaged
            usage.tornTails = $0.tornTails
        }
    }
}
