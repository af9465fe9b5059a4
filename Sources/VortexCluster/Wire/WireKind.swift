/// What a message between nodes is about. Numbers are never reused. Questions name the partition's
/// epoch where they are about one partition, and the whole layout's where they are about several.
enum WireKind: UInt8 {
    // Registers: register-protocol.md, Rules of an owner.
    case read = 1
    case prepare = 2
    case accept = 3
    case install = 4
    case purge = 5

    // Chunks of spread bodies, and bodies that live with rows.
    case putChunk = 16
    case getChunk = 17
    /// Which of these chunks are here, and how long they are.
    case findChunks = 18
    /// The blob is deleted.
    case collect = 19
    /// Which row owns this chunk.
    case findOrigin = 20
    /// A body that lives with a row which its owner is about to be given.
    case putRowBody = 21

    // Scans over what a node owns.
    case list = 32
    case uploads = 33
    case parts = 34
    /// The rows of one partition with their ballots.
    case partition = 35
    /// Digests of the rows of several partitions.
    case digests = 36

    // The bucket's settings.
    case generation = 48
    case generations = 49

    // Nodes and the layout.
    case ping = 64
    case layout = 65
    case offerLayout = 66
    case councilPrepare = 67
    case councilAccept = 68
    /// Which node answers here, or at an address that the answering node reaches.
    case identity = 69
    /// How far the answering node has seen another one's journal reach.
    case lastSeen = 70

    case status = 80

    // Answers.
    case done = 128
    /// The answering node knows a newer layout, which comes along.
    case stale = 129
    /// The answering node knows an older one, and asks for ours.
    case behind = 130
    case failed = 131
    /// The node has not entered the cluster yet, or does not own what it was asked about.
    case notOwner = 132
}
