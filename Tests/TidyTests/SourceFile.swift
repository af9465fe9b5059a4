import Foundation

/// One file as the rules see it.
struct SourceFile {
    /// From the repository's root.
    let path: String
    let lines: [String]
    /// The lines without comments and the contents of string literals, each as long as before.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = Stripping(text).stripped
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var name: String { String(path.split(separator: "/").last ?? "") }

    /// The target that a file of Sources belongs to.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }
}

/// A broken rule.
struct Violation: CustomStringConvertible, Equatable {
    var path: String
    /// From 1; 0 for the file as a whole.
    var line: Int
    var rule: String
    var description: String { "\(path):\(line): \(rule)" }
}

/// The repository's files, found from where this file was compiled.
enum SourceTree {
    static let root: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files under Sources and Tests, and the manifest; sorted by path.
    static func swiftFiles() throws -> [SourceFile] {
        var paths = ["Package.swift"]
        for folder in ["Sources", "Tests"] {
            let names = try FileManager.default.subpathsOfDirectory(
                atPath: root.appendingPathComponent(folder).path)
            paths += names.filter { $0.hasSuffix(".swift") }.map { "\(folder)/\($0)" }
        }
        return try paths.sorted().map { path in
            let url = root.appendingPathComponent(path)
            return SourceFile(path: path, text: try String(contentsOf: url, encoding: .utf8))
        }
    }
}

/// Blanks comments and string literals. Knows line comments, nested block comments, and plain,
/// multi-line and raw strings; an interpolation counts as part of its string.
private struct Stripping {
    private var input: [Character]
    private var output: [Character] = []
    private var position = 0

    init(_ text: String) {
        input = Array(text)
        run()
    }

    var stripped: String { String(output) }

    private func at(_ text: String) -> Bool {
        var index = position
        for character in text {
            guard index < input.count, input[index] == character else { return false }
            index += 1
        }
        return true
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < input.count {
            output.append(input[position].isNewline ? "\n" : " ")
            position += 1
        }
    }

    private mutating func run() {
        while position < input.count {
            if at("//") {
                while position < input.count, !input[position].isNewline { blank() }
            } else if at("/*") {
                blockComment()
            } else if let hashes = stringStart() {
                string(hashes: hashes)
            } else {
                output.append(input[position])
                position += 1
            }
        }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if at("/*") { depth += 1 }
            if at("*/") { depth -= 1 }
            blank(at("/*") || at("*/") ? 2 : 1)
        } while depth > 0 && position < input.count
    }

    /// The number of `#` before the quote that starts a literal here.
    private func stringStart() -> Int? {
        var index = position
        while index < input.count, input[index] == "#" { index += 1 }
        return index < input.count && input[index] == "\"" ? index - position : nil
    }

    private mutating func string(hashes: Int) {
        blank(hashes)
        let quote = at("\"\"\"") ? "\"\"\"" : "\""
        let end = quote + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        blank(quote.count)
        while position < input.count, !at(end) {
            if quote.count == 1, input[position].isNewline { return }
            guard at(escape) else {
                blank()
                continue
            }
            blank(escape.count)
            if at("(") { interpolation() } else { blank() }
        }
        blank(end.count)
    }

    private mutating func interpolation() {
        var depth = 0
        while position < input.count {
            if let hashes = stringStart() {
                string(hashes: hashes)
                continue
            }
            if at("(") { depth += 1 }
            if at(")") { depth -= 1 }
            blank()
            if depth == 0 { return }
        }
    }
}
