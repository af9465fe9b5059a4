internal import VortexCore

/// A JSON document (RFC 8259), read in one pass. Hostile input stays small: depth and the number of
/// values are bounded by who asks, and a name that stands twice in an object is an error, since
/// readers disagree about which one counts.
public indirect enum JSONValue: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public var name: String
        public var value: JSONValue
        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }
    case object([Member])
    case array([JSONValue])
    case string(String)
    /// As it is spelled.
    case number(String)
    case bool(Bool)
    case null

    public struct Malformed: Error, Hashable, Sendable {}

    /// `bytes` are bounded by who calls.
    public static func parse(
        _ bytes: [UInt8], depthMax: Int, valuesMax: Int
    ) throws(Malformed) -> JSONValue {
        var reader = JSONReader(bytes, valuesLeft: valuesMax)
        let value = try reader.value(depthLeft: depthMax)
        guard reader.isAtEnd else { throw Malformed() }
        return value
    }

    /// An object's member.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
    public var text: String? { if case .string(let text) = self { text } else { nil } }
    public var items: [JSONValue] { if case .array(let items) = self { items } else { [] } }

    /// A whole number without a sign.
    public var number: UInt64? {
        guard case .number(let text) = self else { return nil }
        return Self.whole(text)
    }

    /// The same, as itself or in quotes.
    var count: UInt64? { text.flatMap { Self.whole($0) } ?? number }

    private static func whole(_ text: String) -> UInt64? {
        text.utf8.allSatisfy(isDigit) ? UInt64(text) : nil
    }
}

private struct JSONReader {
    private let bytes: [UInt8]
    private var place = 0
    private var valuesLeft: Int

    init(_ bytes: [UInt8], valuesLeft: Int) {
        self.bytes = bytes
        self.valuesLeft = valuesLeft
    }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return place == bytes.count
        }
    }

    private var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = peek, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { place += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - place >= count,
            bytes[place..<place + count].elementsEqual(
                UnsafeBufferPointer(start: word.utf8Start, count: count))
        else { return false }
        place += count
        return true
    }

    mutating func value(depthLeft: Int) throws(JSONValue.Malformed) -> JSONValue {
        valuesLeft -= 1
        guard depthLeft > 0, valuesLeft >= 0 else { throw JSONValue.Malformed() }
        skipSpace()
        guard let byte = peek else { throw JSONValue.Malformed() }
        switch byte {
        case UInt8(ascii: "{"): return try object(depthLeft)
        case UInt8(ascii: "["): return try array(depthLeft)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), 0x30...0x39: return try number()
        default:
            if take(word: "true") { return .bool(true) }
            if take(word: "false") { return .bool(false) }
            if take(word: "null") { return .null }
            throw JSONValue.Malformed()
        }
    }

    private mutating func object(_ depthLeft: Int) throws(JSONValue.Malformed) -> JSONValue {
        place += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            let name = try string()
            skipSpace()
            guard take(":"), names.insert(name).inserted else { throw JSONValue.Malformed() }
            members.append(.init(name: name, value: try value(depthLeft: depthLeft - 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw JSONValue.Malformed() }
        }
    }

    private mutating func array(_ depthLeft: Int) throws(JSONValue.Malformed) -> JSONValue {
        place += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            values.append(try value(depthLeft: depthLeft - 1))
            skipSpace()
            if take("]") { return .array(values) }
            guard take(",") else { throw JSONValue.Malformed() }
        }
    }

    private mutating func number() throws(JSONValue.Malformed) -> JSONValue {
        let start = place
        while let byte = peek, isDigit(byte) || "+-.eE".utf8.contains(byte) { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        guard Double(text) != nil else { throw JSONValue.Malformed() }
        return .number(text)
    }

    private mutating func string() throws(JSONValue.Malformed) -> String {
        guard take("\"") else { throw JSONValue.Malformed() }
        var text: [UInt8] = []
        while let byte = peek {
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else {
                    throw JSONValue.Malformed()
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw JSONValue.Malformed()
            default: text.append(byte)
            }
        }
        throw JSONValue.Malformed()
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONValue.Malformed) {
        guard let byte = peek else { throw JSONValue.Malformed() }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        // Not JSON's, but in the policies of Amazon's own examples.
        case UInt8(ascii: "$"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hexUnit()
            if (0xd800..<0xdc00).contains(unit) {
                guard take(word: "\\u") else { throw JSONValue.Malformed() }
                let low = try hexUnit()
                guard (0xdc00..<0xe000).contains(low) else { throw JSONValue.Malformed() }
                unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw JSONValue.Malformed() }
            text += String(Character(scalar)).utf8
        default: throw JSONValue.Malformed()
        }
    }

    private mutating func hexUnit() throws(JSONValue.Malformed) -> UInt32 {
        guard bytes.count - place >= 4 else { throw JSONValue.Malformed() }
        var unit: UInt32 = 0
        for byte in bytes[place..<place + 4] {
            guard let digit = Hex.digit(byte) else { throw JSONValue.Malformed() }
            unit = unit << 4 | UInt32(digit)
        }
        place += 4
        return unit
    }
}
