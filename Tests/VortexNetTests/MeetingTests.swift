import Crypto
import NIOCore
import Testing
import VortexCore

@testable import VortexNet

/// Who is let in, and what becomes of those who are not.
struct MeetingTests {
    private func frame(
        _ type: FrameHeader.FrameType, head: [UInt8], bulk: [UInt8]? = nil, request: UInt64 = 1
    ) -> [UInt8] {
        var writer = FrameWriter()
        writer.add(
            FrameHeader(type: type, request: request, head: head, bulkBytes: bulk?.count),
            head: head, bulk: bulk.map { ChunkBuffer(copying: $0) })
        var bytes: [UInt8] = []
        while let piece = writer.next(ByteBufferAllocator()) { bytes += piece.readableBytesView }
        return bytes
    }

    private var hello: [UInt8] {
        frame(
            .hello, head: PeerIdentity(node: NodeID(5), cluster: Node.cluster).helloHead())
    }

    private func strangersOptions() -> [PeerNetworkOptions] {
        [
            Node.options(listen: "", secret: [1]),
            Node.options(listen: "", cluster: ClusterID(high: 8, low: 8)),
            Node.options(listen: "", version: FrameHeader.version + 1),
        ]
    }

    @Test(arguments: 0..<3)
    func `another secret, cluster or version is refused at the asker`(stranger: Int) async throws {
        let options = strangersOptions()[stranger]
        try await withPair(Answers.echo, asking: options) { asker, address in
            #expect(await asker.failure(address) == .refused)
            // And as fast while it rests.
            #expect(await asker.failure(address) == .refused)
        }
    }

    @Test func `a node of no cluster yet may ask, and be asked`() async throws {
        let joining = Node.options(listen: "", cluster: .zero)
        try await withPair(Answers.echo, asking: joining) { asker, address in
            #expect(await asker.failure(address) == nil)
        }
        try await withPair(Answers.echo, answering: Node.options(cluster: .zero)) {
            asker, address in
            #expect(await asker.failure(address) == nil)
        }
    }

    @Test func `who a node is counts from its next connection on`() async throws {
        let stranger = Node.options(listen: "", cluster: ClusterID(high: 8, low: 8))
        try await withPair(Answers.echo, asking: stranger) { asker, address in
            #expect(await asker.failure(address) == .refused)
            asker.identify(PeerIdentity(node: NodeID(2), cluster: Node.cluster))
            while let failure = await asker.failure(address) {
                #expect(failure == .refused)
                await Task.yield()
            }
        }
    }

    @Test func `the same secret makes the same authority, another another`() throws {
        let one = try Credentials.authorityKey(Node.secret).rawRepresentation
        #expect(try Credentials.authorityKey(Node.secret).rawRepresentation == one)
        #expect(try Credentials.authorityKey([1]).rawRepresentation != one)
    }

    @Test func `plain HTTP and random bytes are turned away, and the node goes on`() async throws {
        try await withPair(Answers.echo) { asker, address in
            _ = try await RawPeer.say(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), to: address)
            for seed in 0..<20 {
                let entropy = SeededEntropy(seed: UInt64(seed))
                let bytes = entropy.bytes(64 + entropy.below(4_000))
                _ = try await RawPeer.say(bytes, to: address)
            }
            #expect(await asker.failure(address) == nil)
        }
    }

    @Test func `who has the secret and breaks the protocol is turned away`() async throws {
        let credentials = try Credentials(secret: Node.secret, entropy: SeededEntropy(seed: 2))
        let question = frame(.question, head: [1, 2, 3], bulk: [4, 5, 6])
        var tooLong = FrameHeader(type: .question, head: [])
        tooLong.headBytes = Limits.wireHeadBytesMax + 1
        var bulky = FrameHeader(type: .question, head: [])
        bulky.bulkBytes = Limits.chunkBytes + 1
        let oversize = [tooLong, bulky].map { header in
            var buffer = ByteBuffer()
            header.write(to: &buffer)
            return hello + Array(buffer.readableBytesView)
        }
        let breaches =
            oversize + [
                question, frame(.hello, head: [1]), frame(.hello, head: Array(1...65)),
                hello + hello, hello + frame(.answer, head: []),
                frame(
                    .hello,
                    head: PeerIdentity(node: NodeID(5), cluster: ClusterID(high: 8, low: 8))
                        .helloHead()),
            ]
        try await withPair(Answers.echo) { asker, address in
            for breach in breaches {
                _ = try await RawPeer.say(breach, to: address, as: credentials)
            }
            #expect(await asker.failure(address) == nil)
        }
    }

    @Test func `a flipped bit in a header or head closes the connection`() async throws {
        let credentials = try Credentials(secret: Node.secret, entropy: SeededEntropy(seed: 2))
        let question = frame(.question, head: SeededEntropy(seed: 4).bytes(40), bulk: [4, 5, 6])
        let checkedBits = (FrameHeader.bytes + 40) * 8
        try await withPair(Answers.echo) { asker, address in
            for seed in 0..<30 {
                let bit = SeededEntropy(seed: UInt64(seed)).below(checkedBits)
                var flipped = question
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                let heard = try await RawPeer.say(hello + flipped, to: address, as: credentials)
                // Its hello, and no answer.
                #expect(heard.count == hello.count)
            }
            #expect(await asker.failure(address) == nil)
        }
    }

    @Test func `a frame that breaks off anywhere does no harm`() async throws {
        let credentials = try Credentials(secret: Node.secret, entropy: SeededEntropy(seed: 2))
        let question = frame(.question, head: [1, 2, 3], bulk: SeededEntropy(seed: 4).bytes(5_000))
        let said = hello + question
        try await withPair(Answers.echo) { asker, address in
            for seed in 0..<30 {
                let end = SeededEntropy(seed: UInt64(seed)).below(said.count)
                let heard = try await RawPeer.say(
                    Array(said[..<end]), to: address, as: credentials, end: .byItself)
                #expect(heard.count <= hello.count)
            }
            #expect(await asker.failure(address) == nil)
        }
    }

    @Test(arguments: [false, true])
    func `who says nothing is closed in time`(hasSecret: Bool) async throws {
        let credentials = try Credentials(secret: Node.secret, entropy: SeededEntropy(seed: 2))
        var answering = Node.options()
        answering.helloTimeout = .milliseconds(50)
        try await withPair(Answers.echo, answering: answering) { asker, address in
            let heard = try await RawPeer.say(
                [], to: address, as: hasSecret ? credentials : nil)
            // On a busy machine the time is up before the handshake is done, and it hears nothing.
            #expect(heard.isEmpty || hasSecret && heard.count == hello.count)
        }
    }

    @Test func `a peer that never says hello is unreachable`() async throws {
        let deaf = try await DeafPeer.start()
        var asking = Node.options(listen: "")
        asking.helloTimeout = .milliseconds(50)
        let asker = try await Node.start(asking, Answers.echo)
        #expect(await asker.network.failure(deaf.address) == .unreachable)
        await asker.network.stop()
        await deaf.stop()
    }

    @Test func `a peer that speaks another protocol is refused`() async throws {
        // One that talks first, in plain text.
        let other = try await DeafPeer.start(saying: "220 mail.example.org ESMTP\r\n")
        let asker = try await Node.start(Node.options(listen: ""), Answers.echo)
        #expect(await asker.network.failure(other.address) == .refused)
        await asker.network.stop()
        await other.stop()
    }

    @Test func `refusals are spoken of once a minute for each reason`() {
        var counts = RefusalCounts()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        #expect(counts.count(.tls, now: start) == 1)
        #expect(counts.count(.cluster, now: start) == 1)
        for second in 1..<60 {
            #expect(counts.count(.tls, now: start + .seconds(Int64(second))) == nil)
        }
        #expect(counts.count(.tls, now: start + .seconds(60)) == 60)
        #expect(counts.count(.tls, now: start + .seconds(61)) == nil)
    }
}
