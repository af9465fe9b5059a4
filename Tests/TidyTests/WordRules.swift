/// What may not be written, and what may only be written with its reason.
enum WordRules {
    private struct Word {
        var pattern: String
        var reason: String
        /// Where it is forbidden; everywhere below Sources when empty.
        var targets: Set<String> = []
    }

    /// Code that the simulator runs must not start tasks that escape its executor.
    private static let deterministic: Set<String> = [
        "VortexCore", "VortexStore", "VortexCluster",
    ]

    private static let forbidden: [Word] = [
        Word(pattern: "Task.detached", reason: "an unstructured task escapes the executor"),
        Word(
            pattern: "Task {", reason: "an unstructured task escapes the executor",
            targets: deterministic),
        Word(pattern: "DispatchQueue", reason: "Dispatch is not used"),
        Word(pattern: "DispatchSemaphore", reason: "Dispatch is not used"),
        Word(pattern: "DispatchGroup", reason: "Dispatch is not used"),
        Word(pattern: "import Dispatch", reason: "Dispatch is not used"),
        Word(pattern: "import Foundation", reason: "Foundation costs start-up and memory"),
        Word(pattern: "try?", reason: "a dropped error in a storage path is lost data"),
        Word(pattern: "try!", reason: "bytes from outside never trap"),
        Word(pattern: "catch {}", reason: "a dropped error in a storage path is lost data"),
    ]

    /// Written only at the edges to C and to memory that one owner hands on, each with a comment on
    /// the lines above that says why it is safe, with the word "unchecked" or "unsafe".
    private static let unchecked = ["@unchecked Sendable", "nonisolated(unsafe)"]
    static let edges: [String] = [
        "Sources/VortexCore/Bytes/ChunkBuffer.swift",
        "Sources/VortexStore/Disk/",
        "Sources/VortexStore/Index/Rocks",
        "Sources/VortexGateway/Server/",
        "Sources/vortex/",
    ]

    /// The lines above a declaration in which its reason is looked for.
    private static let reasonLines = 12

    static func check(_ file: SourceFile) -> [Violation] {
        guard let target = file.target else { return [] }
        var violations: [Violation] = []
        for (index, line) in file.code.enumerated() {
            for word in forbidden where word.targets.isEmpty || word.targets.contains(target) {
                guard occurs(word.pattern, in: line) else { continue }
                violations.append(
                    Violation(
                        path: file.path, line: index + 1,
                        rule: "\(word.pattern): \(word.reason)"))
            }
            for word in unchecked where line.contains(word) {
                if let broken = edge(file, index, word) { violations.append(broken) }
            }
        }
        return violations + emptyCatches(file)
    }

    /// Whether the words occur, not as the end of a longer one: `entry?` is no `try?`.
    private static func occurs(_ pattern: String, in line: String) -> Bool {
        line.ranges(of: pattern).contains { range in
            let before = line[..<range.lowerBound].last
            return before.map { !$0.isLetter && !$0.isNumber && $0 != "_" } ?? true
        }
    }

    private static func edge(_ file: SourceFile, _ index: Int, _ word: String) -> Violation? {
        let violation = { (rule: String) in
            Violation(path: file.path, line: index + 1, rule: "\(word) \(rule)")
        }
        guard edges.contains(where: { file.path.hasPrefix($0) }) else {
            return violation("away from the C edges")
        }
        let above = file.lines[max(0, index - reasonLines)..<index]
        let hasReason = above.contains { line in
            let text = line.lowercased()
            return text.contains("//") && (text.contains("unchecked") || text.contains("unsafe"))
        }
        return hasReason ? nil : violation("without a comment that says why")
    }

    /// A `catch` whose braces hold no code. One case may be caught for nothing where a comment
    /// inside says why; all errors together never.
    private static func emptyCatches(_ file: SourceFile) -> [Violation] {
        var violations: [Violation] = []
        for (index, line) in file.code.enumerated() {
            guard let keyword = line.ranges(of: "catch").last,
                line.last(where: { !$0.isWhitespace }) == "{"
            else { continue }
            let rest = file.code[(index + 1)...]
            let next = rest.firstIndex { line in line.contains { !$0.isWhitespace } }
            guard let next, rest[next].drop(while: \.isWhitespace).first == "}" else { continue }
            let caught = line[keyword.upperBound...].filter { !$0.isWhitespace }
            let hasReason = file.lines[(index + 1)..<next].contains { $0.contains("//") }
            if caught != "{", hasReason { continue }
            violations.append(
                Violation(path: file.path, line: index + 1, rule: "an empty catch"))
        }
        return violations
    }
}
