import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct AccessKeyTests {
    private func row(_ created: UInt64) -> AccessKeyRow {
        AccessKeyRow(
            sealedSecret: [1, 2, 3], createdMilliseconds: created, expiresMilliseconds: nil,
            grants: [KeyGrant(bucket: "bucket", prefix: [1], actions: [.read, .list])])
    }

    @Test func `a key is there until it is revoked, through sweeps, and its tombstone goes`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            let (first, second) = (row(1), row(2))
            try await site.node.changeAccessKey("first") { _ in first }
            try await site.node.changeAccessKey("second") { old in old ?? second }
            // Of two creations of one key the first is kept.
            #expect(try await site.node.changeAccessKey("second") { old in old ?? first } == second)
            await site.tidy()
            site.clock.move(milliseconds: 7_200_000)
            await site.tidy()
            #expect(try await site.node.accessKey("first") == first)
            let page = try await site.node.accessKeys(after: nil, limit: 1)
            #expect(page.keys.map(\.id) == ["first"] && page.next == "first")
            let rest = try await site.node.accessKeys(after: page.next, limit: 1)
            #expect(rest.keys.map(\.row) == [second] && rest.next == nil)
            try await site.node.changeAccessKey("first") { _ in nil }
            #expect(try await site.node.accessKey("first") == nil)
            let key = RowKey(bucket: .accessKeys, key: Array("first".utf8))
            #expect(try site.store.row(key)?.value.isTombstone == true)
            await site.tidy()
            site.clock.move(milliseconds: 7_200_000)
            await site.tidy()
            #expect(try site.store.row(key) == nil)
            #expect(try await site.node.accessKeys(after: nil, limit: 10).keys.count == 1)
        }
    }

    @Test func `keys are no objects, and no buckets`() async throws {
        try await withNode { site in
            let row = row(1)
            try await site.node.changeAccessKey("key") { _ in row }
            #expect(await site.node.status().objects == 0)
            #expect(try await site.node.buckets(after: nil, limit: 10).buckets.isEmpty)
        }
    }
}
