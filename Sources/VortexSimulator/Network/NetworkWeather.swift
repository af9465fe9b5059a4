internal import Synchronization

/// How the network is doing: what faults change while a run goes on.
public final class NetworkWeather: Sendable {
    private struct State {
        var lossPerMille = 0
        var duplicationPerMille = 0
        /// The tail of the delays, in nanoseconds.
        var tailNanosecondsMax: UInt64 = 5_000_000
        var tailPerMille = 20
        /// Directions in which nothing arrives, as (from, to), in order.
        var cuts: [(from: Int, to: Int)] = []
    }
    private let state = Mutex(State())

    public init() {}

    public func setLoss(perMille: Int) { state.withLock { $0.lossPerMille = perMille } }

    public func setDuplication(perMille: Int) {
        state.withLock { $0.duplicationPerMille = perMille }
    }

    public func setTail(perMille: Int, nanosecondsMax: UInt64) {
        state.withLock { state in
            state.tailPerMille = perMille
            state.tailNanosecondsMax = nanosecondsMax
        }
    }

    /// Nothing from one of `sources` arrives at one of `targets`, until `heal`.
    public func cut(from sources: [Int], to targets: [Int]) {
        state.withLock { state in
            for source in sources {
                for target in targets where source != target {
                    state.cuts.append((source, target))
                }
            }
        }
    }

    /// Everything arrives again, soon and once.
    public func heal() { state.withLock { $0 = State() } }

    func isCut(from source: Int, to target: Int) -> Bool {
        state.withLock { state in
            state.cuts.contains { $0.from == source && $0.to == target }
        }
    }

    func loses(_ entropy: SimulatedEntropy) -> Bool {
        let perMille = state.withLock { $0.lossPerMille }
        return entropy.happens(perMille: perMille)
    }

    func doubles(_ entropy: SimulatedEntropy) -> Bool {
        let perMille = state.withLock { $0.duplicationPerMille }
        return entropy.happens(perMille: perMille)
    }

    /// One way: mostly 0.1 to 2 ms, now and then the tail. Messages overtake each other by it.
    func delay(_ entropy: SimulatedEntropy) -> UInt64 {
        let (perMille, tail) = state.withLock { ($0.tailPerMille, $0.tailNanosecondsMax) }
        let usual = entropy.within(100_000..<2_000_000)
        return entropy.happens(perMille: perMille) ? usual + entropy.within(0..<tail) : usual
    }
}
