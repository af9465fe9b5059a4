import Glibc
import Testing

@testable import VortexGateway

@Suite struct AccessLogTests {
    private func entry(_ target: String) -> AccessLog.Entry {
        AccessLog.Entry(
            peer: "127.0.0.1", method: "GET", target: target, status: 200, bytes: 5,
            nanoseconds: 7_000, requestID: "abc", isBroken: false)
    }

    private func pipePair() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func text(from descriptor: Int32) -> String {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(descriptor, &piece, piece.count), count > 0 {
            all += piece.prefix(count)
        }
        return String(decoding: all, as: UTF8.self)
    }

    @Test(arguments: [AccessLog.Format.common, .json])
    func `each request is one line, whatever its target`(format: AccessLog.Format) throws {
        let (input, output) = try pipePair()
        let log = AccessLog(format, descriptor: output)
        for target in ["/a", "/a\"b", "/a\nb", "/\u{1b}[0m\\"] { log.write(entry(target)) }
        log.finish()
        close(output)
        let lines = text(from: input).split(separator: "\n")
        close(input)
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { !$0.utf8.contains { $0 < 0x20 } && $0.contains("abc") })
    }

    @Test func `a log that nobody reads delays nobody, and what it lost is counted`() throws {
        let (input, output) = try pipePair()
        let log = AccessLog(.common, descriptor: output)
        let target = "/" + String(repeating: "x", count: 1_000)
        for _ in 0..<10_000 { log.write(entry(target)) }
        log.finish()
        #expect(fcntl(input, F_SETFL, O_NONBLOCK) == 0)
        #expect(text(from: input).utf8.count >= 60_000)
        log.finish()
        #expect(!text(from: input).isEmpty)
        close(input)
        close(output)
    }
}
