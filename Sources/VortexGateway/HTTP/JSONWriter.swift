public import VortexCore

/// The one JSON encoder: straight into bytes, in the order of the calls. It does not check that the
/// calls make a document; `key` and the values place the commas.
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init(reserving capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "{"))
        body(&self)
        end(UInt8(ascii: "}"))
    }
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "["))
        body(&self)
        end(UInt8(ascii: "]"))
    }
    public mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }
    public mutating func array(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }

    // The two halves of `object` and `array`, for what is written across several calls.
    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// A member's name, which must need no escaping.
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        self.value(value)
    }
    public mutating func member(_ name: StaticString, _ value: UInt64) {
        key(name)
        self.value(value)
    }
    public mutating func member(_ name: StaticString, _ value: Int) {
        precondition(value >= 0)
        member(name, UInt64(value))
    }
    public mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        raw(value ? "true" : "false")
    }
    public mutating func member(_ name: StaticString, _ value: Double) {
        key(name)
        // JSON has no spelling for infinities and NaN.
        raw(value.isFinite ? value.description : "null")
    }
    public mutating func member(_ name: StaticString, time milliseconds: UInt64) {
        key(name)
        value(time: milliseconds)
    }
    /// A version's tag, without quotes of its own.
    public mutating func member(_ name: StaticString, tag: EntityTag) {
        key(name)
        value(tag: tag)
    }
    /// UTF-8 bytes; the caller knows that they are.
    public mutating func member(_ name: StaticString, utf8: [UInt8]) {
        key(name)
        value(utf8: utf8)
    }
    /// An array whose values another writer has written, one after the other.
    public mutating func array(_ name: StaticString, finished values: JSONWriter) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        bytes.append(contentsOf: values.bytes)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }
    public mutating func null(_ name: StaticString) {
        key(name)
        raw("null")
    }

    public mutating func value(_ text: String) {
        var text = text
        separate()
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { escape(UnsafeRawBufferPointer($0)) }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }
    public mutating func value(utf8: UnsafeRawBufferPointer) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        escape(utf8)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }
    public mutating func value(utf8: [UInt8]) { utf8.withUnsafeBytes { value(utf8: $0) } }

    public mutating func value(_ number: UInt64) {
        separate()
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { buffer in
            var rest = number
            var start = 20
            repeat {
                start -= 1
                buffer[start] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            bytes.append(contentsOf: buffer[start..<20])
        }
        needsComma = true
    }
    public mutating func value(tag: EntityTag) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        append(hex: tag.digest.high)
        append(hex: tag.digest.low)
        if tag.parts > 0 {
            bytes.append(UInt8(ascii: "-"))
            value(UInt64(tag.parts))
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }
    private mutating func append(hex number: UInt64) {
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
            bytes.append(Self.hexDigits[Int(number >> shift & 15)])
        }
    }
    public mutating func value(time milliseconds: UInt64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(rfc3339: milliseconds)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Appends a finished value or, with `needsComma` still false, part of one.
    private mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }
    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
    }
    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// RFC 8259, 7: quotation mark, backslash and control characters; runs without any are copied
    /// whole.
    private mutating func escape(_ text: UnsafeRawBufferPointer) {
        var clean = 0
        for index in 0..<text.count {
            let byte = text[index]
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
            bytes.append(contentsOf: text[clean..<index])
            clean = index + 1
            bytes.append(UInt8(ascii: "\\"))
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
            case 0x0a: bytes.append(UInt8(ascii: "n"))
            case 0x0d: bytes.append(UInt8(ascii: "r"))
            case 0x09: bytes.append(UInt8(ascii: "t"))
            default:
                let digits = Self.hexDigits
                bytes.append(contentsOf: [
                    UInt8(ascii: "u"), 0x30, 0x30, digits[Int(byte >> 4)], digits[Int(byte & 15)],
                ])
            }
        }
        bytes.append(contentsOf: text[clean..<text.count])
    }
    private static let hexDigits = Array("0123456789abcdef".utf8)
}
