import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct PutTests {
    static let sizes = [
        0, 1, 65_535, 65_536, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20,
        (5 << 20) + 12_345,
    ]

    @Test(arguments: sizes, [true, false])
    func `what was put is what is got, whatever its size, with and without a length`(
        size: Int, hasLength: Bool
    ) async throws {
        try await withNode { site in
            try await site.makeBucket()
            let bytes = site.entropy.bytes(size)
            let result = try await site.put("key", body: TestBody(bytes, hasLength: hasLength))
            #expect(result.created)
            #expect(result.version.etag == XXH3.hash128(bytes).hex + "-1")
            #expect(try await site.get("key") == bytes)
            let version = try await site.head("key")
            #expect(version == result.version)
            for _ in 0..<20 where size > 0 {
                let start = site.entropy.below(size)
                let end = start + site.entropy.below(size - start + 1)
                #expect(
                    try await site.bytes(of: version, "key", start..<end)
                        == Array(bytes[start..<end]))
            }
        }
    }

    @Test func `an overwrite shows the new body alone, and time goes forward`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let first = try await site.put("key", [1, 2, 3])
            let second = try await site.put("key", site.entropy.bytes(2 << 20))
            #expect(!second.created)
            #expect(second.version.modifiedMilliseconds > first.version.modifiedMilliseconds)
            #expect(try await site.head("key").size == 2 << 20)
            #expect(site.store.usage.objects == 1)
            #expect(site.store.usage.bytes == 2 << 20)
        }
    }

    @Test func `racing puts that must be first have one winner`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let winners: [Int] = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<32 {
                    group.addTask {
                        let bytes = [UInt8](
                            repeating: UInt8(number), count: number % 2 == 0 ? 10 : 2 << 20)
                        let error = await failure { () async throws(ClusterError) in
                            try await site.put(
                                "key", bytes, condition: WriteCondition(ifNoneMatch: .any))
                        }
                        #expect(error == nil || error == .preconditionFailed)
                        return error == nil ? number : -1
                    }
                }
                return try await group.reduce(into: [Int]()) { if $1 >= 0 { $0.append($1) } }
            }
            #expect(winners.count == 1)
            let first = try await site.get("key")?.first.map { Int($0) }
            #expect(first == winners.first)
        }
    }

    @Test func `racing increments by If-Match lose none`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [0])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        while true {
                            let version = try await site.head("key")
                            let value = try await site.bytes(of: version, "key", 0..<1)[0]
                            let error = await failure { () async throws(ClusterError) in
                                try await site.put(
                                    "key", [value + 1],
                                    condition: WriteCondition(ifMatch: .tags([version.etag])))
                            }
                            if error == nil { return }
                            #expect(error == .preconditionFailed)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await site.get("key") == [16])
        }
    }

    @Test(arguments: [100, 3 << 20])
    func `a body that ends early or does not match its digest stores nothing`(
        size: Int
    ) async throws {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [7])
            let bytes = site.entropy.bytes(size)
            let short = await failure { () async throws(ClusterError) in
                try await site.put("key", body: TestBody(bytes, promising: UInt64(size + 5)))
            }
            #expect(short == .bodyEndedEarly)
            let wrong = await failure { () async throws(ClusterError) in
                try await site.put("key", body: TestBody(bytes, ending: .wrongDigest))
            }
            #expect(wrong == .digestMismatch)
            let broken = await failure { () async throws(ClusterError) in
                try await site.put(
                    "key", body: TestBody(bytes, hasLength: false, ending: .breaksOff(.bodyAborted))
                )
            }
            #expect(broken == .bodyAborted)
            #expect(try await site.get("key") == [7])
            #expect(try await site.node.uploads().isEmpty)
        }
    }

    @Test func `a repeated idempotent put gets the first answer`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let key = IdempotencyKey(
                keyHash: Digest128(high: 1, low: 2), requestHash: Digest128(high: 3, low: 4))
            let condition = WriteCondition(ifNoneMatch: .any)
            let first = try await site.put("key", [1], condition: condition, idempotency: key)
            let again = try await site.put("key", [1], condition: condition, idempotency: key)
            #expect(again.replayed && again.created)
            #expect(again.version.id == first.version.id)
            #expect(again.version.etag == first.version.etag)
            let other = await failure { () async throws(ClusterError) in
                try await site.put("key", [2], condition: condition, idempotency: key)
            }
            #expect(other == .idempotencyMismatch)
            try await site.node.admitPut(
                bucket: Site.bucket, key: Array("key".utf8), condition: condition,
                expectedBytes: 1, idempotency: key)
            site.clock.move(milliseconds: Limits.answerLifetimeMilliseconds + 1_000)
            let late = await failure { () async throws(ClusterError) in
                try await site.put("key", [1], condition: condition, idempotency: key)
            }
            #expect(late == .preconditionFailed)
        }
    }

    @Test func `a repeated idempotent delete does not delete what came after the first`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let key = IdempotencyKey(
                keyHash: Digest128(high: 1, low: 2), requestHash: Digest128(high: 3, low: 4))
            try await site.put("key", [1])
            #expect(try await site.delete("key", idempotency: key).existed)
            try await site.put("key", [2])
            let again = try await site.delete("key", idempotency: key)
            #expect(again.existed && again.replayed)
            #expect(try await site.get("key") == [2])
        }
    }

    @Test func `a delete hides the object, and another one finds nothing`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [1])
            #expect(try await site.delete("key").existed)
            #expect(try await site.get("key") == nil)
            #expect(try await site.delete("key").existed == false)
            let error = await failure { () async throws(ClusterError) in
                try await site.delete("key", condition: WriteCondition(ifMatch: .any))
            }
            #expect(error == .preconditionFailed)
            #expect(site.store.usage.objects == 0)
        }
    }
}
