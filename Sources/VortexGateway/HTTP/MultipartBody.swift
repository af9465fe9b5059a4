public import VortexCluster

/// A stretch of an object as an answer's content.
public final class ObjectBody: ContentStream {
    private let reader: ObjectReader
    private let range: Range<UInt64>

    public init(_ reader: ObjectReader, _ range: Range<UInt64>) {
        self.reader = reader
        self.range = range
    }

    public var length: UInt64 { UInt64(range.count) }

    public func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int {
        let wanted = min(UInt64(buffer.count), length - min(offset, length))
        guard wanted > 0 else { return 0 }
        return try await reader.read(
            at: range.lowerBound + offset,
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]))
    }
}

/// The places of a multipart/byteranges body (RFC 9110, 14.6): where each part's header and bytes
/// begin, so that any stretch of it can be made on its own and its length is known in advance.
///
///     CRLF --boundary CRLF Content-Type: t CRLF Content-Range: bytes 0-1/9 CRLF CRLF   text
///     2 bytes of the object                                                            object
///     CRLF --boundary ...                                                              text
///     CRLF --boundary-- CRLF                                                           text
public struct MultipartLayout: Sendable, Hashable {
    enum Piece: Sendable, Hashable {
        case text([UInt8])
        case object(Range<UInt64>)

        var length: UInt64 {
            switch self {
            case .text(let bytes): UInt64(bytes.count)
            case .object(let range): range.upperBound - range.lowerBound
            }
        }
    }

    let pieces: [Piece]
    /// Where each piece begins.
    let starts: [UInt64]
    public let length: UInt64

    public init(ranges: [Range<UInt64>], size: UInt64, contentType: String, boundary: String) {
        var pieces: [Piece] = []
        for range in ranges {
            let contentRange = ByteRanges.contentRange(range, size: size)
            let header = """
                \r\n--\(boundary)\r\nContent-Type: \(contentType)\r\n\
                Content-Range: \(contentRange)\r\n\r\n
                """
            pieces.append(.text(Array(header.utf8)))
            pieces.append(.object(range))
        }
        pieces.append(.text(Array("\r\n--\(boundary)--\r\n".utf8)))
        var starts: [UInt64] = []
        var length: UInt64 = 0
        for piece in pieces {
            starts.append(length)
            length += piece.length
        }
        self.pieces = pieces
        self.starts = starts
        self.length = length
    }

    /// The piece that has byte `offset`, and how far into it that is.
    func piece(at offset: UInt64) -> (index: Int, into: UInt64)? {
        guard offset < length else { return nil }
        var low = 0
        var high = pieces.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if starts[middle] <= offset { low = middle } else { high = middle - 1 }
        }
        return (low, offset - starts[low])
    }
}

public final class MultipartBody: ContentStream {
    private let reader: ObjectReader
    private let layout: MultipartLayout

    public init(_ reader: ObjectReader, _ layout: MultipartLayout) {
        self.reader = reader
        self.layout = layout
    }

    public func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int {
        var filled = 0
        while filled < buffer.count, let place = layout.piece(at: offset + UInt64(filled)) {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let piece = layout.pieces[place.index]
            let count = Int(min(UInt64(room.count), piece.length - place.into))
            switch piece {
            case .text(let bytes):
                room.copyBytes(from: bytes[Int(place.into)..<Int(place.into) + count])
                filled += count
            case .object(let range):
                let read = try await reader.read(
                    at: range.lowerBound + place.into,
                    into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
                guard read > 0 else { return filled }
                filled += read
            }
        }
        return filled
    }
}
