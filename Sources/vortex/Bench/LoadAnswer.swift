/// The head of an answer, as far as the load generator has to know it.
struct LoadAnswer {
    let status: Int
    let contentLength: Int
    let closes: Bool
    /// Bytes of the head, with its empty line.
    let headBytes: Int

    /// Nil while the head is incomplete.
    init?(parsing bytes: UnsafeRawBufferPointer) throws(LoadFailure) {
        guard let end = Self.end(of: bytes) else { return nil }
        headBytes = end
        guard end >= 17, Self.matches(bytes, at: 0, "http/1.1 ") else { throw .malformed }
        var status = 0
        for byte in bytes[9..<12] {
            guard (0x30...0x39).contains(byte) else { throw .malformed }
            status = status * 10 + Int(byte - 0x30)
        }
        self.status = status
        // 1xx, 204 and 304 have no body whatever they say (RFC 9112, 6.3).
        let bodiless = status < 200 || status == 204 || status == 304
        var length: Int? = bodiless ? 0 : nil
        var closes = false
        var line = 0
        while line < end {
            if !bodiless, Self.matches(bytes, at: line, "content-length:") {
                length = try Self.number(bytes[(line + 15)..<end])
            } else if Self.matches(bytes, at: line, "connection: close") {
                closes = true
            }
            while line < end, bytes[line] != 0x0a { line += 1 }
            line += 1
        }
        guard let length else { throw .malformed }
        contentLength = length
        self.closes = closes
    }

    private static func end(of bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 3
        while index < bytes.count {
            if bytes[index] == 0x0a, bytes[index - 1] == 0x0d, bytes[index - 2] == 0x0a {
                return index + 1
            }
            index += 1
        }
        return nil
    }

    /// Without regard to the case of letters; `text` is in lower case.
    private static func matches(
        _ bytes: UnsafeRawBufferPointer, at start: Int, _ text: StaticString
    ) -> Bool {
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            let byte = bytes[start + index]
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            guard lower == text.utf8Start[index] else { return false }
        }
        return true
    }

    private static func number(_ bytes: Slice<UnsafeRawBufferPointer>) throws(LoadFailure) -> Int {
        var number: Int?
        for byte in bytes {
            if byte == 0x20, number == nil { continue }
            guard (0x30...0x39).contains(byte) else { break }
            guard number ?? 0 < 1 << 50 else { throw .malformed }
            number = (number ?? 0) * 10 + Int(byte - 0x30)
        }
        guard let number else { throw .malformed }
        return number
    }
}
