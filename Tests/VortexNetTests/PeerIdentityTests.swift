import Testing
import VortexCore
import VortexNet

@Test func `identities differ by cluster`() {
    let one = PeerIdentity(node: NodeID(1), cluster: ClusterID(high: 0, low: 1))
    let other = PeerIdentity(node: NodeID(1), cluster: ClusterID(high: 0, low: 2))
    #expect(one != other)
}
