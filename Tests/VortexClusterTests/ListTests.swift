import Testing
import VortexCluster
import VortexCore
import VortexStore

@Suite struct ListTests {
    static let keys = [
        "a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "b/x/1", "b/x/2", "b/y", "c//d", "c//e", "..",
        "é", "日本/語", "z\u{10FFFF}", "z\u{10FFFF}/q",
    ]

    /// What a listing must give, from its definition.
    static func expected(prefix: String, delimiter: String) -> [String] {
        var all: [[UInt8]] = []
        for key in keys.map({ Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard key.starts(with: prefix.utf8) else { continue }
            let rest = key.dropFirst(prefix.utf8.count)
            var entry = key
            if let first = delimiter.utf8.first, let at = rest.firstIndex(of: first) {
                entry = Array(key[...at])
            }
            if all.last != entry { all.append(entry) }
        }
        return all.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: ["", "a", "a/", "b/", "c/", "zz", "é"], ["", "/", "b"])
    func `pages of any size together are the one big listing`(
        prefix: String, delimiter: String
    ) async throws {
        try await withNode { site in
            try await site.makeBucket()
            for key in Self.keys { try await site.put(key, Array(key.utf8)) }
            try await site.put("a/gone", [1])
            try await site.delete("a/gone")
            let expected = Self.expected(prefix: prefix, delimiter: delimiter)
            for limit in [1, 2, 3, 1_000] {
                var found: [String] = []
                var after: [UInt8]? = []
                while let from = after {
                    let (page, next) = try await site.list(
                        prefix: prefix, delimiter: delimiter, after: from, limit: limit)
                    #expect(page.all.count <= limit)
                    found += page.all
                    after = next
                }
                #expect(found == expected, "limit \(limit)")
            }
        }
    }

    @Test func `a listing shows sizes, and an object that is being uploaded is not in it`()
        async throws
    {
        try await withNode { site in
            try await site.makeBucket()
            try await site.put("a", [1, 2, 3])
            let body = TestBody([UInt8](repeating: 1, count: 3 << 20)) { position in
                guard position == 2 << 20 else { return }
                do {
                    let page = try await site.list().page
                    #expect(page.keys == ["a"])
                    #expect(page.sizes == [3])
                    #expect(try await site.node.uploads().map(\.key) == [Array("b".utf8)])
                } catch { Issue.record(error) }
            }
            try await site.put("b", body: body)
            #expect(try await site.list().page.keys == ["a", "b"])
        }
    }
}
