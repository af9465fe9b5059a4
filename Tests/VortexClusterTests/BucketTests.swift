import Testing
import VortexCore
import VortexStore

@testable import VortexCluster

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

    /// A refusal that `changeBucket` gives back.
    private struct No: Error, Equatable {}

    @Test func `settings change under a new generation, and old gateways' puts are refused`()
        async throws
    {
        try await withNode { site in
            var settings = BucketSettings()
            settings.access = .publicRead
            let made = try await site.node.createBucket(Site.bucket, settings: settings).bucket
            #expect(try await site.node.bucketSettings(Site.bucket) == settings)
            let again = try await site.node.createBucket(Site.bucket)
            #expect(!again.created && again.bucket == made)
            #expect(try await site.node.bucketSettings(Site.bucket).isPublicRead)
            let refused: No? = try await site.node.changeBucket(Site.bucket) { settings in
                settings.access = .private
                return No()
            }
            #expect(refused == No())
            #expect(try await site.node.bucket(Site.bucket) == made)
            let refusal: No? = try await site.node.changeBucket(Site.bucket) {
                $0.access = .private
                return nil
            }
            #expect(refusal == nil)
            #expect(try await site.node.bucketSettings(Site.bucket) == BucketSettings())
            let changed = try await site.node.bucket(Site.bucket)
            #expect(changed.generation == made.generation + 1 && changed.id == made.id)
            let owner = site.node.coordinator.owner
            #expect(try owner.generations.current(of: made.id) == changed.generation)
            // The same once more is no change, and pushed all the same.
            let same: No? = try await site.node.changeBucket(Site.bucket) {
                $0.access = .private
                return nil
            }
            #expect(same == nil)
            #expect(try await site.node.bucket(Site.bucket) == changed)
            try await site.put("key", [1])
        }
    }

    @Test func `settings that are too large, or of no bucket, change nothing`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            var large = BucketSettings()
            large.tags = (0..<50).map {
                ObjectTag(key: "\($0)", value: String(repeating: "v", count: 400))
            }
            let settings = large
            for name in [Site.bucket, "missing"] {
                let error = await failure { () async throws(ClusterError) in
                    let refusal: No? = try await site.node.changeBucket(name) {
                        $0 = settings
                        return nil
                    }
                    #expect(refusal == nil)
                }
                #expect(error == (name == "missing" ? .noSuchBucket : .settingsTooLarge))
            }
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.createBucket("other", settings: settings)
            }
            #expect(error == .settingsTooLarge)
            #expect(try await site.node.bucketSettings(Site.bucket) == BucketSettings())
        }
    }

    @Test func `settings another gateway changed are known after five seconds`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            #expect(try await site.node.bucketSettings(Site.bucket).isPublicRead == false)
            let key = try ClusterNode.bucketKey(Site.bucket)
            try await site.node.coordinator.change(.init(key: key, id: site.node.newChange())) {
                (found) throws(ClusterError) -> Coordinator.Computed<Void> in
                guard var row = ClusterNode.bucket(in: found) else { throw .noSuchBucket }
                row.settings.access = .publicRead
                return .write(.bucket(row), bodies: [], ())
            }
            #expect(try await site.node.bucketSettings(Site.bucket).isPublicRead == false)
            site.clock.move(milliseconds: KnownBuckets.settingsMilliseconds)
            #expect(try await site.node.bucketSettings(Site.bucket).isPublicRead)
        }
    }

    @Test func `a page of buckets fits a frame, whatever their rows hold`() async throws {
        try await withNode { site in
            var settings = BucketSettings()
            settings.tags = (0..<50).map {
                ObjectTag(key: "\($0)", value: String(repeating: "v", count: 320))
            }
            #expect(settings.encodedBytes > 15_000)
            let names = (0..<700).map { "bucket-\(1_000 + $0)" }
            for name in names {
                _ = try await site.node.createBucket(name, settings: settings)
            }
            var question = ListQuestion(
                bucket: .zero, generation: .max, from: [], prefix: [], delimiter: [],
                limit: ListQuestion.limitMax)
            question.wantsValues = true
            let answer = try site.node.coordinator.owner.list(question).get()
            #expect(answer.isCut && answer.rows.count > 100)
            #expect(answer.encoded.count < Limits.wireHeadBytesMax / 2)
            var found: [String] = []
            var after: String?
            repeat {
                let page = try await site.node.buckets(after: after, limit: 1_000)
                found += page.buckets.map(\.name)
                after = page.next
            } while after != nil
            #expect(found == names)
        }
    }

    @Test func `what is kept of settings is bounded in bytes, and a name has one entry`() {
        let known = KnownBuckets()
        var settings = BucketSettings()
        settings.tags = (0..<50).map {
            ObjectTag(key: "\($0)", value: String(repeating: "v", count: 320))
        }
        func remember(_ name: String) {
            known.remember(settings, of: name, since: 10, mark: known.mark)
        }
        for _ in 0..<1_000 { remember("one") }
        #expect(known.settings("one", now: 5_009) == settings)
        #expect(known.settings("one", now: 5_010) == nil)
        for number in 0..<400 { remember("\(number)") }
        // 400 of 16 KiB are more than are kept.
        #expect(known.settings("one", now: 10) == nil)
        let before = known.mark
        known.forget("399")
        // Read before it was changed here.
        known.remember(settings, of: "399", since: 10, mark: before)
        #expect(known.settings("399", now: 10) == nil)
        #expect(known.settings("398", now: 10) == settings)
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
