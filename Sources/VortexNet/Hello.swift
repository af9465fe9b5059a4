internal import VortexCore

/// The hello's head: 8 bytes of node id, 16 of cluster id.
extension PeerIdentity {
    func helloHead() -> [UInt8] {
        var writer = ByteWriter(reserving: 24)
        writer.write(fixed: node.value)
        writer.write(cluster)
        return writer.bytes
    }

    init(helloHead bytes: [UInt8]) throws(CodingError) {
        self = try ByteReader.decode(bytes) { (reader) throws(CodingError) in
            let node = NodeID(try reader.readFixed())
            return PeerIdentity(node: node, cluster: try reader.readID())
        }
    }

    /// Whether the two may speak: of one cluster, or one of them of none yet.
    func mayMeet(_ other: PeerIdentity) -> Bool {
        cluster == .zero || other.cluster == .zero || cluster == other.cluster
    }
}
