internal import Synchronization
public import VortexCore

/// SplitMix64 (Steele et al., 2014): all randomness of a simulated run comes from its seed.
public final class SimulatedEntropy: Entropy {
    private let state: Mutex<UInt64>

    public init(seed: UInt64) { state = Mutex(seed) }

    public func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    public func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Whether something happens that happens so often in 1,000 times.
    public func happens(perMille: Int) -> Bool { below(1_000) < perMille }

    /// Of a range that may be empty: then its lower bound.
    public func within(_ range: Range<UInt64>) -> UInt64 {
        range.isEmpty ? range.lowerBound : range.lowerBound + next() % UInt64(range.count)
    }

    /// A stream of its own: what draws from it does not shift what the others draw.
    public func fork() -> SimulatedEntropy { SimulatedEntropy(seed: next()) }
}
