/// The arithmetic behind reflected CRCs: polynomials over GF(2) modulo the CRC's own, the highest
/// power in the lowest bit. From the checksums of two strings and the second one's length it makes
/// the checksum of both together, in a few dozen steps (the method is zlib's `crc32_combine`).
public struct CRCCombination<Value: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// Reflected, without its highest power.
    public let polynomial: Value

    public init(polynomial: Value) { self.polynomial = polynomial }

    private static var one: Value { 1 << Value(Value.bitWidth - 1) }

    /// The checksum of a string and, behind it, one of `length` bytes.
    public func combined(_ first: Value, _ second: Value, length: UInt64) -> Value {
        product(powerOfX(bits: length), first) ^ second
    }

    private func product(_ left: Value, _ right: Value) -> Value {
        var mask = Self.one
        var factor = right
        var sum: Value = 0
        while mask != 0 {
            if left & mask != 0 { sum ^= factor }
            mask >>= 1
            factor = factor & 1 == 0 ? factor >> 1 : factor >> 1 ^ polynomial
        }
        return sum
    }

    /// x to the power of 8 times `bytes`, by squaring.
    private func powerOfX(bits bytes: UInt64) -> Value {
        var result = Self.one
        // x^8
        var power = Self.one >> 8
        var rest = bytes
        while rest > 0 {
            if rest & 1 == 1 { result = product(result, power) }
            power = product(power, power)
            rest >>= 1
        }
        return result
    }
}
