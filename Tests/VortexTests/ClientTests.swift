import ArgumentParser
import Testing

@testable import vortex

@Suite struct JSONReaderTests {
    @Test func `what a server writes is read`() throws {
        let text = #"{"a": [1, -2.5e1, true, null], "b\u00e9\n": {"c": "\ud83e\udd91/\\"}}"#
        let value = try JSONReader.read(Array(text.utf8))
        #expect(value["a"] == .array([.number(1), .number(-25), .bool(true), .null]))
        #expect(value["bé\n"]?["c"]?.text == "🦑/\\")
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "tru", "1 2", "\"\\x\"", "\"\\ud800\"",
        "\"\\u+041\"",
        "\"\u{1}\"", "[1", "--1", "nullx",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONReader.Failure.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `depth is bounded`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONReader.Failure.tooDeep) { try JSONReader.read(Array(deep.utf8)) }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `no bytes make it trap`(seed: UInt64) {
        var state = seed
        let alphabet = Array("{}[]\",:\\u0truefalsn 1e-.d8".utf8)
        let bytes = (0..<64).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return alphabet[Int(state >> 33) % alphabet.count]
        }
        do { _ = try JSONReader.read(bytes) } catch { #expect(error != .tooDeep) }
    }
}

@Suite struct ObjectPathTests {
    @Test func `the first slash parts bucket and key`() {
        #expect(ObjectPath("b/a/c") == ObjectPath(bucket: "b", key: "a/c"))
        #expect(ObjectPath("b") == ObjectPath(bucket: "b", key: ""))
        #expect(ObjectPath("b//x").key == "/x")
    }

    @Test func `a folder does not take in what only begins like it`() {
        #expect(ObjectPath("b/up").folder.key == "up/")
        #expect(ObjectPath("b/up/").folder.key == "up/")
        #expect(ObjectPath("b").folder.key == "")
    }

    @Test func `a target keeps slashes and encodes the rest`() {
        #expect(ObjectPath("b/a b/é?#%").target == "/v1/objects/b/a%20b/%c3%a9%3f%23%25")
    }

    @Test(arguments: ["../a", "a/../b", "a//b", "/a", ".", "a/.", "a/\0"])
    func `a key that leads out of a folder is no file's name`(key: String) {
        #expect(ObjectPath.fileName(key) == nil)
    }
}

@Suite struct ClientErrorTests {
    @Test(
        arguments: [
            (ClientError.local("l"), 1), (.refused(status: 403, detail: "d"), 2),
            (.refused(status: 404, detail: "d"), 3), (.absent("a"), 4), (.unreachable("u"), 4),
            (.refused(status: 412, detail: "d"), 5), (.interrupted, 130),
        ] as [(ClientError, Int32)])
    func `a script can tell failures apart`(error: ClientError, code: Int32) {
        #expect(error.exitCode == ExitCode(code))
    }

    @Test func `only what may pass is tried again`() {
        #expect(ClientError.unreachable("u").isPassing)
        #expect(ClientError.refused(status: 503, detail: "d").isPassing)
        #expect(!ClientError.refused(status: 507, detail: "d").isPassing)
        #expect(!ClientError.local("l").isPassing)
        #expect(!ClientError.interrupted.isPassing)
    }
}

@Suite struct LocalFileTests {
    @Test func `a device is written to, not replaced`() {
        #expect(LocalFile.isSpecial("/dev/null"))
        #expect(!LocalFile.isSpecial("/etc/passwd"))
        #expect(!LocalFile.isSpecial("/no/such/file"))
    }

    @Test func `a write that fails is said`() throws {
        let file = try LocalFile(writing: "/dev/full")
        let failure = [UInt8](repeating: 1, count: 10).withUnsafeBytes { bytes -> ClientError? in
            do throws(ClientError) { try file.write(bytes) } catch { return error }
            return nil
        }
        #expect(failure?.exitCode == ExitCode(1))
    }
}
