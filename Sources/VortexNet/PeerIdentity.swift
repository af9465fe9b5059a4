public import VortexCore

/// Who speaks on a connection between nodes; the first frame in each direction says it.
public struct PeerIdentity: Hashable, Sendable {
    /// Zero before the node has an identity: one that asks for the cluster that it is to join.
    public var node: NodeID
    /// Zero likewise; two clusters never speak to each other.
    public var cluster: ClusterID

    public init(node: NodeID, cluster: ClusterID) {
        self.node = node
        self.cluster = cluster
    }
}
