import Testing
import VortexCluster
import VortexCore
import VortexStore

extension Site {
    func createUpload(
        _ key: String = "key", condition: WriteCondition = .none, expectedBytes: UInt64? = nil
    ) async throws -> UploadInfo {
        try await node.createUpload(
            bucket: Site.bucket, key: Array(key.utf8), attributes: ObjectAttributes(),
            condition: condition, expectedBytes: expectedBytes)
    }
}

@Suite struct UploadTests {
    @Test func `appends of odd sizes make the whole, and completing again gives the same answer`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let bytes = site.entropy.bytes((12 << 20) + 77)
            let upload = try await site.createUpload(expectedBytes: UInt64(bytes.count))
            var offset = 0
            for size in [1, 1 << 20, 9 << 20, bytes.count] {
                let end = min(bytes.count, offset + size)
                let info = try await site.node.append(
                    to: upload.id, offset: UInt64(offset),
                    body: TestBody(Array(bytes[offset..<end])))
                #expect(info.bytes == UInt64(end))
                #expect(try await site.node.upload(upload.id).bytes == UInt64(end))
                offset = end
            }
            #expect(try await site.get("key") == nil)
            let first = try await site.node.completeUpload(upload.id, expectedSHA256: nil)
            let again = try await site.node.completeUpload(upload.id, expectedSHA256: nil)
            #expect(
                first.version.id == again.version.id && first.version.etag == again.version.etag)
            #expect(first.version.etag.hasSuffix("-4"))
            #expect(try await site.get("key") == bytes)
            #expect(try await site.node.uploads().isEmpty)
            await site.tidy()
            #expect(try await site.get("key") == bytes)
        }
    }

    @Test func `what arrived before the client broke off is kept, and the offset says so`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let bytes = site.entropy.bytes(3 << 20)
            let upload = try await site.createUpload()
            let broken = await failure { () async throws(ClusterError) in
                _ = try await site.node.append(
                    to: upload.id, offset: 0,
                    body: TestBody(
                        Array(bytes[..<1_500_000]), promising: UInt64(bytes.count),
                        ending: .breaksOff(.bodyAborted)))
            }
            #expect(broken == .bodyAborted)
            #expect(try await site.node.upload(upload.id).bytes == 1_500_000)
            let wrong = await failure { () async throws(ClusterError) in
                _ = try await site.node.append(to: upload.id, offset: 7, body: TestBody([1]))
            }
            #expect(wrong == .offsetMismatch(expected: 1_500_000))
            _ = try await site.node.append(
                to: upload.id, offset: 1_500_000, body: TestBody(Array(bytes[1_500_000...])))
            _ = try await site.node.completeUpload(upload.id, expectedSHA256: nil)
            #expect(try await site.get("key") == bytes)
        }
    }

    @Test func `an aborted upload is gone, leaves no bytes, and cannot be completed`() async throws
    {
        try await withNode(options: ClusterOptions(collectDelayMilliseconds: 0)) { site in
            try await site.makeBucket()
            let upload = try await site.createUpload()
            _ = try await site.node.append(
                to: upload.id, offset: 0, body: TestBody(site.entropy.bytes(2 << 20)))
            try await site.node.abortUpload(upload.id)
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.completeUpload(upload.id, expectedSHA256: nil)
            }
            #expect(error == .noSuchUpload)
            await site.tidy()
            #expect(await site.node.status().collectedBlobs == 1)
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    @Test func `completing under a condition that does not hold stores nothing and says so again`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let upload = try await site.createUpload(
                condition: WriteCondition(ifNoneMatch: .any))
            _ = try await site.node.append(to: upload.id, offset: 0, body: TestBody([1, 2]))
            try await site.put("key", [9])
            for _ in 0..<2 {
                let error = await failure { () async throws(ClusterError) in
                    _ = try await site.node.completeUpload(upload.id, expectedSHA256: nil)
                }
                #expect(error == .preconditionFailed)
            }
            #expect(try await site.get("key") == [9])
        }
    }

    @Test func `an idle upload expires and an active one does not`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let idle = try await site.createUpload("idle")
            let active = try await site.createUpload("active")
            site.clock.move(milliseconds: Limits.uploadIdleMilliseconds - 1_000)
            _ = try await site.node.append(to: active.id, offset: 0, body: TestBody([1]))
            site.clock.move(milliseconds: 10_000)
            await site.tidy()
            #expect(try await site.node.uploads().map(\.id) == [active.id])
            let error = await failure { () async throws(ClusterError) in
                _ = try await site.node.append(to: idle.id, offset: 0, body: TestBody([1]))
            }
            #expect(error == .noSuchUpload)
        }
    }

    @Test func `an aborted plain PUT stores nothing`() async throws {
        try await withNode { site in
            try await site.makeBucket()
            let body = TestBody([UInt8](repeating: 1, count: 4 << 20)) { position in
                guard position == 2 << 20 else { return }
                do {
                    for upload in try await site.node.uploads() {
                        try await site.node.abortUpload(upload.id)
                    }
                } catch { Issue.record(error) }
            }
            let error = await failure { () async throws(ClusterError) in
                try await site.put("key", body: body)
            }
            #expect(error == .uploadExpired)
            #expect(try await site.get("key") == nil)
        }
    }
}

extension Site {
    /// Lets the node's own upkeep run a few rounds.
    func tidy() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await node.run() }
            let rounds = clock.wallMilliseconds + 60_000
            while clock.wallMilliseconds < rounds { await Task.yield() }
            group.cancelAll()
        }
    }
}
