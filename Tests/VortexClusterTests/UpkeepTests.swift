import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct UpkeepTests {
    private func row(_ site: Site, _ key: String) async throws -> RowKey {
        RowKey(bucket: try await site.node.bucket(Site.bucket).id, key: Array(key.utf8))
    }

    @Test func `a deleted object's row is purged after a while, and the key takes puts again`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [1])
            try await site.delete("key")
            let key = try await row(site, "key")
            #expect(try site.store.row(key)?.value.isTombstone == true)
            await site.tidy()
            site.clock.move(milliseconds: 120_000)
            await site.tidy()
            #expect(try site.store.row(key) == nil)
            #expect(try await site.get("key") == nil)
            #expect(try await site.put("key", [2]).created)
            #expect(try await site.get("key") == [2])
        }
    }

    @Test func `a tombstone that owes an answer is not purged before that is over`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [1])
            let idempotency = IdempotencyKey(
                keyHash: Digest128(high: 1, low: 1), requestHash: Digest128(high: 2, low: 2))
            try await site.delete("key", idempotency: idempotency)
            site.clock.move(milliseconds: 7_200_000)
            await site.tidy()
            #expect(try await site.delete("key", idempotency: idempotency).replayed)
            site.clock.move(milliseconds: Limits.answerLifetimeMilliseconds)
            await site.tidy()
            #expect(try site.store.row(try await row(site, "key")) == nil)
        }
    }

    @Test(arguments: [1_000, 3 << 20])
    func `a replaced body stays for who still reads it, and is then collected`(
        size: Int
    ) async throws {
        try await withNode { site in
            try await site.makeBucket()
            let bytes = site.entropy.bytes(size)
            try await site.put("key", bytes)
            let old = try await site.head("key")
            try await site.put("key", [1])
            await site.tidy()
            #expect(try await site.bytes(of: old, "key", 0..<size) == bytes)
            site.clock.move(milliseconds: Limits.collectDelayMilliseconds)
            await site.tidy()
            #expect(await site.node.status().collectedBlobs == 1)
            #expect(try await site.get("key") == [1])
            for blob in old.body.blobs {
                #expect(try site.store.chunkIndexes(of: blob).isEmpty)
            }
        }
    }

    @Test func `what a crash leaves of a PUT disappears, the object before it stays`()
        async throws
    {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        let clock = TestClock()
        let options = ClusterOptions(collectDelayMilliseconds: 0)
        try await withNode(disk, index: index, clock: clock, options: options) { site in
            try await site.makeBucket()
            try await site.put("key", [1])
            let body = TestBody([UInt8](repeating: 1, count: 5 << 20)) { position in
                if position == 3 << 20 { site.store.stop() }
            }
            let error = await failure { () async throws(ClusterError) in
                try await site.put("key", body: body)
            }
            #expect(error == .stopped)
        }
        try await withNode(disk.restart(), index: index.crash(), clock: clock, options: options) {
            site in
            #expect(try await site.get("key") == [1])
            await site.tidy()
            await site.tidy()
            #expect(await site.node.status().collectedBlobs == 1)
            #expect(try await site.get("key") == [1])
            try await site.delete("key")
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    @Test func `a resumable upload goes on after a crash where its durable chunks end`()
        async throws
    {
        let disk = MemoryDisk()
        let index = MemoryIndex()
        let clock = TestClock()
        let bytes = SeededEntropy(seed: 5).bytes((6 << 20) + 5)
        let id = try await withNode(disk, index: index, clock: clock) { site in
            try await site.makeBucket()
            let upload = try await site.createUpload()
            let body = TestBody(bytes) { position in
                if position == 4 << 20 { site.store.stop() }
            }
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.append(to: upload.id, offset: 0, body: body)
            }
            #expect(error == .stopped)
            return upload.id
        }
        try await withNode(disk.crash(seed: 1), index: index.crash(), clock: clock) { site in
            let offset = try await site.node.upload(id).bytes
            #expect(offset >= 1 << 20 && offset <= 4 << 20)
            _ = try await site.node.append(
                to: id, offset: offset, body: TestBody(Array(bytes[Int(offset)...])))
            _ = try await site.node.completeUpload(id, expectedSHA256: nil)
            #expect(try await site.get("key") == bytes)
        }
    }

    @Test func `a boot number is never used twice`() async throws {
        var disk = MemoryDisk()
        var index = MemoryIndex()
        for boot in 1...3 as ClosedRange<UInt32> {
            try await withNode(disk, index: index) { site in
                #expect(await site.node.status().boot == boot)
            }
            disk = disk.crash(seed: 1)
            index = index.crash()
        }
    }
}
