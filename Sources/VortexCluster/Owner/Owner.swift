internal import VortexCore
internal import VortexStore

/// One owner of a partition as a coordinator asks it: this node's store directly, or a peer's over
/// the chunk protocol. register-protocol.md, Rules of an owner; every request names the partition's
/// epoch, and every answer was true at that epoch.
protocol Owner: Sendable {
    var node: NodeID { get }
    func read(_ key: RowKey, generation: UInt64?, epoch: Epoch) async -> ReadAnswer
    /// `generation` as in `AcceptRequest`: a change that writes nothing (a failed condition, a
    /// delete of what is absent) must not be answered for a bucket that has been deleted since.
    func prepare(
        _ key: RowKey, _ ballot: Ballot, generation: UInt64?, epoch: Epoch
    ) async -> PrepareAnswer
    func accept(_ request: AcceptRequest, epoch: Epoch) async -> AcceptAnswer
    /// Rule 7: a chosen value, with the bodies that live with it.
    func install(_ request: AcceptRequest, epoch: Epoch) async -> InstallAnswer
    func purge(_ key: RowKey, _ ballot: Ballot, epoch: Epoch) async -> OwnerFailure?
    /// Journals a chunk of a spread body; nil when it is durable.
    func put(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure?
    /// Journals a body that lives with a row, ahead of the row itself; nil when it is durable.
    func putRowBody(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure?
    /// Bytes of a chunk, verified; nil where the node does not have it. Not fenced by epochs.
    func chunk(_ id: ChunkID, _ range: Range<Int>) async -> Result<ChunkBuffer?, OwnerFailure>
    /// The lengths of these chunks, 0 where one is not there. Not fenced by epochs.
    func lengths(of chunks: [ChunkID]) async -> Result<[Int], OwnerFailure>
    /// A delete record for the blob. Not fenced by epochs.
    func collect(_ blob: BlobID, milliseconds: UInt64) async -> OwnerFailure?
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
    case staleGeneration(current: UInt64)
    case failed(OwnerFailure)
}

enum AcceptAnswer: Sendable {
    case accepted
    /// It has not accepted this, and never will.
    case reject(Ballot)
    /// It does not accept this now; but it holds something as high, and this may be the second copy
    /// of a question that it accepted.
    case superseded(Ballot)
    /// The owner lacks these bodies, which live with the row.
    case missing([BlobID])
    /// The bucket's settings have changed since the value was made.
    case staleGeneration(current: UInt64)
    case failed(OwnerFailure)
}

enum ReadAnswer: Sendable {
    case row(accepted: Ballot, value: RegisterValue?, horizon: Ballot)
    case staleGeneration(current: UInt64)
    case failed(OwnerFailure)
}

enum InstallAnswer: Sendable {
    case installed
    /// The row holds this or something newer.
    case isThere
    case refused
    case missing([BlobID])
    case failed(OwnerFailure)
}
