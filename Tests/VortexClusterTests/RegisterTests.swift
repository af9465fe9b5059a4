import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct RegisterTests {
    @Test func `promises of more rows than the owner remembers stand in its horizon and floor`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("there", [1])
            // A failed condition leaves a promise, on rows that are bare and on one that is not.
            for number in 0..<40_000 {
                let key = number % 100 == 0 ? "there" : "key \(number)"
                let error = await failure { () async throws(ClusterError) in
                    try await site.delete(
                        key, condition: WriteCondition(ifMatch: .tags(["none"])))
                }
                #expect(error == .preconditionFailed)
            }
            try await site.put("there", [2])
            for number in 0..<100 { try await site.put("key \(number)", [3]) }
            #expect(try await site.get("there") == [2])
            #expect(try await site.get("key 1") == [3])
        }
    }

    @Test func `cancelled changes leave their place in the row's queue to others`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<20 as Range<UInt8> {
                    group.addTask {
                        await withTaskGroup(of: Void.self) { inner in
                            for number in 0..<10 as Range<UInt8> {
                                inner.addTask {
                                    let error = await failure { () async throws(ClusterError) in
                                        try await site.put("key", [round, number])
                                    }
                                    #expect(error == nil || error == .stopped)
                                }
                            }
                            for _ in 0..<site.entropy.below(30) { await Task.yield() }
                            if round % 2 == 0 { inner.cancelAll() }
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await site.put("key", [255])
            #expect(try await site.get("key") == [255])
            #expect(await site.node.status().waitingChanges == 0)
        }
    }

    @Test func `after a restart every change is above what was promised before`() async throws {
        var disk = MemoryDisk()
        var index = MemoryIndex()
        let clock = TestClock()
        var last = Ballot.none
        for life in 1...5 as ClosedRange<UInt8> {
            last = try await withNode(disk, index: index, clock: clock) { [last] site in
                try await site.makeBucket()
                for number in 0..<10 as Range<UInt8> { try await site.put("key", [life, number]) }
                #expect(try await site.get("key") == [life, 9])
                let bucket = try await site.node.bucket(Site.bucket).id
                let row = try site.store.row(RowKey(bucket: bucket, key: Array("key".utf8)))
                let accepted = try #require(row?.accepted)
                #expect(accepted > last && accepted.boot == UInt32(life))
                return accepted
            }
            disk = disk.crash(seed: UInt64(life))
            index = index.crash()
        }
    }

    @Test func `a clock that is set back a day stops no change and no time`() async throws {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        let ahead = TestClock()
        ahead.move(milliseconds: 86_400_000)
        let before = try await withNode(disk, index: index, clock: ahead) { site in
            try await site.makeBucket()
            return try await site.put("key", [1]).version.modifiedMilliseconds
        }
        try await withNode(disk.restart(), index: index, clock: TestClock()) { site in
            let result = try await site.put("key", [2])
            #expect(result.version.modifiedMilliseconds > before)
            #expect(try await site.get("key") == [2])
        }
    }
}
