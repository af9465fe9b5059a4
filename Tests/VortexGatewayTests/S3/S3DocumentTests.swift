import Foundation
import Testing

@testable import VortexGateway

/// docs/s3.md against the table of operations.
struct S3DocumentTests {
    @Test func `it says of every operation whether it is there, and of no other`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/s3.md"), encoding: .utf8)
        var told: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { $0.filter { $0 != " " && $0 != "`" } }
            guard cells.count >= 2, ["yes", "partial", "no"].contains(cells[1]) else { continue }
            for name in cells[0].split(separator: ",") { told[String(name)] = cells[1] }
        }
        for route in S3Routes.table {
            let answer = told.removeValue(forKey: route.name)
            let isThere = answer == "yes" || answer == "partial"
            #expect(answer != nil, "\(route.name) is missing")
            #expect(isThere == (route.operation != nil), "\(route.name)")
        }
        #expect(told.isEmpty)
    }
}
