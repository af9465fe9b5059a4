/// Names that say nothing, and how a file has to begin.
enum NameRules {
    static let empty: Set<String> = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Base",
        "Impl", "Service", "V2", "New", "Misc",
    ]

    private static let declarations: Set<String> = [
        "struct", "class", "enum", "actor", "protocol", "typealias",
    ]

    static func check(_ file: SourceFile) -> [Violation] { emptyNames(file) + headless(file) }

    static func emptyNames(_ file: SourceFile) -> [Violation] {
        var violations: [Violation] = []
        for part in file.path.split(separator: "/") {
            let name = part.hasSuffix(".swift") ? part.dropLast(6) : part
            for word in words(of: String(name)) where empty.contains(word) {
                violations.append(
                    Violation(path: file.path, line: 0, rule: "\(word) in a file's name"))
            }
        }
        for (index, line) in file.code.enumerated() {
            let tokens = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
            for (keyword, name) in zip(tokens, tokens.dropFirst())
            where declarations.contains(keyword) && name.first?.isUppercase == true {
                for word in words(of: name) where empty.contains(word) {
                    violations.append(
                        Violation(
                            path: file.path, line: index + 1, rule: "\(word) in a type's name"))
                }
            }
        }
        return violations
    }

    /// "HTTPServerV2" is HTTP, Server, V2.
    static func words(of name: String) -> [String] {
        var words: [String] = []
        let characters = Array(name)
        for (index, character) in characters.enumerated() {
            let startsWord =
                character.isUppercase
                && (index == 0 || !characters[index - 1].isUppercase
                    || index + 1 < characters.count && characters[index + 1].isLowercase)
            if startsWord || words.isEmpty { words.append("") }
            words[words.count - 1].append(character)
        }
        return words
    }

    /// A file of Sources begins with what it solves: a comment first, or right after the imports.
    static func headless(_ file: SourceFile) -> [Violation] {
        guard file.target != nil else { return [] }
        let first = file.lines.first { line in
            !line.allSatisfy(\.isWhitespace) && ImportRules.imported(line) == nil
        }
        if let first, first.hasPrefix("///") || first.hasPrefix("// ") { return [] }
        return [
            Violation(path: file.path, line: 0, rule: "does not begin with what it solves")
        ]
    }
}
