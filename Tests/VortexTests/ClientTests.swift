import ArgumentParser
import Testing

@testable import vortex

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
