internal import Logging
internal import VortexCore
internal import VortexStore

/// What a node does by itself: every few seconds it collects bodies that no row names and tidies
/// uploads that are over or idle; at the start and every hour it sweeps all objects for open
/// uploads that nobody feeds, and for tombstones. Everything it must know it finds again after a
/// restart.
extension ClusterNode {
    private static let roundMilliseconds: UInt64 = 5_000
    private static let sweepMilliseconds: UInt64 = 3_600_000
    /// Looking at all uploads takes at most one part in so many of the time: those that are over
    /// stay for a day, and there may be many.
    private static let tidyShare: UInt64 = 20
    private static let tidyPauseNanosecondsMax: UInt64 = 60_000_000_000

    /// Heartbeats, repair, expiry of uploads, collecting, purging. Ends when its task is cancelled.
    public func run() async {
        guard peers.transport != nil else { return await upkeep() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.beat() }
            group.addTask { await self.payDebts() }
            group.addTask { await self.repair() }
            group.addTask { await self.upkeep() }
        }
    }

    private func upkeep() async {
        var swept: UInt64 = 0
        var tidyAt: UInt64 = 0
        var hasFinished = false
        while !Task.isCancelled {
            await guarded("closing buckets") { () async throws(ClusterError) in
                guard !hasFinished else { return }
                try await self.finishClosingBuckets()
                hasFinished = true
            }
            await collectOnce()
            let began = clock.monotonicNanoseconds
            if began >= tidyAt {
                await guarded("uploads") { () async throws(ClusterError) in
                    try await self.tidyUploads()
                }
                let pause = Self.tidyShare * (clock.monotonicNanoseconds - began)
                tidyAt = began + min(pause, Self.tidyPauseNanosecondsMax)
            }
            await guarded("tombstones") { () async throws(ClusterError) in
                try await self.purgeTombstones()
            }
            let time = clock.monotonicNanoseconds / 1_000_000
            if swept == 0 || time >= swept + Self.sweepMilliseconds {
                await guarded("sweep") { () async throws(ClusterError) in try await self.sweep() }
                swept = max(1, time)
            }
            do throws(CancellationError) {
                try await clock.sleep(milliseconds: Self.roundMilliseconds)
            } catch { return }
        }
    }

    /// A round that fails is logged and comes again: nothing of it is owed to a client.
    func guarded(
        _ what: Logger.Message, _ body: () async throws(ClusterError) -> Void
    ) async {
        do throws(ClusterError) { try await body() } catch {
            upkeepLog.warning(what, metadata: ["error": "\(error)"])
        }
    }

    /// So many rounds of upkeep share an fsync.
    static let togetherMax = 32

    /// Runs `body` for each, some at a time; the first failure ends it.
    func together<Item: Sendable>(
        _ items: [Item], most: Int = togetherMax,
        _ body: @escaping @Sendable (Item) async throws(ClusterError) -> Void
    ) async throws(ClusterError) {
        let failure = await withTaskGroup(of: ClusterError?.self) { group -> ClusterError? in
            var failure: ClusterError?
            for (index, item) in items.enumerated() where failure == nil {
                if index >= most, let done = await group.next() { failure = done }
                group.addTask { await Self.failure(of: item, body) }
            }
            for await done in group { failure = failure ?? done }
            return failure
        }
        if let failure { throw failure }
    }

    /// A function of its own: swiftc 6.3.1 miscompiles a typed catch with an early return in a
    /// closure that is given to a task group (-O).
    private static func failure<Item: Sendable>(
        of item: Item, _ body: @Sendable (Item) async throws(ClusterError) -> Void
    ) async -> ClusterError? {
        do throws(ClusterError) { try await body(item) } catch { return error }
        return nil
    }
}

private let upkeepLog = Logger(label: "vortex.upkeep")
