import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct BucketTests {
    @Test func `a bucket is made once, and its id stays`() async throws {
        try await withNode { site in
            let first = try await site.node.createBucket("bucket")
            let again = try await site.node.createBucket("bucket")
            #expect(first.created && !again.created)
            #expect(first.bucket == again.bucket)
            #expect(try await site.node.bucket("bucket") == first.bucket)
        }
    }

    @Test(arguments: ["ab", "-ab", "a..b", "A-b", "a_b", "", String(repeating: "a", count: 64)])
    func `names that S3 does not allow are refused`(name: String) async throws {
        try await withNode { site in
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.createBucket(name)
            }
            #expect(error == .invalidBucketName)
        }
    }

    @Test func `a bucket with an object in it is not deleted and goes on taking puts`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("key", [1])
            let error = await failure { () async throws(ClusterError) in
                try await site.node.deleteBucket(Site.bucket)
            }
            #expect(error == .bucketNotEmpty)
            try await site.put("other", [1])
        }
    }

    @Test func `a deleted bucket takes no put, and a new one of its name is empty`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let old = try await site.node.bucket(Site.bucket)
            try await site.put("key", [1])
            try await site.delete("key")
            try await site.node.deleteBucket(Site.bucket)
            let error = await failure { () async throws(ClusterError) in
                try await site.put("key", [1])
            }
            #expect(error == .noSuchBucket)
            try await site.makeBucket()
            #expect(try await site.node.bucket(Site.bucket).id != old.id)
            #expect(try await site.get("key") == nil)
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `a put that races with the bucket's deletion keeps it or fails`(
        seed: UInt64
    ) async throws {
        try await withNode(seed: seed) { site in
            try await site.makeBucket()
            let size = seed % 2 == 0 ? 100 : 2 << 20
            let puts = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        for _ in 0..<site.entropy.below(20) { await Task.yield() }
                        let error = await failure { () async throws(ClusterError) in
                            try await site.put("key \(number)", [UInt8](repeating: 1, count: size))
                        }
                        #expect(error == nil || error == .noSuchBucket || error == .busy)
                        return error == nil ? 1 : 0
                    }
                }
                group.addTask {
                    for _ in 0..<site.entropy.below(20) { await Task.yield() }
                    let error = await failure { () async throws(ClusterError) in
                        try await site.node.deleteBucket(Site.bucket)
                    }
                    #expect(error == nil || error == .bucketNotEmpty)
                    return error == nil ? 1_000 : 0
                }
                return try await group.reduce(0, +)
            }
            if puts >= 1_000 {
                #expect(puts == 1_000)
            } else {
                #expect(try await site.list().page.keys.count == puts)
            }
        }
    }

    @Test func `buckets are listed in order, in pages`() async throws {
        try await withNode { site in
            for number in 10..<35 { _ = try await site.node.createBucket("bucket-\(number)") }
            try await site.node.deleteBucket("bucket-17")
            var names: [String] = []
            var after: String?
            repeat {
                let page = try await site.node.buckets(after: after, limit: 7)
                names += page.buckets.map(\.name)
                after = page.next
            } while after != nil
            #expect(names == (10..<35).filter { $0 != 17 }.map { "bucket-\($0)" })
        }
    }
}
