/// The one byte coding of the store: little-endian fixed integers, LEB128 where numbers are mostly
/// small, byte strings behind their length. Whoever writes a format puts its version first.

/// Bytes from disk, a peer or a client that do not decode. Never a trap.
public enum CodingError: Error, Equatable, Sendable {
    /// `needed` more bytes were asked for than the `remaining` ones.
    case truncated(needed: Int, remaining: Int)
    /// A number or a length beyond what the format allows.
    case outOfRange(UInt64)
    /// A version or tag that this program does not know.
    case unknown(tag: UInt64)
    /// Bytes that are not UTF-8 where text belongs.
    case notText
    /// Bytes are left over behind the last field.
    case trailing(Int)
}

/// Encodes into one growing buffer.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    public var count: Int { bytes.count }

    public mutating func write(_ value: UInt8) { bytes.append(value) }
    public mutating func write<Value: FixedWidthInteger>(fixed value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    /// Big-endian, for index keys that must sort as their numbers do.
    public mutating func write<Value: FixedWidthInteger>(ordered value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    public mutating func write(number value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
    public mutating func write(raw value: [UInt8]) { bytes.append(contentsOf: value) }
    public mutating func write(raw value: some Collection<UInt8>) {
        bytes.append(contentsOf: value)
    }
    public mutating func write(string value: [UInt8]) {
        write(number: UInt64(value.count))
        bytes.append(contentsOf: value)
    }
    public mutating func write(text value: String) {
        write(number: UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }
    public mutating func write<Kind>(_ id: ID<Kind>) {
        write(ordered: id.high)
        write(ordered: id.low)
    }
    public mutating func write(_ value: Digest128) {
        write(ordered: value.high)
        write(ordered: value.low)
    }
    /// Overwrites four bytes written before, for a length or checksum known only now.
    public mutating func patch(_ value: UInt32, at offset: Int) {
        for byte in 0..<4 {
            bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
        }
    }
}

/// Decodes bytes that someone else owns and keeps alive: use it inside `withUnsafeBytes`.
public struct ByteReader {
    @usableFromInline let base: UnsafeRawBufferPointer
    @usableFromInline var place = 0
    public var offset: Int { place }

    public init(_ bytes: UnsafeRawBufferPointer) { base = bytes }

    /// Decodes all of `bytes`; what is left over is an error.
    public static func decode<Value>(
        _ bytes: [UInt8], _ body: (inout ByteReader) throws(CodingError) -> Value
    ) throws(CodingError) -> Value {
        try prefix(bytes) { (reader) throws(CodingError) in
            let value = try body(&reader)
            guard reader.remaining == 0 else { throw CodingError.trailing(reader.remaining) }
            return value
        }
    }

    /// Decodes what `bytes` begin with.
    public static func prefix<Value>(
        _ bytes: [UInt8], _ body: (inout ByteReader) throws(CodingError) -> Value
    ) throws(CodingError) -> Value {
        let result = bytes.withUnsafeBytes { raw -> Result<Value, CodingError> in
            var reader = ByteReader(raw)
            do throws(CodingError) { return .success(try body(&reader)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @inlinable public var remaining: Int { base.count - place }

    @inlinable mutating func take(_ count: Int) throws(CodingError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw .truncated(needed: count, remaining: remaining)
        }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: base[place..<place + count])
    }

    public mutating func skip(_ count: Int) throws(CodingError) { _ = try take(count) }
    public mutating func readByte() throws(CodingError) -> UInt8 { try take(1)[0] }
    @inlinable public mutating func readFixed<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(CodingError) -> Value {
        Value(littleEndian: try take(MemoryLayout<Value>.size).loadUnaligned(as: type))
    }
    @inlinable public mutating func readOrdered<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(CodingError) -> Value {
        Value(bigEndian: try take(MemoryLayout<Value>.size).loadUnaligned(as: type))
    }
    public mutating func readNumber() throws(CodingError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try readByte()
            guard shift < 63 || byte <= 1 else { throw .outOfRange(UInt64(byte)) }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw .outOfRange(value)
    }
    /// A count or length of at most `max`.
    public mutating func readCount(max: Int) throws(CodingError) -> Int {
        let value = try readNumber()
        guard value <= UInt64(max) else { throw .outOfRange(value) }
        return Int(value)
    }
    public mutating func readRaw(_ count: Int) throws(CodingError) -> [UInt8] {
        Array(try take(count))
    }
    public mutating func readString(max: Int) throws(CodingError) -> [UInt8] {
        Array(try take(try readCount(max: max)))
    }
    public mutating func readText(max: Int) throws(CodingError) -> String {
        let raw = try take(try readCount(max: max))
        guard let text = String(validating: raw, as: UTF8.self) else { throw .notText }
        return text
    }
    public mutating func readID<Kind>(_ type: ID<Kind>.Type = ID<Kind>.self) throws(CodingError)
        -> ID<Kind>
    {
        ID(high: try readOrdered(), low: try readOrdered())
    }
    public mutating func readDigest() throws(CodingError) -> Digest128 {
        Digest128(high: try readOrdered(), low: try readOrdered())
    }
}
