/// A page of a listing, read with plain byte searches: a quotation mark inside a JSON string is
/// always escaped, so that `"key":` and `"next":` are found nowhere but as names of members.
struct ListPage {
    let keys: Int
    /// What `after` of the next page is, percent-encoded; nil on the last page.
    let next: [UInt8]?

    init(parsing body: UnsafeRawBufferPointer) throws(LoadFailure) {
        keys = Self.count("\"key\":", in: body)
        let name: StaticString = "\"next\":"
        var start = body.count - name.utf8CodeUnitCount
        while start >= 0, !Self.matches(name, body, start) { start -= 1 }
        guard start >= 0 else { throw .malformed }
        start += name.utf8CodeUnitCount
        while start < body.count, body[start] == 0x20 { start += 1 }
        if Self.matches("null", body, start) {
            next = nil
        } else {
            next = try Self.encoded(string: body[start...])
        }
    }

    private static func count(_ name: StaticString, in body: UnsafeRawBufferPointer) -> Int {
        var found = 0
        var index = 0
        while index < body.count {
            if body[index] == name.utf8Start[0], matches(name, body, index) {
                found += 1
                index += name.utf8CodeUnitCount
            } else {
                index += 1
            }
        }
        return found
    }

    private static func matches(
        _ name: StaticString, _ body: UnsafeRawBufferPointer, _ start: Int
    ) -> Bool {
        guard start + name.utf8CodeUnitCount <= body.count else { return false }
        for index in 0..<name.utf8CodeUnitCount
        where body[start + index] != name.utf8Start[index] { return false }
        return true
    }

    /// A JSON string (RFC 8259, 7) as a query's value (RFC 3986, 2.3).
    private static func encoded(
        string body: Slice<UnsafeRawBufferPointer>
    ) throws(LoadFailure) -> [UInt8] {
        var rest = body
        guard rest.popFirst() == UInt8(ascii: "\"") else { throw .malformed }
        var encoded: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return encoded
            case UInt8(ascii: "\\"): append(try unescaped(&rest), to: &encoded)
            default: append(byte, to: &encoded)
            }
        }
        throw .malformed
    }

    private static func append(_ byte: UInt8, to encoded: inout [UInt8]) {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: encoded.append(byte)
        default:
            encoded.append(UInt8(ascii: "%"))
            for digit in [byte >> 4, byte & 15] {
                encoded.append(digit < 10 ? 0x30 + digit : 0x37 + digit)
            }
        }
    }

    /// What follows a backslash. The server writes what is not ASCII as it is, never as `\u`.
    private static func unescaped(
        _ rest: inout Slice<UnsafeRawBufferPointer>
    ) throws(LoadFailure) -> UInt8 {
        switch rest.popFirst() {
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "u"):
            let digits = String(decoding: rest.prefix(4), as: UTF8.self)
            guard digits.utf8.count == 4, let byte = UInt8(digits, radix: 16), byte < 0x80 else {
                throw .malformed
            }
            rest.removeFirst(4)
            return byte
        case let byte?: return byte
        case nil: throw .malformed
        }
    }
}
