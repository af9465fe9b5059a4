internal import DequeModule
internal import NIOCore
internal import VortexCore

/// Frames on their way out of one connection: kept as they are, and copied once, piece by piece, as
/// the socket takes them. Copying whole frames when they are handed over would hold each chunk
/// twice for as long as a slow peer likes.
struct FrameWriter {
    private struct Outgoing {
        var header: FrameHeader
        var head: [UInt8]
        var bulk: ChunkBuffer?
        var bytes: Int { FrameHeader.bytes + head.count + (bulk?.count ?? 0) }
    }

    /// A piece is one `ByteBuffer`: TLS records are cut from it, small frames are gathered in it.
    static let pieceBytes = 256 << 10
    /// A frame of at most this much goes before larger ones that have not begun: an answer to "are
    /// you there" does not wait for the chunks of all GETs that are on their way.
    private static let smallBytesMax = 16 << 10

    private var small = Deque<Outgoing>()
    private var large = Deque<Outgoing>()
    /// Begun, and `written` so far.
    private var current: Outgoing?
    private var written = 0
    private(set) var unsentBytes = 0

    var frameCount: Int { small.count + large.count + (current == nil ? 0 : 1) }

    static func bytes(of message: WireMessage) -> Int {
        FrameHeader.bytes + message.head.count + (message.bulk?.count ?? 0)
    }

    mutating func add(_ header: FrameHeader, head: [UInt8], bulk: ChunkBuffer? = nil) {
        let frame = Outgoing(header: header, head: head, bulk: bulk)
        unsentBytes += frame.bytes
        if frame.bytes <= Self.smallBytesMax { small.append(frame) } else { large.append(frame) }
    }

    mutating func add(_ message: WireMessage, type: FrameHeader.FrameType, request: UInt64) {
        let header = FrameHeader(
            type: type, kind: message.kind, request: request, epoch: message.epoch,
            head: message.head, bulkBytes: message.bulk?.count)
        add(header, head: message.head, bulk: message.bulk)
    }

    /// The next bytes for the socket; nil when there are none.
    mutating func next(_ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard unsentBytes > 0 else { return nil }
        var piece = allocator.buffer(capacity: min(unsentBytes, Self.pieceBytes))
        while let frame = begin(after: piece.readableBytes) {
            copy(frame, to: &piece)
            guard written == frame.bytes else { break }
            current = nil
            written = 0
        }
        unsentBytes -= piece.readableBytes
        return piece
    }

    /// The frame to go on with in a piece of so many bytes; nil when the piece is full, or there is
    /// none. Small ones first, but in half of each piece at most: large ones are not starved.
    private mutating func begin(after bytes: Int) -> Outgoing? {
        if current != nil { return bytes < Self.pieceBytes ? current : nil }
        guard bytes + FrameHeader.bytes <= Self.pieceBytes else { return nil }
        let isSmallsTurn = large.isEmpty || bytes < Self.pieceBytes / 2
        current = isSmallsTurn ? small.popFirst() ?? large.popFirst() : large.popFirst()
        return current
    }

    /// As much of `frame` as the piece still holds, from `written` on.
    private mutating func copy(_ frame: Outgoing, to piece: inout ByteBuffer) {
        if written == 0 {
            frame.header.write(to: &piece)
            written = FrameHeader.bytes
        }
        let headEnd = FrameHeader.bytes + frame.head.count
        if written < headEnd {
            let from = written - FrameHeader.bytes
            let count = min(frame.head.count - from, max(0, Self.pieceBytes - piece.readableBytes))
            piece.writeBytes(frame.head[from..<from + count])
            written += count
        }
        guard let bulk = frame.bulk, written >= headEnd else { return }
        let from = written - headEnd
        let count = min(bulk.count - from, max(0, Self.pieceBytes - piece.readableBytes))
        piece.writeBytes(UnsafeRawBufferPointer(rebasing: bulk.bytes[from..<from + count]))
        written += count
    }
}
