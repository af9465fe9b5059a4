/// Who takes part in a run, and when: drawn from the seed.
struct Cast: Sendable {
    /// When each node starts, in virtual nanoseconds; those of the beginning at 0, first.
    var startsAt: [UInt64]
    /// What one disk holds may be lost: at every moment enough others have it.
    var hasLoss: Bool
    /// One run in three: it is half of a run's work, and most of what goes wrong shows before.
    var awaitsGarbage: Bool

    /// Fewer nodes cannot make up for a disk.
    private static let nodesWithLossMin = 3
    /// About as long as the clients of a short run work.
    private static let latestNanoseconds: UInt64 = 6_000_000_000

    init(nodes: Int, faults: FaultProfile, entropy: SimulatedEntropy) {
        awaitsGarbage = entropy.below(3) == 0
        hasLoss = nodes >= Self.nodesWithLossMin && entropy.happens(perMille: 500)
        let first = hasLoss ? Self.nodesWithLossMin : 1
        let areLate = faults.hasLateNodes && first < nodes && entropy.happens(perMille: 500)
        let initial = areLate ? first + entropy.below(nodes - first) : nodes
        startsAt = (0..<nodes).map { place in
            place < initial ? 0 : entropy.within(200_000_000..<Self.latestNanoseconds)
        }
    }

    /// Nodes of the beginning.
    var initial: Int { startsAt.prefix { $0 == 0 }.count }
}
