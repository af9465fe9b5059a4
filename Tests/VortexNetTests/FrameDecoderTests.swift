import NIOCore
import Testing
import VortexCore

@testable import VortexNet

struct FrameDecoderTests {
    private static let hello = PeerIdentity(node: NodeID(5), cluster: Node.cluster).helloHead()

    private func encoded(_ messages: [WireMessage]) -> [UInt8] {
        var writer = FrameWriter()
        writer.add(FrameHeader(type: .hello, head: Self.hello), head: Self.hello)
        for (index, message) in messages.enumerated() {
            writer.add(message, type: .question, request: UInt64(index))
        }
        var bytes: [UInt8] = []
        while let piece = writer.next(ByteBufferAllocator()) { bytes += piece.readableBytesView }
        #expect(writer.frameCount == 0 && writer.unsentBytes == 0)
        return bytes
    }

    /// Feeds `bytes` in pieces as long as `cut` says.
    private func decode(_ bytes: [UInt8], discarding: Bool = false, cut: () -> Int) throws
        -> [Frame]
    {
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        var buffer = ByteBuffer()
        var place = 0
        while place < bytes.count {
            let end = min(bytes.count, place + max(1, cut()))
            buffer.writeBytes(bytes[place..<end])
            place = end
            while let event = try decoder.next(&buffer) {
                switch event {
                case .frame(let frame): frames.append(frame)
                case .needsPlace(let header):
                    #expect(header.bulkBytes ?? .max <= Limits.chunkBytes)
                    if discarding {
                        decoder.discard()
                    } else {
                        decoder.place(in: ChunkBuffer(capacity: header.bulkBytes ?? 0))
                    }
                }
            }
        }
        return frames
    }

    private func messages(seed: UInt64) -> [WireMessage] {
        let entropy = SeededEntropy(seed: seed)
        return (0..<8).map { number in
            let bulk = entropy.below(3) == 0 ? nil : entropy.bytes(entropy.below(5_000))
            return message(UInt8(number), head: entropy.bytes(entropy.below(3_000)), bulk: bulk)
        }
    }

    @Test(arguments: 0..<20)
    func `frames come back whole however the stream is cut`(seed: UInt64) throws {
        let messages = messages(seed: seed)
        let entropy = SeededEntropy(seed: seed + 1_000)
        let frames = try decode(encoded(messages)) { entropy.below(700) }
        #expect(frames.count == messages.count + 1)
        #expect(frames[0].header.type == .hello)
        for (index, (frame, message)) in zip(frames.dropFirst(), messages).enumerated() {
            #expect(frame.header.request == UInt64(index))
            #expect(frame.header.kind == message.kind)
            #expect(frame.header.epoch == message.epoch)
            #expect(frame.head == message.head)
            #expect(frame.message.bulkBytes == message.bulkBytes)
        }
    }

    @Test func `frames larger than a piece come back whole`() throws {
        let entropy = SeededEntropy(seed: 1)
        let messages = [
            message(head: entropy.bytes(700_001), bulk: entropy.bytes(1 << 20)),
            message(head: entropy.bytes(FrameWriter.pieceBytes - FrameHeader.bytes), bulk: []),
            message(bulk: entropy.bytes(FrameWriter.pieceBytes)),
        ]
        let frames = try decode(encoded(messages)) { 1 << 16 }
        for (frame, message) in zip(frames.dropFirst(), messages) {
            #expect(frame.head == message.head)
            #expect(frame.message.bulkBytes == message.bulkBytes)
        }
        #expect(frames.count == 4)
    }

    @Test func `small frames go before large ones, and do not starve them`() throws {
        let large = (0..<3).map { _ in message(2, bulk: [UInt8](repeating: 1, count: 1 << 20)) }
        let small = (0..<1_000).map { _ in message(1, head: [UInt8](repeating: 1, count: 1_000)) }
        let kinds = try decode(encoded(large + small)) { 1 << 16 }.dropFirst().map(\.header.kind)
        #expect(kinds.count == 1_003)
        // Half a piece of small ones, and the first large one begins.
        #expect(kinds.firstIndex(of: 2) == FrameWriter.pieceBytes / 2 / 1_048)
        #expect(kinds.lastIndex(of: 2) ?? .max < 1_000)
    }

    @Test func `a discarded bulk leaves the next frame whole`() throws {
        let messages = messages(seed: 5)
        let frames = try decode(encoded(messages), discarding: true) { 333 }
        #expect(frames.dropFirst().map(\.head) == messages.map(\.head))
        #expect(frames.allSatisfy { $0.bulk == nil })
    }

    @Test(arguments: 0..<200)
    func `a flipped bit in a header or a head is noticed`(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        let head = entropy.bytes(1 + entropy.below(500))
        var bytes = encoded([message(head: head, bulk: entropy.bytes(100))])
        let start = FrameHeader.bytes + Self.hello.count
        let bit = entropy.below((FrameHeader.bytes + head.count) * 8)
        bytes[start + bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: FrameError.self) { try decode(bytes) { 100 } }
    }

    @Test(arguments: 0..<200)
    func `random bytes are no frames and do no harm`(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        let bytes = entropy.bytes(4 + entropy.below(2_000))
        #expect(throws: FrameError.notOurs) { try decode(bytes) { entropy.below(50) } }
    }

    @Test(arguments: 0..<100)
    func `a stream that ends early ends within a frame`(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let bytes = encoded(messages(seed: seed))
        let end = entropy.below(bytes.count)
        let frames = try decode(Array(bytes[..<end])) { 1 + entropy.below(900) }
        #expect(frames.count <= 8)
    }

    /// A header with these fields and a right checksum.
    private func header(_ change: (inout ByteBuffer) -> Void) -> [UInt8] {
        var buffer = ByteBuffer()
        FrameHeader(type: .question, head: []).write(to: &buffer)
        change(&buffer)
        let covered = Array(buffer.readableBytesView.dropLast(4))
        buffer.setInteger(
            CRC32C.checksum(covered, seed: FrameHeader.headerSeed), at: 44, endianness: .little)
        return encoded([]) + Array(buffer.readableBytesView)
    }

    @Test func `each field beyond its bounds is named`() {
        func error(_ change: (inout ByteBuffer) -> Void) -> FrameError? {
            do {
                _ = try decode(header(change)) { 1_000 }
                return nil
            } catch { return error as? FrameError }
        }
        #expect(error { _ in } == nil)
        #expect(error { $0.setInteger(UInt8(9), at: 6) } == .type(9))
        #expect(error { $0.setInteger(UInt16(9), at: 4, endianness: .little) } == .version(9))
        #expect(error { $0.setInteger(UInt32(2), at: 40, endianness: .little) } == .flags(2))
        #expect(error { $0.setInteger(UInt32(1), at: 32, endianness: .little) } == .flags(0))
        let head = UInt32(Limits.wireHeadBytesMax) + 1
        #expect(error { $0.setInteger(head, at: 20, endianness: .little) } == .headTooLong(head))
        let bulk = UInt32(Limits.chunkBytes) + 1
        #expect(
            error {
                $0.setInteger(bulk, at: 32, endianness: .little)
                $0.setInteger(UInt32(1), at: 40, endianness: .little)
            } == .bulkTooLong(bulk))
    }

    @Test func `a first frame gets no memory beyond a hello's`() {
        var decoder = FrameDecoder()
        var buffer = ByteBuffer()
        FrameHeader(type: .hello, head: [UInt8](repeating: 1, count: 65)).write(to: &buffer)
        #expect(throws: FrameError.unexpected(.hello)) { _ = try decoder.next(&buffer) }
    }
}
