import Foundation
import Testing

/// The rules of the house that a program can check, on the whole tree.
struct TidyTests {
    private func expectClean(_ check: (SourceFile) -> [Violation]) throws {
        let violations = try SourceTree.swiftFiles().flatMap(check).map(\.description)
        #expect(violations.isEmpty, "\n\(violations.joined(separator: "\n"))")
    }

    @Test func `files, lines and functions are short`() throws {
        let files = try SourceTree.swiftFiles()
        for file in files where file.lines.count - 1 > SizeRules.fileLinesAim {
            print("longer than \(SizeRules.fileLinesAim) lines: \(file.path)")
        }
        try expectClean(SizeRules.check)
    }

    @Test func `forbidden words do not occur`() throws { try expectClean(WordRules.check) }

    @Test func `imports point only one way`() throws { try expectClean(ImportRules.check) }

    @Test func `names say something, and files begin with what they solve`() throws {
        try expectClean(NameRules.check)
    }

    @Test func `the tree is found`() throws {
        let paths = try SourceTree.swiftFiles().map(\.path)
        #expect(paths.contains("Package.swift"))
        #expect(paths.contains("Sources/VortexCore/Limits.swift"))
        #expect(paths.contains("Tests/TidyTests/TidyTests.swift"))
    }

    @Test(arguments: ["openapi.yaml", "README.md", ".swift-format", "dev"])
    func `what the tree must have is there`(name: String) {
        let path = SourceTree.root.appendingPathComponent(name).path
        #expect(FileManager.default.fileExists(atPath: path))
    }
}
