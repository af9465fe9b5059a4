import Foundation
import Testing

@testable import VortexGateway

/// openapi.yaml against the code. Its paths, methods and operation ids stand on lines of their own
/// at fixed depths, so reading lines is enough.
struct OpenAPITests {
    let lines: [String]

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "openapi.yaml"), encoding: .utf8)
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// `METHOD path operationId`, of every operation.
    private var operations: [String] {
        var found: [String] = []
        var path = ""
        var method = ""
        for line in lines {
            let text = line.drop { $0 == " " }
            switch line.count - text.count {
            case 2 where text.hasPrefix("/"): path = String(text.dropLast())
            case 4: method = text.dropLast().uppercased()
            case 6 where text.hasPrefix("operationId: "):
                found.append("\(method) \(path) \(text.dropFirst("operationId: ".count))")
            default: break
            }
        }
        return found.sorted()
    }

    @Test func `it has every route, and no other`() {
        let routes = Routes.table.map { route in
            let path = route.pattern.replacing("...", with: "")
            return "\(route.method) \(path) \(route.operation.rawValue)"
        }
        #expect(operations == routes.sorted())
    }

    @Test func `it has every kind of problem, and no other`() {
        let listed = lines.compactMap { line -> String? in
            guard let mark = line.range(of: "- https://vortexnetfs.invalid/problems/") else {
                return nil
            }
            return String(line[mark.upperBound...])
        }
        #expect(listed.sorted() == ProblemType.allCases.map(\.rawValue).sorted())
    }

    @Test func `it has the problems' statuses as responses`() {
        for status in Set(ProblemType.allCases.map(\.status)) {
            let isSaid = lines.contains {
                $0.contains("'\(status)':") || $0.contains("status: \(status)")
            }
            #expect(isSaid, "\(status)")
        }
    }

    /// The names in a schema's own `required`, on its line or on lines of their own below it.
    private func required(_ schema: String) throws -> [String] {
        let start = try #require(lines.lastIndex(of: "    \(schema):"))
        var names: [String] = []
        var isInside = false
        for line in lines[(start + 1)...] {
            if line.hasPrefix("      required: [") {
                return line.dropFirst("      required: [".count).dropLast()
                    .split(separator: ", ").map(String.init).sorted()
            }
            if line == "      required:" {
                isInside = true
            } else if isInside {
                guard line.hasPrefix("        - ") else { break }
                names.append(String(line.dropFirst("        - ".count)))
            }
        }
        return names.sorted()
    }

    @Test(
        arguments: [
            ("Bucket", "/v1/buckets/files"), ("BucketPage", "/v1/buckets"),
            ("ObjectPage", "/v1/objects/files"), ("UploadList", "/v1/uploads"),
            ("Status", "/v1/status"), ("Placement", "/v1/placement/files/k"),
            ("Live", "/v1/health/live"), ("Ready", "/v1/health/ready"), ("Upload", nil),
        ] as [(String, String?)])
    func `an answer has the members of its schema, and no other`(
        schema: String, target: String?
    ) async throws {
        let names = try required(schema)
        try await GatewayFixture.run { gateway in
            _ = try await gateway.send("PUT", "/v1/buckets/files")
            _ = try await gateway.send("PUT", "/v1/objects/files/k", body: "x")
            let upload = try await gateway.send("POST", "/v1/uploads?bucket=files&key=u")
            let location = try #require(upload["Location"])
            let reply = try await gateway.send("GET", target ?? location)
            let object = try JSONSerialization.jsonObject(with: Data(reply.body))
            let members = try #require(object as? [String: Any])
            #expect(members.keys.sorted() == names)
        }
    }
}
