import Testing

@testable import VortexGateway

@Suite struct HTTPServerTests {
    @Test func `answers that wait for another thread arrive whole, one after the other`() throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        for count in [0, 1, 70_000, 3, 1_000_000, 65_536, 65_537] {
            client.send("GET /bytes/\(count) HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.answer())
            #expect(answer.status == 200 && !answer.isBroken)
            #expect(answer.body.count == count)
            #expect(
                answer.body.indices.allSatisfy { answer.body[$0] == UInt8(truncatingIfNeeded: $0) })
        }
    }

    @Test func `pipelined requests are answered in their order`() throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        let counts = (1...50).map { $0 * 100 }
        client.send(
            counts.map { "GET /bytes/\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        for count in counts { #expect(client.answer()?.body.count == count) }
    }

    @Test(arguments: [0, 1, 48 << 10, 65_536, 1_000_003, 9 << 20])
    func `a body is taken as it was sent`(count: Int) throws {
        let fixture = try ServerFixture()
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let expected = "\(count) \(body.reduce(0) { $0 + Int($1) })"
        let client = RawClient(port: fixture.port)
        client.send("PUT /sum HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n")
        client.send(body)
        let first = try #require(client.answer())
        #expect(String(decoding: first.body, as: UTF8.self) == expected)
        client.send("PUT /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(100_000)
            client.send(
                Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8))
            rest = rest.dropFirst(piece.count)
        }
        client.send("0\r\n\r\n")
        let second = try #require(client.answer())
        #expect(String(decoding: second.body, as: UTF8.self) == expected)
    }

    @Test func `a body is invited only where it is wanted`() throws {
        let fixture = try ServerFixture()
        let head = " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        let refused = RawClient(port: fixture.port)
        refused.send("PUT /refused" + head)
        #expect(refused.answer()?.status == 403)
        #expect(refused.isEnded)
        let wanted = RawClient(port: fixture.port)
        wanted.send("PUT /sum" + head)
        #expect(wanted.answer()?.status == 100)
        wanted.send("\u{1}\u{1}\u{1}\u{1}\u{1}")
        #expect(wanted.answer().map { String(decoding: $0.body, as: UTF8.self) } == "5 5")
    }

    @Test(arguments: [
        "Host: a\r\nContent-Length: 5\r\nContent-Length: 5",
        "Host: a\r\nContent-Length: 5\r\nContent-Length: 6",
        "Host: a\r\nContent-Length: 5, 5", "Host: a\r\nContent-Length: +5",
        "Host: a\r\nContent-Length: -1", "Host: a\r\nContent-Length: 0x5",
        "Host: a\r\nContent-Length: 99999999999999999999",
        "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Host: a\r\nTransfer-Encoding: gzip, chunked", "Host: a\r\nTransfer-Encoding: xchunked",
        "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Host: a\r\nContent-Length : 5", "Host: a\r\nX(y): z", "Accept: */*",
        "Host: a\r\nHost: a", "Host: a b", "Host: a\r\nX: y\u{1}z", "Host: a\r\nX: y\u{0}z",
        "Host: a\r\nX: y\u{0}z\r\nY: z", "Host: a\r\nX: y\u{0}\r\nY: z",
        "Host: a\r\nTransfer-Encoding:\r\n chunked", "Host: a\r\nX: 1\r\n Y: 2",
        "Host: a\r\nTransfer-Encoding:\r\n\tchunked\r\nX: 1", "Host: a\r\n: v",
        "Host: a\r\n: v\r\nTransfer-Encoding: chunked", "Host: a\nX: y",
        "Host: a\nTransfer-Encoding: chunked", "Host: a\r\n folded",
    ])
    func `a head that two readers could understand differently is refused`(
        fields: String
    ) throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        client.send(
            "PUT /sum HTTP/1.1\r\n\(fields)\r\n\r\nGET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try #require(client.answer())
        #expect([400, 413].contains(answer.status))
        #expect(client.isEnded || answer.closes)
        #expect(fixture.handler.total == 0)
    }

    @Test func `a head is understood in whatever pieces it comes`() throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        let long = String(repeating: "x", count: 15_000)
        let head =
            "GET /bytes/3 HTTP/1.1\r\nHost:a\r\nX:   \r\nY:\tz \t\r\nCookie: a=b; c=\"d\"\r\n\r\n"
        for byte in head.utf8 { client.send([byte]) }
        #expect(client.answer()?.body.count == 3)
        for round in 1...6 {
            let fields = (0..<round).map { "X\($0): \(long)\r\n" }
            client.send("\r\nGET /bytes/\(round) HTTP/1.1\r\nHost: a\r\n")
            for field in fields where round < 4 { client.send(field) }
            client.send("Empty:\r\n\r\n" + head)
            #expect(client.answer()?.body.count == round)
            #expect(client.answer()?.body.count == 3)
        }
        let old = RawClient(port: fixture.port)
        old.send("GET /bytes/2 HTTP/1.0\r\n\r\n")
        #expect(old.answer()?.body.count == 2)
    }

    @Test func `a head larger than the connection's memory is refused`() throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        client.send("GET /bytes/1 HTTP/1.1\r\nHost: a\r\nX: ")
        client.send(String(repeating: "x", count: 512 << 10))
        #expect(client.answer()?.status == 431)
        #expect(fixture.handler.total == 0)
    }

    @Test func `content that cannot be read breaks the connection`() throws {
        let fixture = try ServerFixture()
        let client = RawClient(port: fixture.port)
        client.send("GET /broken/1000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try #require(client.answer())
        #expect(answer.isBroken && answer.body.count == 500_000)
        let small = RawClient(port: fixture.port)
        small.send("GET /broken/1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(small.answer()?.status == 500)
    }

    @Test func `a client that does not go on with its body is told so and cut`() throws {
        let fixture = try ServerFixture { $0.bodySeconds = 0 }
        let client = RawClient(port: fixture.port)
        client.send("PUT /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nabc")
        #expect(fixture.ticks { fixture.handler.total > 0 && fixture.server.requestsInFlight == 0 })
        let answer = try #require(client.answer())
        #expect(answer.status == 408 && answer.closes)
        #expect(client.isEnded)
    }

    @Test func `a refused body that drips in is cut`() throws {
        let fixture = try ServerFixture { $0.bodySeconds = 0 }
        let client = RawClient(port: fixture.port)
        client.send("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n")
        #expect(
            fixture.ticks {
                client.send("x")
                return fixture.handler.total > 0 && fixture.server.requestsInFlight == 0
            })
    }

    @Test func `clients that go away leave nothing behind`() throws {
        let fixture = try ServerFixture()
        let put = "PUT /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"
        let body = [UInt8](repeating: 1, count: 1_500_000)
        for round in 0..<2_000 {
            let client = RawClient(port: fixture.port)
            switch round % 6 {
            case 0: client.send(put)
            case 1: client.send(Array(put.utf8) + body[..<(round * 37)])
            case 2: client.send("GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            case 3: client.send("GET /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\nGET /byt")
            case 4:
                client.send(
                    "PUT /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
            default:
                client.send("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
                client.send(Array(body[..<70_000]))
            }
            if round % 4 == 1 { client.resetOnClose() }
        }
        #expect(
            fixture.ticks { fixture.server.requestsInFlight == 0 && fixture.handler.alive == 0 })
    }
}
