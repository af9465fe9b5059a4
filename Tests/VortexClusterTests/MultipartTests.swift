import Testing
import VortexCluster
import VortexCore
import VortexStore

extension Site {
    func createMultipart(
        _ key: String = "key", checksum: ChecksumRule? = nil
    ) async throws(ClusterError) -> UploadPlace {
        let id = try await node.createMultipart(
            bucket: Site.bucket, key: Array(key.utf8), attributes: ObjectAttributes(),
            checksum: checksum)
        return UploadPlace(bucket: Site.bucket, key: Array(key.utf8), id: id)
    }

    @discardableResult
    func part(
        _ place: UploadPlace, _ number: UInt32, _ bytes: [UInt8]
    ) async throws(ClusterError) -> StoredPart {
        try await node.putPart(place, number: number, body: TestBody(bytes))
    }

    /// Completes with those parts, which have to be there.
    @discardableResult
    func complete(
        _ place: UploadPlace, _ parts: [StoredPart], condition: WriteCondition = .none
    ) async throws(ClusterError) -> PutResult {
        try await node.completeMultipart(
            place, tag: Self.tag(parts), condition: condition
        ) { (_, stored) throws(ClusterError) in
            guard parts.allSatisfy(stored.contains) else { throw .invalidPart }
            return ClusterNode.ChosenParts(extents: parts.map(\.extent), checksum: nil)
        }
    }

    static func tag(_ parts: [StoredPart]) -> EntityTag {
        var writer = ByteWriter()
        for part in parts { writer.write(part.digest) }
        return EntityTag(digest: XXH3.hash128(writer.bytes), parts: UInt32(parts.count))
    }

    /// Chunks that the disk holds.
    func chunks() throws -> Int { try store.chunks(limit: 10_000).count }
}

@Suite struct MultipartTests {
    @Test func `parts in any order make the object, and completing again gives the same answer`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let bytes = site.entropy.bytes((5 << 20) + 77)
            let place = try await site.createMultipart()
            let third = try await site.part(place, 9, Array(bytes[(4 << 20)...]))
            let first = try await site.part(place, 1, Array(bytes[..<10]))
            let second = try await site.part(place, 2, Array(bytes[10..<(4 << 20)]))
            #expect(try await site.get("key") == nil)
            let stored = try await site.node.storedParts(place, after: 0, limit: 10)
            #expect(stored.parts == [first, second, third] && !stored.more)
            let made = try await site.complete(place, [first, second, third])
            #expect(made.created && made.version.etag.hasSuffix("-3"))
            let again = try await site.complete(place, [first, second, third])
            #expect(again.version.id == made.version.id && again.created)
            #expect(try await site.get("key") == bytes)
            await site.tidy()
            #expect(try await site.get("key") == bytes)
            #expect(
                try await site.complete(place, [first, second, third]).version.id
                    == made.version.id)
            let other = await failure { () async throws(ClusterError) in
                try await site.complete(place, [first, second])
            }
            #expect(other == .noSuchUpload)
        }
    }

    @Test func `a part that is sent anew replaces the earlier, whose body goes with the upload`()
        async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let old = try await site.part(place, 1, [1, 2, 3])
            let new = try await site.part(place, 1, [4, 5])
            #expect(try await site.node.storedParts(place, after: 0, limit: 10).parts == [new])
            let refused = await failure { () async throws(ClusterError) in
                try await site.complete(place, [old])
            }
            #expect(refused == .invalidPart)
            await site.tidy()
            // Somebody may have read the part's row before: it stays until the upload is over.
            #expect(try site.chunks() == 2)
            try await site.complete(place, [new])
            await site.tidy()
            #expect(try await site.get("key") == [4, 5])
            #expect(try site.chunks() == 1)
        }
    }

    @Test func `a complete that read a part's row before it was replaced loses nothing`()
        async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let old = try await site.part(place, 1, [1, 2, 3])
            let stored = try await site.node.storedParts(place, after: 0, limit: 10).parts
            try await site.part(place, 1, [4, 5])
            await site.tidy()
            _ = try await site.node.completeMultipart(
                place, tag: Site.tag(stored), condition: .none
            ) { (_, _) throws(ClusterError) in
                ClusterNode.ChosenParts(extents: stored.map(\.extent), checksum: nil)
            }
            await site.tidy()
            #expect(stored == [old])
            #expect(try await site.get("key") == [1, 2, 3])
            #expect(try site.chunks() == 1)
        }
    }

    @Test func `a body that breaks off is no part, and leaves an earlier one as it was`()
        async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            func breakOff() async -> ClusterError? {
                await failure { () async throws(ClusterError) in
                    _ = try await site.node.putPart(
                        place, number: 1,
                        body: TestBody(
                            [UInt8](repeating: 7, count: 3 << 20), promising: 4 << 20,
                            ending: .breaksOff(.bodyAborted)))
                }
            }
            #expect(await breakOff() == .bodyAborted)
            #expect(try await site.node.storedParts(place, after: 0, limit: 10).parts.isEmpty)
            let whole = try await site.part(place, 1, [1])
            #expect(await breakOff() == .bodyAborted)
            let wrong = await failure { () async throws(ClusterError) in
                _ = try await site.node.putPart(
                    place, number: 1, body: TestBody([2], ending: .wrongDigest))
            }
            #expect(wrong == .digestMismatch)
            #expect(try await site.node.storedParts(place, after: 0, limit: 10).parts == [whole])
            // What never became whole need not wait for the upload's end.
            await site.tidy()
            #expect(try site.chunks() == 1)
        }
    }

    @Test func `an aborted upload takes no part, makes no object and leaves nothing`() async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let part = try await site.part(place, 1, site.entropy.bytes(2 << 20))
            try await site.node.abortMultipart(place)
            try await site.node.abortMultipart(place)
            let sent = await failure { () async throws(ClusterError) in
                try await site.part(place, 2, [1])
            }
            let completed = await failure { () async throws(ClusterError) in
                try await site.complete(place, [part])
            }
            let listed = await failure { () async throws(ClusterError) in
                _ = try await site.node.storedParts(place, after: 0, limit: 1)
            }
            #expect([sent, completed, listed] == [.noSuchUpload, .noSuchUpload, .noSuchUpload])
            await site.tidy()
            #expect(try site.chunks() == 0)
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    @Test func `what a part brings while its upload is aborted goes too`() async throws {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.putPart(
                    place, number: 1,
                    body: TestBody([UInt8](repeating: 1, count: 4 << 20)) { position in
                        guard position == 2 << 20 else { return }
                        do {
                            try await site.node.abortMultipart(place)
                            await site.tidy()
                        } catch { Issue.record(error) }
                    })
            }
            #expect(error == .noSuchUpload)
            await site.tidy()
            #expect(try site.chunks() == 0)
        }
    }

    @Test func `a condition that does not hold leaves the upload open`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let part = try await site.part(place, 1, [1, 2])
            let there = try await site.put("key", [9])
            let refused = await failure { () async throws(ClusterError) in
                try await site.complete(
                    place, [part], condition: WriteCondition(ifNoneMatch: .any))
            }
            #expect(refused == .preconditionFailed)
            let condition = WriteCondition(ifMatch: .tags([there.version.etag]))
            let made = try await site.complete(place, [part], condition: condition)
            #expect(!made.created)
            #expect(try await site.get("key") == [1, 2])
            // The repeat's own condition holds no more; it gets its success all the same.
            let again = try await site.complete(place, [part], condition: condition)
            #expect(again.version.id == made.version.id)
        }
    }

    @Test func `what is completed cannot be aborted`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let part = try await site.part(place, 1, [1])
            try await site.complete(place, [part])
            let error = await failure { () async throws(ClusterError) in
                try await site.node.abortMultipart(place)
            }
            #expect(error == .noSuchUpload)
            #expect(try await site.get("key") == [1])
        }
    }

    @Test func `an upload without progress goes after a day, one with a new part stays`()
        async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let idle = try await site.createMultipart("idle")
            try await site.part(idle, 1, [1])
            let active = try await site.createMultipart("active")
            site.clock.move(milliseconds: Limits.uploadIdleMilliseconds - 1_000)
            try await site.part(active, 1, [2])
            site.clock.move(milliseconds: 10_000)
            await site.tidy()
            #expect(try await site.node.uploads().map(\.id) == [active.id])
            #expect(try site.chunks() == 1)
        }
    }

    @Test func `appending and completing by /v1 does nothing to S3's uploads`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            let resumable = try await site.createUpload("other")
            let appended = await failure { () async throws(ClusterError) in
                _ = try await site.node.append(to: place.id, offset: 0, body: TestBody([1]))
            }
            let completed = await failure { () async throws(ClusterError) in
                _ = try await site.node.completeUpload(place.id, expectedSHA256: nil)
            }
            let part = await failure { () async throws(ClusterError) in
                try await site.part(
                    UploadPlace(
                        bucket: Site.bucket, key: Array("other".utf8), id: resumable.id), 1, [1])
            }
            #expect([appended, completed, part] == [.noSuchUpload, .noSuchUpload, .noSuchUpload])
            #expect(try await site.node.uploads().map(\.resumable) == [false, true])
        }
    }

    @Test func `more parts than a page holds are listed and completed`() async throws {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let place = try await site.createMultipart()
            var parts: [StoredPart] = []
            for number in 1...2_100 {
                parts.append(
                    try await site.part(place, UInt32(number), [UInt8(number & 0xff)]))
            }
            var listed: [StoredPart] = []
            var more = true
            while more {
                let page = try await site.node.storedParts(
                    place, after: listed.last?.number ?? 0, limit: 700)
                listed += page.parts
                more = page.more
            }
            #expect(listed == parts)
            try await site.complete(place, parts)
            await site.tidy()
            #expect(try await site.get("key") == (1...2_100).map { UInt8($0 & 0xff) })
            #expect(try site.chunks() == 2_100)
            try await site.delete("key")
            // The test's clock goes on with every look at it: a round passes before all are gone.
            for _ in 0..<10 where try site.chunks() > 0 { await site.tidy() }
            #expect(try site.chunks() == 0)
        }
    }
}

@Suite struct MultipartListTests {
    private func names(_ items: [UploadItem]) -> [String] {
        items.map { String(decoding: $0.name, as: UTF8.self) }
    }

    @Test func `uploads are listed by key and age, folded, a page at a time`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            var ids: [String: [UploadID]] = [:]
            for key in ["b", "dir/x", "a", "dir/y", "b", "e", "dir/z/1"] {
                ids[key, default: []].append(try await site.createMultipart(key).id)
            }
            let gone = try await site.createMultipart("c")
            try await site.node.abortMultipart(gone)
            _ = try await site.createUpload("by v1")
            func page(_ question: UploadQuestion) async throws -> ([UploadItem], Bool) {
                try await site.node.multipartUploads(bucket: Site.bucket, question)
            }
            let (all, _) = try await page(UploadQuestion(limit: 100))
            #expect(names(all) == ["a", "b", "b", "dir/x", "dir/y", "dir/z/1", "e"])
            #expect(all[1...2].compactMap { $0.upload?.id } == ids["b"])
            let (below, _) = try await page(
                UploadQuestion(
                    prefix: Array("dir/".utf8), delimiter: Array("/".utf8), limit: 100))
            #expect(names(below) == ["dir/x", "dir/y", "dir/z/"])
            var found: [String] = []
            var question = UploadQuestion(delimiter: Array("/".utf8), limit: 1)
            while true {
                let (items, more) = try await page(question)
                found += names(items)
                guard more, let last = items.last else { break }
                question.keyMarker = last.name
                question.idMarker = last.upload?.id
            }
            #expect(found == ["a", "b", "b", "dir/", "e"])
            let (behind, _) = try await page(
                UploadQuestion(keyMarker: Array("b".utf8), limit: 100))
            #expect(names(behind).first == "dir/x")
        }
    }
}
