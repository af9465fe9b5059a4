/// JSON as the server sends it, read with a bound on its depth; its length is bounded by who calls.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.text(let left), .text(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)):
            left.count == right.count
                && zip(left, right).allSatisfy { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }

    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
    var text: String? {
        if case .text(let text) = self { return text }
        return nil
    }
    var items: [JSONValue] {
        if case .array(let items) = self { return items }
        return []
    }
    var number: UInt64? {
        guard case .number(let number) = self, number >= 0, number < 9e15 else { return nil }
        return UInt64(number)
    }
}

struct JSONReader {
    enum Failure: Error, Equatable { case malformed(offset: Int), tooDeep }
    static let depthMax = 32

    private let bytes: [UInt8]
    private var offset = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func read(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw .malformed(offset: reader.offset) }
        return value
    }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[offset]) { offset += 1 }
    }

    private mutating func next() throws(Failure) -> UInt8 {
        guard offset < bytes.count else { throw .malformed(offset: offset) }
        offset += 1
        return bytes[offset - 1]
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        guard depth < Self.depthMax else { throw .tooDeep }
        skipSpace()
        guard offset < bytes.count else { throw .malformed(offset: offset) }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(
        _ word: String, _ value: JSONValue
    ) throws(Failure) -> JSONValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw .malformed(offset: offset) }
        offset += word.utf8.count
        return value
    }

    /// Takes some that JSON has not, as 01 and 1. do; a server that sends them is understood.
    private mutating func number() throws(Failure) -> JSONValue {
        let start = offset
        let allowed = Set("+-.eE0123456789".utf8)
        while offset < bytes.count, allowed.contains(bytes[offset]) { offset += 1 }
        guard let number = Double(String(decoding: bytes[start..<offset], as: UTF8.self)) else {
            throw .malformed(offset: start)
        }
        return .number(number)
    }

    private mutating func array(_ depth: Int) throws(Failure) -> JSONValue {
        offset += 1
        var items: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .array(items) }
        repeat { items.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw .malformed(offset: offset) }
        return .array(items)
    }

    private mutating func object(_ depth: Int) throws(Failure) -> JSONValue {
        offset += 1
        var members: [(name: String, value: JSONValue)] = []
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            let name = try text()
            guard take(UInt8(ascii: ":")) else { throw .malformed(offset: offset) }
            members.append((name, try value(depth: depth + 1)))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw .malformed(offset: offset) }
        return .object(members)
    }

    private mutating func text() throws(Failure) -> String {
        guard try next() == UInt8(ascii: "\"") else { throw .malformed(offset: offset - 1) }
        var result: [UInt8] = []
        while true {
            let byte = try next()
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: result, as: UTF8.self) else {
                    throw .malformed(offset: offset)
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw .malformed(offset: offset - 1)
            default: result.append(byte)
            }
        }
    }

    private mutating func escape(into result: inout [UInt8]) throws(Failure) {
        let byte = try next()
        switch byte {
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "u"):
            var unit = UInt32(try hex())
            if (0xd800..<0xdc00).contains(unit) {
                guard try next() == UInt8(ascii: "\\"), try next() == UInt8(ascii: "u") else {
                    throw .malformed(offset: offset)
                }
                let low = UInt32(try hex())
                guard (0xdc00..<0xe000).contains(low) else { throw .malformed(offset: offset) }
                unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw .malformed(offset: offset) }
            result.append(contentsOf: String(scalar).utf8)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        default: throw .malformed(offset: offset - 1)
        }
    }

    private mutating func hex() throws(Failure) -> UInt16 {
        guard offset + 4 <= bytes.count, bytes[offset] != UInt8(ascii: "+"),
            let value = UInt16(
                String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16)
        else { throw .malformed(offset: offset) }
        offset += 4
        return value
    }
}
