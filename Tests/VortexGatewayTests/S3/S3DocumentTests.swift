import Foundation
import Testing

@testable import VortexGateway

/// docs/s3.md and docs/s3-compared.md against the table of operations.
struct S3DocumentTests {
    /// What a document's tables say of each operation: the word in the second column.
    private static func told(in document: String) throws -> [String: String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: document), encoding: .utf8)
        var told: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { $0.filter { $0 != " " && $0 != "`" } }
            guard cells.count >= 2, ["yes", "partial", "no"].contains(cells[1]) else { continue }
            for name in cells[0].split(separator: ",") { told[String(name)] = cells[1] }
        }
        return told
    }

    @Test func `it says of every operation whether it is there, and of no other`() throws {
        var told = try Self.told(in: "docs/s3.md")
        for route in S3Routes.table {
            let answer = told.removeValue(forKey: route.name)
            let isThere = answer == "yes" || answer == "partial"
            #expect(answer != nil, "\(route.name) is missing")
            #expect(isThere == (route.operation != nil), "\(route.name)")
        }
        #expect(told.isEmpty)
    }

    @Test func `the comparison has the same operations, and says the same of them`() throws {
        let here = try Self.told(in: "docs/s3.md")
        let compared = try Self.told(in: "docs/s3-compared.md")
        #expect(Set(compared.keys) == Set(here.keys))
        for (name, word) in here { #expect(compared[name] == word, "\(name)") }
    }
}
