import Testing

/// Each rule can fail, and does not where it should not.
struct RulesTests {
    private func file(_ text: String, path: String = "Sources/VortexStore/X.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    private func lines(_ count: Int) -> String { String(repeating: "a\n", count: count) }

    @Test func `a file of 601 lines is too long, of 600 not`() {
        #expect(SizeRules.check(file(lines(600))).isEmpty)
        #expect(SizeRules.check(file(lines(601))).count == 1)
    }

    @Test func `a line of 101 characters is too long, of 100 not`() {
        let line = String(repeating: "é", count: 100)
        #expect(SizeRules.check(file(line)).isEmpty)
        #expect(SizeRules.check(file("x\n" + line + "e")).map(\.line) == [2])
    }

    @Test(arguments: [
        "func f() {", "    public static func f(a: Int = { 1 }()) throws(E) -> Int {",
        "    init?(\n        a: Int\n    ) {", "    deinit {",
        "    @discardableResult mutating func f<A>() -> [A]\n    where A: B {",
    ])
    func `a function of 71 lines is too long, of 70 not`(head: String) {
        let body = 70 - head.split(separator: "\n").count - 1
        #expect(SizeRules.check(file(head + "\n" + lines(body) + "}\n")).isEmpty)
        #expect(SizeRules.check(file(head + "\n" + lines(body + 1) + "}\n")).count == 1)
    }

    @Test func `braces in strings and comments do not count`() {
        let text = """
            func f() {
                let a = "}" // }
                /* } /* } */ */
                let b = #"}"}"# + "\\("}")}"
            }
            """
        #expect(SizeRules.functions(file(text)).map(\.lines) == [5])
        let multi = "func f() {\n  x(\"\"\"\n  }\n  \"\"\")\n}\n"
        #expect(SizeRules.functions(file(multi)).map(\.lines) == [5])
    }

    @Test func `a requirement has no body, calls are not declarations`() {
        let text = "protocol P {\n  func a()\n  func b()\n}\nlet x = S.init(1) { 2 }\n"
        #expect(SizeRules.functions(file(text)).isEmpty)
    }

    @Test(arguments: [
        "Task.detached { }", "let q = DispatchQueue(label: x)", "Task { await x() }",
        "let a = try? f()", "let a = try! f()", "import Foundation", "import Dispatch",
        "do { try f() } catch {}", "do {\n} catch {\n    // ignored\n}", "do {\n} catch E.a {\n\n}",
        "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
    ])
    func `a forbidden word is found`(text: String) {
        #expect(!WordRules.check(file(text)).isEmpty)
    }

    @Test(arguments: [
        "// Task.detached is not used", "let a = \"try?\"", "group.addTask { await x() }",
        "do {\n} catch {\n    throw error\n}", "let count = entry?.count",
        "do {\n} catch .full {\n    // Dead segments will make room.\n}",
    ])
    func `what only looks like one is not`(text: String) {
        #expect(WordRules.check(file(text)).isEmpty)
    }

    @Test func `unchecked needs an edge and a reason`() {
        let path = "Sources/VortexGateway/Server/X.swift"
        let bare = "final class A: @unchecked Sendable {}"
        let reason = "/// Unchecked: the daemon's thread alone touches it.\n"
        #expect(WordRules.check(file(bare, path: path)).count == 1)
        #expect(WordRules.check(file(reason + bare, path: path)).isEmpty)
        #expect(WordRules.check(file(reason + bare)).count == 1)
    }

    @Test(arguments: [
        ("VortexCore", "VortexStore"), ("VortexCore", "CRocksDB"), ("VortexStore", "VortexCluster"),
        ("VortexCluster", "VortexGateway"), ("VortexCluster", "CHttpd"),
        ("VortexGateway", "VortexStore"), ("VortexGateway", "ArgumentParser"),
        ("VortexStore", "NIO"), ("Elsewhere", "VortexCore"),
    ])
    func `an arrow against the table is found`(target: String, module: String) {
        for level in ["", "public ", "@preconcurrency internal "] {
            let text = "\(level)import \(module)\n"
            #expect(!ImportRules.check(file(text, path: "Sources/\(target)/X.swift")).isEmpty)
        }
    }

    @Test func `an arrow of the table is not`() {
        let text = "public import VortexCore\ninternal import struct VortexStore.Store\n"
        #expect(ImportRules.check(file(text, path: "Sources/VortexCluster/X.swift")).isEmpty)
        #expect(ImportRules.imported("// we import VortexStore") == nil)
    }

    @Test(arguments: [
        "final class LayoutManager {}", "enum HexUtils {}", "struct BaseRow {}",
        "public protocol NewThing {}", "actor IndexImpl {}", "typealias RowV2 = Int",
    ])
    func `a name that says nothing is found`(text: String) {
        #expect(NameRules.emptyNames(file(text)).count == 1)
    }

    @Test func `a file's name is held to the same`() {
        for name in ["Helpers", "StoreService", "Common"] {
            let path = "Sources/VortexStore/\(name).swift"
            #expect(NameRules.emptyNames(file("", path: path)).count == 1)
        }
        #expect(NameRules.emptyNames(file("struct Newest {}\nclass func make() {}")).isEmpty)
        #expect(NameRules.words(of: "HTTPServerV2") == ["HTTP", "Server", "V2"])
    }

    @Test func `a file begins with what it solves`() {
        #expect(NameRules.headless(file("struct A {}\n")).count == 1)
        #expect(NameRules.headless(file("import B\n\nstruct A {}\n/// a\n")).count == 1)
        #expect(NameRules.headless(file("\n")).count == 1)
        #expect(NameRules.headless(file("/// Why.\nstruct A {}\n")).isEmpty)
        #expect(NameRules.headless(file("public import B\n\n/// Why.\n")).isEmpty)
        #expect(NameRules.headless(file("import B\n", path: "Tests/T/X.swift")).isEmpty)
    }
}
