/// How long files, lines and functions may be.
enum SizeRules {
    static let fileLinesMax = 600
    /// Longer files are listed, since they tend to grow.
    static let fileLinesAim = 400
    static let lineCharactersMax = 100
    static let functionLinesMax = 70

    static func check(_ file: SourceFile) -> [Violation] {
        tooLong(file) + longLines(file) + longFunctions(file)
    }

    static func tooLong(_ file: SourceFile) -> [Violation] {
        guard file.lines.count - 1 > fileLinesMax else { return [] }
        return [
            Violation(path: file.path, line: 0, rule: "more than \(fileLinesMax) lines")
        ]
    }

    static func longLines(_ file: SourceFile) -> [Violation] {
        file.lines.enumerated().filter { $0.element.count > lineCharactersMax }.map {
            Violation(
                path: file.path, line: $0.offset + 1,
                rule: "\($0.element.count) characters, of at most \(lineCharactersMax)")
        }
    }

    static func longFunctions(_ file: SourceFile) -> [Violation] {
        functions(file).filter { $0.lines > functionLinesMax }.map {
            Violation(
                path: file.path, line: $0.start + 1,
                rule: "a function of \($0.lines) lines, of at most \(functionLinesMax)")
        }
    }

    /// Functions and initialisers with a body: their first line from 0, and how many lines to the
    /// closing brace.
    static func functions(_ file: SourceFile) -> [(start: Int, lines: Int)] {
        var found: [(start: Int, lines: Int)] = []
        for (index, line) in file.code.enumerated() where declaresFunction(line) {
            if let end = closingLine(file.code, from: index) {
                found.append((index, end - index + 1))
            }
        }
        return found
    }

    private static func declaresFunction(_ line: String) -> Bool {
        let words = line.split { !($0.isLetter || $0 == "_" || $0 == ".") }
        guard let keyword = words.firstIndex(where: { ["func", "init", "deinit"].contains($0) })
        else { return false }
        return words[..<keyword].allSatisfy { modifiers.contains(String($0)) }
    }

    private static let modifiers: Set<String> = [
        "public", "package", "internal", "fileprivate", "private", "open", "static", "class",
        "final", "override", "mutating", "nonmutating", "consuming", "borrowing", "convenience",
        "required", "isolated", "nonisolated", "nonsending", "async", "inline", "__always",
        "never", "discardableResult", "usableFromInline", "inlinable", "Test", "MainActor",
        "concurrent", "Sendable", "prefix", "postfix",
    ]

    /// The line on which the body that opens at or after `start` is closed; nil where there is
    /// none, as in a protocol.
    private static func closingLine(_ code: [String], from start: Int) -> Int? {
        var (braces, parentheses) = (0, 0)
        for index in start..<code.count {
            if index > start, braces == 0, parentheses == 0, declaresFunction(code[index]) {
                return nil
            }
            for character in code[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{": braces += 1
                case "}":
                    braces -= 1
                    if braces < 0 { return nil }
                    // A closure as a default argument opens and closes inside the parentheses.
                    if braces == 0, parentheses == 0 { return index }
                default: break
                }
            }
        }
        return nil
    }
}
