internal import VortexCore
internal import VortexStore

/// One owner of a partition as a coordinator asks it: this node's store directly, or a peer's over
/// the chunk protocol. register-protocol.md, Rules of an owner; every request names the partition's
/// epoch.
protocol Owner: Sendable {
    var node: NodeID { get }
    func prepare(_ key: RowKey, _ ballot: Ballot, epoch: Epoch) async -> PrepareAnswer
    func accept(_ request: AcceptRequest, epoch: Epoch) async -> AcceptAnswer
    func read(_ key: RowKey, epoch: Epoch) async -> ReadAnswer
}

struct AcceptRequest: Sendable {
    var key: RowKey
    var ballot: Ballot
    var value: RegisterValue
    /// The bodies that live with the row, where the coordinator has them.
    var bodies: [ChunkWrite]
    /// The generation of the bucket's settings that a new value was made by; nil where a value is
    /// only written back.
    var generation: UInt64?
    var milliseconds: UInt64
}

enum PrepareAnswer: Sendable {
    case promise(accepted: Ballot, value: RegisterValue?, horizon: Ballot)
    case reject(Ballot)
    case tooFarAhead
    case failed(StoreError)
}

enum AcceptAnswer: Sendable {
    case accepted
    case reject(Ballot)
    /// The owner lacks these bodies, which live with the row.
    case missing([BlobID])
    /// The bucket's settings have changed since the value was made.
    case staleGeneration(current: UInt64)
    case failed(StoreError)
}

enum ReadAnswer: Sendable {
    case row(accepted: Ballot, value: RegisterValue?, horizon: Ballot)
    case failed(StoreError)
}
