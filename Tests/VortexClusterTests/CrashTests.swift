import Synchronization
import Testing
import VortexCluster
import VortexCore
import VortexStore

/// What the clients of one life of a node know when it ends.
private struct Known: Sendable {
    /// By key: what an acknowledged change left, and what may be there instead because its outcome
    /// was never heard.
    var sure: [String: [UInt8]?] = [:]
    var perhaps: [String: [[UInt8]?]] = [:]
}

@Suite struct CrashTests {
    /// A body that says by itself what it is.
    private static func body(_ number: UInt64) -> [UInt8] {
        let entropy = SeededEntropy(seed: number)
        return entropy.bytes(number % 3 == 0 ? (1 << 20) + entropy.below(1 << 20) : 1_000)
    }

    @Test(arguments: 0..<24 as Range<UInt64>)
    func `a crash at any operation leaves every object old or new, and all that was acknowledged`(
        seed: UInt64
    ) async throws {
        var disk = MemoryDisk()
        var index = MemoryIndex(flushesItselfOneIn: 4, seed: seed)
        let clock = TestClock()
        let entropy = SeededEntropy(seed: seed &* 977)
        var known = Known()
        var number = seed &* 1_000
        for life in 0..<4 as Range<UInt64> {
            let before = known
            let first = number
            let outcome = Mutex(known)
            let current = disk
            do {
                try await withNode(disk, index: index, clock: clock, seed: seed ^ life) { site in
                    let found = try await site.check(before)
                    outcome.withLock { $0 = found }
                    try await site.makeBucket()
                    current.failOperation(UInt64(entropy.below(60) + 1))
                    for step in 1...12 as ClosedRange<UInt64> {
                        await site.act(first + step, outcome, Self.body(first + step))
                    }
                }
            } catch is StoreError {
                // The disk failed under the writer: this life is over.
            } catch is ClusterError {
                // The same, seen from a client.
            }
            number += 12
            known = outcome.withLock { $0 }
            disk = disk.crash(seed: seed &* 31 &+ life)
            index = index.crash()
        }
    }
}

extension Site {
    /// One change of one of a few keys, noted before and after.
    fileprivate func act(
        _ number: UInt64, _ known: borrowing Mutex<Known>, _ bytes: [UInt8]
    ) async {
        let key = "key \(number % 4)"
        let new: [UInt8]? = number % 5 == 0 ? nil : bytes
        known.withLock { $0.perhaps[key, default: []].append(new) }
        let error = await failure { () async throws(ClusterError) in
            if let new {
                _ = try await self.put(key, new)
            } else {
                _ = try await self.delete(key)
            }
        }
        guard error == nil else { return }
        known.withLock {
            $0.sure[key] = new
            $0.perhaps[key] = []
        }
    }

    /// Finds every object in a state that it may be in; what is found is sure from then on.
    fileprivate func check(_ known: Known) async throws -> Known {
        var found = Known()
        for key in Set(known.sure.keys).union(known.perhaps.keys).sorted() {
            var allowed = known.perhaps[key] ?? []
            allowed.append(known.sure[key] ?? nil)
            let bytes = try await getOrNothing(key)
            let isAllowed = allowed.contains(bytes)
            #expect(isAllowed, "\(key): \(bytes?.count ?? -1) bytes")
            found.sure[key] = bytes
        }
        return found
    }

    /// nil too where the bucket itself never came to be.
    private func getOrNothing(_ key: String) async throws -> [UInt8]? {
        let error = await failure { () async throws(ClusterError) in
            _ = try await self.node.bucket(Site.bucket)
        }
        if error == .noSuchBucket { return nil }
        return try await get(key)
    }
}
