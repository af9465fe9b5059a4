import Testing
import VortexCore
import VortexStore

@testable import VortexCluster

extension Site {
    func makeVersionedBucket(_ versioning: Versioning = .enabled) async throws {
        try await makeBucket()
        try await node.setVersioning(bucket: Self.bucket, versioning)
    }

    @discardableResult
    func delete(
        _ key: String, _ version: VersionName, condition: WriteCondition = .none
    ) async throws(ClusterError) -> DeleteResult {
        try await node.delete(
            bucket: Self.bucket, key: Array(key.utf8), version: version, condition: condition,
            idempotency: nil)
    }

    func find(_ key: String, _ version: VersionName?) async throws(ClusterError) -> ObjectVersion {
        try await node.find(bucket: Self.bucket, key: Array(key.utf8), version: version).version
    }

    func get(_ key: String, _ version: VersionName) async throws -> [UInt8] {
        let found = try await find(key, version)
        return try await bytes(of: found, key, 0..<Int(found.size))
    }

    /// All pages, as `key name` with `*` on the newest of a key and `-` on markers.
    func versions(
        prefix: String = "", delimiter: String = "", limit: Int = 1_000
    ) async throws(ClusterError) -> [String] {
        var shown: [String] = []
        var after: ClusterNode.VersionMarker?
        repeat {
            let page = try await node.listVersions(
                bucket: Self.bucket, prefix: Array(prefix.utf8), delimiter: Array(delimiter.utf8),
                after: after, limit: limit)
            #expect(page.entries.count <= limit)
            for entry in page.entries {
                switch entry {
                case .prefix(let prefix): shown.append(String(decoding: prefix, as: UTF8.self))
                case .version(let key, let version, let isNewest):
                    let marks = (isNewest ? "*" : "") + (version.isMarker ? "-" : "")
                    shown.append(
                        String(decoding: key, as: UTF8.self) + " \(version.name)" + marks)
                }
            }
            after = page.next
        } while after != nil
        return shown
    }
}

@Suite struct VersionTests {
    @Test func `a put adds a version, whatever its size, and each keeps its bytes`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let bodies = [10, 0, 3 << 20, 1 << 20].map { site.entropy.bytes($0) }
            var names: [VersionName] = []
            for body in bodies {
                let result = try await site.put("key", body)
                #expect(result.isVersioned && !result.version.isNull)
                names.append(result.version.name)
            }
            #expect(Set(names).count == 4)
            for (name, body) in zip(names, bodies) {
                #expect(try await site.get("key", name) == body)
            }
            #expect(try await site.get("key") == bodies[3])
            #expect(site.store.usage.objects == 1)
            #expect(site.store.usage.bytes == 10 + 4 << 20)
            let other = await failure { () async throws(ClusterError) in
                _ = try await site.find("key", .null)
            }
            #expect(other == .noSuchVersion)
        }
    }

    @Test func `a delete leaves a marker, and deleting that brings the object back`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let put = try await site.put("key", [1])
            let deleted = try await site.delete("key")
            #expect(deleted.existed && deleted.isMarker && deleted.version != nil)
            #expect(try await site.get("key") == nil)
            #expect(try await site.find("key", nil).isMarker)
            #expect(try await site.get("key", put.version.name) == [1])
            #expect(try await site.list().page.keys.isEmpty)
            #expect(site.store.usage.objects == 0)
            let name = try #require(deleted.version)
            #expect(
                try await site.versions() == ["key \(name)*-", "key \(put.version.name)"])
            let again = try await site.delete("key")
            #expect(!again.existed && again.isMarker && again.version != name)
            for marker in [try #require(again.version), name] {
                let removed = try await site.delete("key", marker)
                #expect(removed.existed && removed.isMarker && removed.version == marker)
            }
            #expect(try await site.get("key") == [1])
            #expect(try await site.list().page.keys == ["key"])
            // Of what never was there is one too, as in Amazon's.
            #expect(try await site.delete("none").isMarker)
        }
    }

    @Test func `a version is deleted for good, and its bytes are collected`() async throws {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeVersionedBucket()
            let old = try await site.put("key", site.entropy.bytes(3 << 20))
            let small = try await site.put("key", [1, 2])
            let new = try await site.put("key", [3])
            #expect(try site.chunks() == 5)
            for name in [old.version.name, small.version.name] {
                #expect(try await site.delete("key", name).existed)
                #expect(try await site.delete("key", name).existed == false)
                let error = await failure { () async throws(ClusterError) in
                    _ = try await site.find("key", name)
                }
                #expect(error == .noSuchVersion)
            }
            #expect(try await site.get("key") == [3])
            #expect(try await site.versions() == ["key \(new.version.name)*"])
            await site.tidy()
            await site.tidy()
            #expect(try site.chunks() == 1)
            #expect(try await site.get("key") == [3])
            // Nothing is left: the bucket can go.
            try await site.delete("key", new.version.name)
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    @Test func `what was there before versioning is the null version, and stays`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let before = try await site.put("key", [1])
            #expect(before.version.isNull && !before.isVersioned)
            try await site.node.setVersioning(bucket: Site.bucket, .enabled)
            let kept = try await site.put("key", [2])
            #expect(try await site.get("key", .null) == [1])
            try await site.node.setVersioning(bucket: Site.bucket, .suspended)
            let replacing = try await site.put("key", [3])
            #expect(replacing.version.isNull && replacing.isVersioned)
            #expect(try await site.versions() == ["key null*", "key \(kept.version.name)"])
            #expect(try await site.get("key", .null) == [3])
            // A delete replaces the null version by a null marker, and another put that.
            let deleted = try await site.delete("key")
            #expect(deleted.version == .null && deleted.isMarker)
            #expect(try await site.versions() == ["key null*-", "key \(kept.version.name)"])
            try await site.put("key", [4])
            #expect(try await site.versions() == ["key null*", "key \(kept.version.name)"])
            #expect(try await site.get("key", kept.version.name) == [2])
            // The null version keeps its place by time.
            try await site.node.setVersioning(bucket: Site.bucket, .enabled)
            let last = try await site.put("key", [5])
            #expect(
                try await site.versions() == [
                    "key \(last.version.name)*", "key null", "key \(kept.version.name)",
                ])
        }
    }

    @Test func `conditions look at the visible version, and those of a version's delete at it`()
        async throws
    {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let first = try await site.put("key", [1])
            let second = try await site.put("key", [2])
            func tag(_ result: PutResult) -> WriteCondition {
                WriteCondition(ifMatch: .tags([result.version.etag]))
            }
            let refused = [
                await failure { () async throws(ClusterError) in
                    try await site.put("key", [3], condition: WriteCondition(ifNoneMatch: .any))
                },
                await failure { () async throws(ClusterError) in
                    try await site.put("key", [3], condition: tag(first))
                },
                await failure { () async throws(ClusterError) in
                    try await site.delete("key", condition: tag(first))
                },
                await failure { () async throws(ClusterError) in
                    try await site.delete("key", first.version.name, condition: tag(second))
                },
            ]
            #expect(refused.allSatisfy { $0 == .preconditionFailed })
            try await site.delete("key", first.version.name, condition: tag(first))
            let deleted = try await site.delete("key", condition: tag(second))
            // Behind a marker there is nothing.
            let gone = await failure { () async throws(ClusterError) in
                try await site.put("key", [3], condition: tag(second))
            }
            #expect(gone == .preconditionFailed)
            let fresh = try await site.put(
                "key", [4], condition: WriteCondition(ifNoneMatch: .any))
            #expect(fresh.created)
            let marker = try #require(deleted.version)
            #expect(
                try await site.versions() == [
                    "key \(fresh.version.name)*", "key \(marker)-", "key \(second.version.name)",
                ])
        }
    }

    @Test func `a retry is told the version of the first time`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            func key(_ number: UInt64) -> IdempotencyKey {
                IdempotencyKey(
                    keyHash: Digest128(high: 0, low: number),
                    requestHash: Digest128(high: 1, low: number))
            }
            let first = try await site.put("key", [1], idempotency: key(1))
            let between = try await site.put("key", [2])
            let again = try await site.put("key", [1], idempotency: key(1))
            #expect(again.replayed && again.isVersioned && again.version.name == first.version.name)
            let deleted = try await site.delete("key", idempotency: key(2))
            let gone = try await site.delete("key", idempotency: key(2))
            #expect(gone.replayed && gone.isMarker && gone.version == deleted.version)
            let marker = try #require(deleted.version)
            #expect(
                try await site.versions() == [
                    "key \(marker)*-", "key \(between.version.name)", "key \(first.version.name)",
                ])
        }
    }

    @Test func `an upload in parts becomes a version, and completing again names it`() async throws
    {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let before = try await site.put("key", [1])
            let place = try await site.createMultipart()
            let part = try await site.part(place, 1, site.entropy.bytes(2 << 20))
            let made = try await site.complete(place, [part])
            #expect(made.isVersioned && !made.version.isNull)
            let after = try await site.put("key", [2])
            let again = try await site.complete(place, [part])
            #expect(again.version.name == made.version.name && again.isVersioned)
            #expect(
                try await site.versions() == [
                    "key \(after.version.name)*", "key \(made.version.name)",
                    "key \(before.version.name)",
                ])
            #expect(try await site.get("key", made.version.name).count == 2 << 20)
        }
    }

    @Test func `tags are those of one version`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let old = try await site.put("key", [1])
            let new = try await site.put("key", [2])
            let tags = [ObjectTag(key: "a", value: "b")]
            let key = Array("key".utf8)
            try await site.node.setTags(
                bucket: Site.bucket, key: key, version: old.version.name, tags: tags)
            #expect(try await site.find("key", old.version.name).attributes.tags == tags)
            #expect(try await site.find("key", new.version.name).attributes.tags.isEmpty)
            let other = await failure { () async throws(ClusterError) in
                try await site.node.setTags(
                    bucket: Site.bucket, key: key, version: .null, tags: tags)
            }
            #expect(other == .noSuchVersion)
        }
    }

    @Test(arguments: [1, 2, 3, 1_000])
    func `a listing shows all versions in order, page by page`(limit: Int) async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            var wanted: [String] = []
            for key in ["a", "b/1", "b/2", "c"] {
                var names: [VersionName] = []
                for number in 0..<3 as Range<UInt8> {
                    names.insert(try await site.put(key, [number]).version.name, at: 0)
                }
                wanted += names.enumerated().map { "\(key) \($1)" + ($0 == 0 ? "*" : "") }
            }
            #expect(try await site.versions(limit: limit) == wanted)
            #expect(
                try await site.versions(delimiter: "/", limit: limit)
                    == Array(wanted[0..<3] + ["b/"] + wanted[9...]))
            #expect(try await site.versions(prefix: "b/", limit: limit) == Array(wanted[3..<9]))
        }
    }

    @Test func `whoever deletes each page before it asks for the next one misses nothing`()
        async throws
    {
        try await withNode { site in
            try await site.makeVersionedBucket()
            for key in ["a", "b"] {
                for number in 0..<7 as Range<UInt8> { try await site.put(key, [number]) }
                try await site.delete(key)
            }
            var after: ClusterNode.VersionMarker?
            repeat {
                let page = try await site.node.listVersions(
                    bucket: Site.bucket, prefix: [], delimiter: [], after: after, limit: 3)
                for case .version(let key, let version, _) in page.entries {
                    try await site.delete(String(decoding: key, as: UTF8.self), version.name)
                }
                after = page.next
            } while after != nil
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    @Test func `what versioning is set to is told, and a bucket that is not there is refused`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            #expect(try await site.node.versioning(bucket: Site.bucket) == .off)
            for versioning in [Versioning.enabled, .enabled, .suspended, .enabled] {
                try await site.node.setVersioning(bucket: Site.bucket, versioning)
                #expect(try await site.node.versioning(bucket: Site.bucket) == versioning)
            }
            let error = await failure { () async throws(ClusterError) in
                try await site.node.setVersioning(bucket: "other", .enabled)
            }
            #expect(error == .noSuchBucket)
        }
    }
}
