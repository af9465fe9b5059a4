/// Arrows of import point only one way: Core <- Store <- Cluster <- Gateway <- vortex.
enum ImportRules {
    /// Every module that a target may import; the C modules are edges of the one target named.
    static let allowed: [String: Set<String>] = [
        "VortexCore": [
            "CChecksum", "Glibc", "OrderedCollections", "DequeModule", "Synchronization",
        ],
        "VortexStore": [
            "VortexCore", "CRocksDB", "CDisk", "Glibc", "OrderedCollections", "DequeModule",
            "Synchronization",
        ],
        "VortexCluster": [
            "VortexCore", "VortexStore", "Logging", "OrderedCollections", "DequeModule",
            "Synchronization",
        ],
        "VortexNet": [
            "VortexCore", "NIOCore", "NIOPosix", "NIOSSL", "SwiftASN1", "Crypto", "Logging",
            "Glibc", "OrderedCollections", "DequeModule", "Synchronization",
        ],
        "VortexSimulator": [
            "VortexCore", "VortexStore", "VortexCluster", "OrderedCollections", "DequeModule",
            "Synchronization",
        ],
        "VortexGateway": [
            "VortexCore", "VortexCluster", "CExpat", "CHttpd", "Crypto", "Logging", "Glibc",
            "OrderedCollections", "DequeModule", "Synchronization",
        ],
        "vortex": [
            "VortexCore", "VortexStore", "VortexCluster", "VortexNet", "VortexGateway",
            "VortexSimulator", "CCurl", "CHttpd", "CProcess",
            "ArgumentParser", "Logging", "Crypto", "Glibc", "OrderedCollections", "DequeModule",
            "Synchronization",
        ],
    ]

    static func check(_ file: SourceFile) -> [Violation] {
        guard let target = file.target else { return [] }
        guard let modules = allowed[target] else {
            return [
                Violation(path: file.path, line: 0, rule: "\(target) is not a known target")
            ]
        }
        var violations: [Violation] = []
        for (index, line) in file.code.enumerated() {
            guard let module = imported(line), !modules.contains(module) else { continue }
            violations.append(
                Violation(
                    path: file.path, line: index + 1,
                    rule: "\(target) may not import \(module)"))
        }
        return violations
    }

    /// The module that a line imports: `public import struct M.Name` imports M.
    static func imported(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let keyword = words.firstIndex(of: "import") else { return nil }
        let levels: Set<Substring> = [
            "public", "package", "internal", "fileprivate", "private", "@testable", "@_exported",
            "@preconcurrency",
        ]
        guard words[..<keyword].allSatisfy({ levels.contains($0) }) else { return nil }
        let kinds: Set<Substring> = [
            "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
        ]
        let name = words[(keyword + 1)...].first { !kinds.contains($0) }
        return name.flatMap { $0.split(separator: ".").first }.map(String.init)
    }
}
