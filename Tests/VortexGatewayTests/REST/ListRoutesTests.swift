import Testing

@testable import VortexGateway

struct ListRoutesTests {
    @Test func `buckets are made, listed and deleted when empty`() async throws {
        try await GatewayFixture.run { gateway in
            #expect(try await gateway.send("PUT", "/v1/buckets/one").status == 201)
            #expect(try await gateway.send("PUT", "/v1/buckets/two").status == 201)
            let again = try await gateway.send("PUT", "/v1/buckets/one")
            #expect(again.status == 200 && again.text.contains("\"name\":\"one\""))
            #expect(try await gateway.send("GET", "/v1/buckets/one").text == again.text)
            let page = try await gateway.send("GET", "/v1/buckets?limit=1").text
            #expect(page.contains("\"one\"") && page.hasSuffix("\"next\":\"one\"}"))
            let rest = try await gateway.send("GET", "/v1/buckets?after=one").text
            #expect(!rest.contains("\"one\"") && rest.hasSuffix("\"next\":null}"))
            #expect(try await gateway.send("PUT", "/v1/objects/one/k", body: "x").status == 201)
            #expect(
                try await gateway.send("DELETE", "/v1/buckets/one").problem == "bucket-not-empty")
            #expect(try await gateway.send("DELETE", "/v1/buckets/two").status == 204)
            #expect(try await gateway.send("GET", "/v1/buckets/two").problem == "no-such-bucket")
            #expect(try await gateway.send("PUT", "/v1/objects/two/k", body: "x").status == 404)
            #expect(try await gateway.send("PUT", "/v1/buckets/A").problem == "invalid-bucket-name")
        }
    }

    /// Over the keys a, a/1, a/2, b/1, b"c, é.
    @Test(arguments: [
        ("", ["a", "a/1", "a/2", "b\"c", "b/1", "é"], []),
        ("prefix=a", ["a", "a/1", "a/2"], []),
        ("prefix=a/", ["a/1", "a/2"], []),
        ("delimiter=/", ["a", "b\"c", "é"], ["a/", "b/"]),
        ("prefix=a&delimiter=/", ["a"], ["a/"]),
        ("prefix=a/&delimiter=/", ["a/1", "a/2"], []),
        ("after=a/1", ["a/2", "b\"c", "b/1", "é"], []),
        ("after=a/1&prefix=a/", ["a/2"], []),
        ("prefix=zz", [], []),
    ])
    func `prefix, delimiter and after select as S3's do`(
        query: String, keys: [String], prefixes: [String]
    ) async throws {
        try await GatewayFixture.run { gateway in
            try await Self.fill(gateway)
            let page = try await gateway.send("GET", "/v1/objects/files?" + query).text
            #expect(Self.values(of: "\"key\":", in: page) == keys.map(Self.quoted))
            for prefix in ["a/", "b/"] {
                let folded =
                    page.contains("\"prefixes\":[") && Self.prefixes(in: page).contains(prefix)
                #expect(folded == prefixes.contains(prefix))
            }
            // The same, one entry at a time.
            var single: [String] = []
            var folded: [String] = []
            var after: String?
            for _ in 0..<10 {
                var target = "/v1/objects/files?limit=1&"
                target += query.split(separator: "&")
                    .filter { after == nil || !$0.hasPrefix("after=") }.joined(separator: "&")
                if let after { target += "&after=" + Self.coded(after) }
                let page = try await gateway.send("GET", target).text
                single += Self.values(of: "\"key\":", in: page)
                folded += Self.prefixes(in: page)
                guard let next = Self.values(of: "\"next\":", in: page).first else { break }
                after = next.replacing("\\\"", with: "\"")
            }
            #expect(single == keys.map(Self.quoted) && folded == prefixes)
        }
    }

    private static func fill(_ gateway: GatewayFixture) async throws {
        #expect(try await gateway.send("PUT", "/v1/buckets/files").status == 201)
        for key in ["b/1", "a", "a/2", "b\"c", "é", "a/1"] {
            let target = "/v1/objects/files/" + key
            #expect(try await gateway.send("PUT", target, body: key).status == 201)
        }
    }

    private static func coded(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "%" + (byte < 16 ? "0" : "") + digits
        }.joined()
    }
    private static func quoted(_ key: String) -> String { key.replacing("\"", with: "\\\"") }

    /// The strings behind a name in a JSON text; what stands between quotes that no backslash
    /// precedes.
    private static func values(of name: String, in text: String) -> [String] {
        text.split(separator: name, omittingEmptySubsequences: false).dropFirst().compactMap {
            guard $0.first == "\"" else { return nil }
            var value = ""
            var escaped = false
            for character in $0.dropFirst() {
                if character == "\"", !escaped { return value }
                escaped = character == "\\" && !escaped
                value.append(character)
            }
            return nil
        }
    }
    private static func prefixes(in page: String) -> [String] {
        guard let start = page.split(separator: "\"prefixes\":[").dropFirst().first,
            let list = start.split(separator: "]", omittingEmptySubsequences: false).first
        else { return [] }
        return list.split(separator: ",").map { String($0.dropFirst().dropLast()) }
    }
}
