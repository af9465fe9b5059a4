/// A hybrid logical clock (Kulkarni et al., 2014): 48 bits of wall milliseconds, 16 bits of
/// counter. Monotonic whatever the wall clock does, and never behind what it has observed.
public struct HybridClock: Sendable {
    public private(set) var last: UInt64

    public init(last: UInt64 = 0) { self.last = last }

    /// The next value: at least `milliseconds`, above every value given or observed before.
    public mutating func next(milliseconds: UInt64) -> UInt64 {
        last = max(last + 1, milliseconds << 16)
        return last
    }

    public mutating func observe(_ value: UInt64) { last = max(last, value) }

    public static func milliseconds(of value: UInt64) -> UInt64 { value >> 16 }
}
