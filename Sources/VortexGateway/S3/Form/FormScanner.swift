/// The pieces of a multipart/form-data body (RFC 7578, RFC 2046 section 5.1), read in order from
/// bytes that come as they please. It holds no more than what it was given and has not told yet,
/// and looks at each byte a fixed number of times: a delimiter begins with CR, which no boundary
/// has, so that no two attempts to match one go over the same bytes.
///
///     --boundary CRLF headers CRLF CRLF content   CRLF--boundary CRLF ...   CRLF--boundary--
struct FormScanner: Sendable {
    /// Of a boundary: RFC 2046, 5.1.1.
    static let boundaryBytes = 1...70

    private let delimiter: [UInt8]
    private var held: [UInt8] = []
    private var place = 0
    /// Up to where no delimiter begins, so far as is known.
    private var scanned = 0
    private var isAtStart = true

    /// nil for what is no boundary.
    init?(boundary: String) {
        guard Self.boundaryBytes.contains(boundary.utf8.count),
            boundary.utf8.allSatisfy(Self.isBoundaryByte), boundary.utf8.last != 0x20
        else { return nil }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    private static func isBoundaryByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "'()+_,-./:=? ".utf8.contains(byte)
        }
    }

    /// What was given and not told yet.
    var heldBytes: Int { held.count - place }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        if place > 0 {
            held.removeFirst(place)
            scanned = max(0, scanned - place)
            place = 0
        }
        held.append(contentsOf: bytes)
    }

    /// What follows a delimiter.
    enum Step: Hashable, Sendable {
        case part, end
        case wantsMore
        case malformed
    }

    /// Goes over the delimiter at this very place, and what belongs to it.
    mutating func takeDelimiter() -> Step {
        // The first one begins the body, without the line's end before it.
        let expected = isAtStart ? delimiter[2...] : delimiter[...]
        guard held.count - place >= expected.count + 2 else {
            return held[place...].starts(with: expected)
                || expected.starts(with: held[place...]) ? .wantsMore : .malformed
        }
        guard held[place...].starts(with: expected) else { return .malformed }
        let after = place + expected.count
        let step: Step
        switch (held[after], held[after + 1]) {
        case (0x0d, 0x0a): step = .part
        case (UInt8(ascii: "-"), UInt8(ascii: "-")): step = .end
        default: return .malformed
        }
        isAtStart = false
        place = after + 2
        scanned = place
        return step
    }

    /// The lines of a part's header, without the empty one at its end, and more than `linesMax`
    /// where it has too many; nil where it is not all there.
    mutating func takeHeader(_ linesMax: Int) -> [ArraySlice<UInt8>]? {
        var lines: [ArraySlice<UInt8>] = []
        var start = place
        while let end = lineEnd(from: start) {
            guard lines.count <= linesMax else { return lines }
            if end == start {
                place = end + 2
                scanned = place
                return lines
            }
            lines.append(held[start..<end])
            start = end + 2
        }
        return nil
    }

    private func lineEnd(from start: Int) -> Int? {
        var at = start
        while let found = held[at...].firstIndex(of: 0x0d) {
            guard found + 1 < held.count else { return nil }
            if held[found + 1] == 0x0a { return found }
            at = found + 1
        }
        return nil
    }

    /// All of a part's content, to the next delimiter; nil where that is not there.
    mutating func takeContent() -> [UInt8]? {
        guard scan() else { return nil }
        let content = Array(held[place..<scanned])
        place = scanned
        return content
    }

    /// As much of a part's content as fits and is known to be content; true where that was all.
    mutating func takeContent(_ room: Int) -> (bytes: ArraySlice<UInt8>, isAll: Bool) {
        let isEnd = scan()
        let end = place + min(scanned - place, room)
        let bytes = held[place..<end]
        place = end
        return (bytes, isEnd && place == scanned)
    }

    /// Moves `scanned` to the next delimiter, or to where one may begin; true at one.
    private mutating func scan() -> Bool {
        while scanned < held.count {
            guard let start = held[scanned...].firstIndex(of: 0x0d) else {
                scanned = held.count
                return false
            }
            scanned = start
            let rest = held[start...]
            if rest.count < delimiter.count {
                if delimiter.starts(with: rest) { return false }
            } else if rest.starts(with: delimiter) {
                return true
            }
            scanned = start + 1
        }
        return false
    }
}
