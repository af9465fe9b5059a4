/// A histogram of nanoseconds in a fixed 58 KiB, however many are recorded: every power of two is
/// divided into 128 equal steps, so that a percentile is at most 1/128 above the truth. The
/// greatest is exact.
struct Latencies {
    private static let stepBits: UInt64 = 7
    private static let steps: UInt64 = 1 << stepBits

    private(set) var count: UInt64 = 0
    private(set) var maxNanoseconds: UInt64 = 0
    private var buckets = [UInt64](repeating: 0, count: Int((64 - stepBits + 1) << stepBits))

    mutating func record(_ nanoseconds: UInt64) {
        buckets[Self.bucket(of: nanoseconds)] += 1
        count += 1
        maxNanoseconds = max(maxNanoseconds, nanoseconds)
    }

    mutating func add(_ other: Latencies) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
        maxNanoseconds = max(maxNanoseconds, other.maxNanoseconds)
    }

    /// The least bucket's upper bound that `fraction` of the recorded do not exceed; 0 of none.
    func microseconds(at fraction: Double) -> Double {
        let rank = max(1, UInt64((Double(count) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen += bucket
            if seen >= rank {
                return Double(min(Self.upperBound(of: UInt64(index)), maxNanoseconds)) / 1_000
            }
        }
        return 0
    }

    /// Values below 128 have a bucket each; above, the 7 bits after the leading one are the step.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= steps else { return Int(value) }
        let shift = UInt64(63 - value.leadingZeroBitCount) - stepBits
        return Int((shift + 1) << stepBits + (value >> shift - steps))
    }
    private static func upperBound(of bucket: UInt64) -> UInt64 {
        guard bucket >= steps else { return bucket }
        let shift = bucket >> stepBits - 1
        return (bucket & (steps - 1) + steps) << shift + (1 << shift - 1)
    }
}
