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

    private var frames = Deque<Outgoing>()
    /// Of the first frame.
    private var written = 0
    private(set) var unsentBytes = 0

    var isEmpty: Bool { frames.isEmpty }
    var frameCount: Int { frames.count }

    static func bytes(of message: WireMessage) -> Int {
        FrameHeader.bytes + message.head.count + (message.bulk?.count ?? 0)
    }

    mutating func add(_ header: FrameHeader, head: [UInt8], bulk: ChunkBuffer? = nil) {
        let frame = Outgoing(header: header, head: head, bulk: bulk)
        unsentBytes += frame.bytes
        frames.append(frame)
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
        while let frame = frames.first, piece.readableBytes < Self.pieceBytes {
            copy(frame, to: &piece)
            guard written == frame.bytes else { break }
            frames.removeFirst()
            written = 0
        }
        unsentBytes -= piece.readableBytes
        return piece
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
