internal import NIOCore
internal import VortexCore

/// Frames out of a stream of bytes. The naive decoder gathers a whole frame before it hands it on:
/// each bulk byte is then copied twice, through memory that grows as it goes. Here a frame's bulk
/// goes from the socket's buffer straight to where it stays, and where that is, is asked once its
/// header and head are known:
///
///     header ---> head ---> [.needsPlace ---> bulk] ---> .frame
///
/// Heads are small and are gathered; memory grows only as their bytes arrive.
struct FrameDecoder {
    enum Event {
        /// The frame's bulk needs memory: call `place` or `discard` before the next `next`.
        case needsPlace(FrameHeader)
        case frame(Frame)
    }

    /// Where the bulk of the frame that is arriving goes.
    private enum Bulk {
        case undecided
        case into(ChunkBuffer)
        case discarded
    }

    /// A first frame has no right to more memory than a hello needs.
    static let helloHeadBytesMax = 64

    private let version: UInt16
    private var header: FrameHeader?
    private var head: [UInt8] = []
    private var bulk = Bulk.undecided
    private var bulkLeft = 0
    private var isFirst = true

    init(version: UInt16 = FrameHeader.version) { self.version = version }

    /// Whether the stream may end here.
    var isBetweenFrames: Bool { header == nil }

    /// The next event of the bytes in `buffer`, or nil when all of them are consumed but for the
    /// start of a header.
    mutating func next(_ buffer: inout ByteBuffer) throws(FrameError) -> Event? {
        guard let header = try currentHeader(&buffer) else { return nil }
        if head.count < header.headBytes {
            let taken = min(header.headBytes - head.count, buffer.readableBytes)
            if taken == header.headBytes { head.reserveCapacity(taken) }
            buffer.readWithUnsafeReadableBytes { bytes in
                head.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
                return taken
            }
            guard head.count == header.headBytes else { return nil }
        }
        if case .undecided = bulk {
            guard CRC32C.checksum(head, seed: FrameHeader.headSeed) == header.headChecksum else {
                throw .headChecksum
            }
            guard header.bulkBytes == nil else { return .needsPlace(header) }
            return .frame(finish(header, bulk: nil))
        }
        takeBulk(&buffer)
        guard bulkLeft == 0 else { return nil }
        if case .into(let place) = bulk { return .frame(finish(header, bulk: place)) }
        return .frame(finish(header, bulk: nil))
    }

    /// Answers `.needsPlace`: the bulk goes in here, which has room for it.
    mutating func place(in buffer: ChunkBuffer) {
        precondition(buffer.capacity - buffer.count >= header?.bulkBytes ?? 0)
        bulk = .into(buffer)
        bulkLeft = header?.bulkBytes ?? 0
    }

    /// Answers `.needsPlace`: nobody wants this bulk; its frame comes without one.
    mutating func discard() {
        bulk = .discarded
        bulkLeft = header?.bulkBytes ?? 0
    }

    private mutating func currentHeader(
        _ buffer: inout ByteBuffer
    ) throws(FrameError) -> FrameHeader? {
        if let header { return header }
        let version = version
        // Who is not one of us learns so from four bytes and is not waited for.
        guard buffer.readableBytes >= FrameHeader.bytes else {
            let begins = buffer.getInteger(
                at: buffer.readerIndex, endianness: .little, as: UInt32.self)
            if let begins, begins != FrameHeader.magic { throw .notOurs }
            return nil
        }
        let decoded = buffer.readWithUnsafeReadableBytes { bytes in
            let own = UnsafeRawBufferPointer(rebasing: bytes[..<FrameHeader.bytes])
            let result = Result { () throws(FrameError) in
                try FrameHeader(own, version: version)
            }
            return (FrameHeader.bytes, result)
        }
        let next = try decoded.get()
        if isFirst, next.headBytes > Self.helloHeadBytesMax || next.bulkBytes != nil {
            throw .unexpected(next.type)
        }
        isFirst = false
        header = next
        return next
    }

    private mutating func takeBulk(_ buffer: inout ByteBuffer) {
        let taken = min(bulkLeft, buffer.readableBytes)
        bulkLeft -= taken
        guard case .into(let place) = bulk else {
            buffer.moveReaderIndex(forwardBy: taken)
            return
        }
        buffer.readWithUnsafeReadableBytes { bytes in
            place.append(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
        }
    }

    private mutating func finish(_ header: FrameHeader, bulk: ChunkBuffer?) -> Frame {
        defer {
            self.header = nil
            head = []
            self.bulk = .undecided
        }
        return Frame(header: header, head: head, bulk: bulk)
    }
}

/// One frame, whole.
struct Frame: Sendable {
    var header: FrameHeader
    var head: [UInt8]
    var bulk: ChunkBuffer?

    var message: WireMessage {
        WireMessage(kind: header.kind, epoch: header.epoch, head: head, bulk: bulk)
    }
}
