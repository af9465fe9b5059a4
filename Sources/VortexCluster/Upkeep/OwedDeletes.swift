internal import Synchronization
internal import VortexCore

/// Deleted blobs whose delete record not every node has got yet. Their candidates in the store are
/// what is durable; this spares asking their rows again. Bounded: what does not fit is asked again.
final class OwedDeletes: Sendable {
    private let table = Mutex<[BlobID: [NodeID]]>([:])
    private static let blobsMax = 65_536

    /// Blobs that were met without a row that names them, and since when.
    private let unnamed = Mutex<[BlobID: UInt64]>([:])

    /// When the blob was first met unnamed; nil where it is not remembered.
    func unnamed(_ blob: BlobID, now: UInt64) -> UInt64? {
        unnamed.withLock { table in
            if table[blob] == nil, table.count < Self.blobsMax { table[blob] = now }
            return table[blob]
        }
    }

    func nodes(of blob: BlobID) -> [NodeID]? { table.withLock { $0[blob] } }

    func note(_ blob: BlobID, _ nodes: [NodeID]) {
        table.withLock { if $0.count < Self.blobsMax { $0[blob] = nodes } }
    }

    func forget(_ blob: BlobID) {
        table.withLock { $0[blob] = nil }
        unnamed.withLock { $0[blob] = nil }
    }
}
