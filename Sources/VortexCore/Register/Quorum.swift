/// Majorities of a partition: of `owners`, and while it migrates of `previous` too.
public struct Quorum: Hashable, Sendable {
    public var owners: [NodeID]
    /// Empty where the partition is stable.
    public var previous: [NodeID]
    package var omitted: Omissions = []

    public init(owners: [NodeID], previous: [NodeID] = []) {
        self.owners = owners
        self.previous = previous
    }

    /// Everyone who is asked: the owners, then those of `previous` that own no more.
    public var members: [NodeID] { owners + previous.filter { !owners.contains($0) } }

    public func isMet(by nodes: some Collection<NodeID>) -> Bool {
        guard !previous.isEmpty else { return Self.isMajority(nodes, of: owners) }
        return (Self.isMajority(nodes, of: owners) || omitted.contains(.jointOwners))
            && (Self.isMajority(nodes, of: previous) || omitted.contains(.jointPrevious))
    }

    public static func isMajority(_ nodes: some Collection<NodeID>, of all: [NodeID]) -> Bool {
        2 * all.count(where: nodes.contains) > all.count
    }

    /// The accepted ballot that a quorum reports (`.none` counts), or nil where none agrees.
    public func agreed(_ reports: [(node: NodeID, accepted: Ballot)]) -> Ballot? {
        for report in reports {
            let same = reports.lazy.filter { $0.accepted == report.accepted }.map(\.node)
            if isMet(by: Array(same)) { return report.accepted }
        }
        return nil
    }
}
