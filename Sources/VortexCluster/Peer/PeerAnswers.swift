internal import Synchronization
internal import VortexCore
internal import VortexStore

/// The other end of every question: decodes it, looks at the epoch that it names, asks the rules,
/// and answers in bytes.
final class PeerAnswers: PeerResponder {
    let owner: LocalOwner
    let book: LayoutBook
    let council: LayoutRegister
    let peers: Peers
    let owed: OwedCopies
    /// Until this node has entered the cluster it answers only what agreeing on a layout needs.
    let isOpen = Atomic<Bool>(false)
    /// It has compared its journal with what others have seen of it: they may hear of what it has
    /// written since.
    let hasEntered = Atomic<Bool>(false)
    /// The epoch of the layout for which this node has synced all its migrating partitions.
    let synced = Mutex(Epoch.zero)
    /// Fills in what a node says of itself for another one's status.
    let report: @Sendable () async -> [UInt8]

    init(
        owner: LocalOwner, council: LayoutRegister, peers: Peers, owed: OwedCopies,
        report: @escaping @Sendable () async -> [UInt8]
    ) {
        self.owner = owner
        self.council = council
        self.peers = peers
        self.owed = owed
        self.report = report
        book = owner.book
    }

    func answer(_ question: WireMessage) async -> WireMessage {
        guard let kind = WireKind(rawValue: question.kind) else {
            return OwnerFailure.notOwner.message
        }
        let answered: Result<Reply, OwnerFailure>
        do throws(CodingError) {
            answered = try await reply(kind, question)
        } catch { return OwnerFailure.damaged.message }
        switch answered {
        // What no frame takes is not sent: a row that does not decode at the other end is no worse.
        case .success(let reply) where reply.head.count > Limits.wireHeadBytesMax:
            return OwnerFailure.damaged.message
        case .success(let reply):
            return WireMessage(
                kind: WireKind.done.rawValue, epoch: book.view.epoch, head: reply.head,
                bulk: reply.bulk)
        case .failure(.stale): return stale
        case .failure(.unreachable):
            return WireMessage(kind: WireKind.behind.rawValue, epoch: book.view.epoch)
        case .failure(let failure): return failure.message
        }
    }

    struct Reply {
        var head: [UInt8] = []
        var bulk: ChunkBuffer?
    }

    private var stale: WireMessage {
        let view = book.view
        return WireMessage(
            kind: WireKind.stale.rawValue, epoch: view.epoch, head: view.layout.encoded())
    }

    private func reply(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        switch kind {
        case .ping: return .success(Reply(head: beat()))
        case .layout: return .success(Reply(head: book.view.layout.encoded()))
        case .offerLayout: return await adopt(try Layout(decoding: question.head))
        case .councilPrepare, .councilAccept: return try await vote(kind, question)
        case .lastSeen:
            let node = try decode(question) { (reader) throws(CodingError) in
                NodeID(try reader.readOrdered())
            }
            var writer = ByteWriter(reserving: 8)
            writer.write(number: peers.health(of: node).position)
            return .success(Reply(head: writer.bytes))
        case .identity: return await identity(try decode(question, Self.readAddress))
        default: break
        }
        guard isOpen.load(ordering: .acquiring) else { return .failure(.notOwner) }
        if let refusal = notMeant(question.epoch) { return .failure(refusal) }
        switch kind {
        case .read, .prepare, .accept, .install, .purge:
            return try await register(kind, question)
        case .putChunk:
            let chunk = try decode(question) { (reader) throws(CodingError) in
                try reader.readChunk(question.bulk)
            }
            let home: Partition
            do throws(StoreError) { home = try owner.home(of: chunk.id, chunk.owner) } catch {
                return .failure(OwnerFailure(error))
            }
            let omitted = book.omitted
            let isFenced = !omitted.contains(.chunkFence) && !omitted.contains(.strayEpoch)
            if isFenced, let refusal = refusal(home, question.epoch) { return .failure(refusal) }
            return done(await owner.put(chunk, epoch: question.epoch))
        case .putRowBody:
            let chunk = try decode(question) { (reader) throws(CodingError) in
                try reader.readChunk(question.bulk)
            }
            let home = book.view.ring.partition(of: chunk.owner)
            if let refusal = refusal(home, question.epoch) { return .failure(refusal) }
            return done(await owner.putRowBody(chunk, epoch: question.epoch))
        case .getChunk, .findChunks, .findOrigin, .collect: return try await chunk(kind, question)
        case .list, .uploads, .parts, .partition, .digests, .generation, .generations:
            return try await scan(kind, question)
        case .status: return .success(Reply(head: await report()))
        default: return .failure(.notOwner)
        }
    }

    func decode<Value>(
        _ question: WireMessage,
        _ body: (inout ByteReader) throws(CodingError) -> Value
    ) throws(CodingError) -> Value {
        try ByteReader.decode(question.head, body)
    }

    private func done(_ failure: OwnerFailure?) -> Result<Reply, OwnerFailure> {
        failure.map { .failure($0) } ?? .success(Reply())
    }

    // MARK: Epochs

    /// `.unreachable` stands for "behind": this node needs the asker's layout first.
    private func refusal(_ partition: Partition, _ epoch: Epoch) -> OwnerFailure? {
        switch book.standing(partition, epoch) {
        case .good: nil
        case .stale: .stale
        case .behind: .unreachable
        case .notOwner: .notOwner
        }
    }

    private func standing(_ key: RowKey, _ epoch: Epoch) -> OwnerFailure? {
        refusal(book.view.ring.partition(of: key), epoch)
    }

    /// For questions about several partitions: both sides have the very same layout.
    func standing(_ epoch: Epoch) -> OwnerFailure? {
        let mine = book.view.epoch
        return mine == epoch ? nil : mine > epoch ? .stale : .unreachable
    }

    /// At a member's address there may be another node by now: who is not listed was not meant,
    /// unless the asker knows a layout that does list it.
    private func notMeant(_ epoch: Epoch) -> OwnerFailure? {
        let view = book.view
        if view.layout.member(owner.node) != nil { return nil }
        return epoch > view.epoch ? .unreachable : .fenced
    }

    // MARK: Layout

    private static let identityMilliseconds: UInt64 = 1_500

    private static func readAddress(_ reader: inout ByteReader) throws(CodingError) -> String {
        try reader.readText(max: Layout.nameBytesMax)
    }

    /// Who this node is; or who answers at the address, as seen from here.
    private func identity(_ address: String) async -> Result<Reply, OwnerFailure> {
        guard !address.isEmpty else {
            var writer = ByteWriter(reserving: 8)
            writer.write(ordered: owner.node.value)
            return .success(Reply(head: writer.bytes))
        }
        let found = await peers.identity(
            at: address, milliseconds: Self.identityMilliseconds)
        guard let found else { return .failure(.lost) }
        var writer = ByteWriter(reserving: 8)
        writer.write(ordered: found.value)
        return .success(Reply(head: writer.bytes))
    }

    /// What a heartbeat says: boot-independent facts about this node.
    func beat() -> [UInt8] {
        var writer = ByteWriter(reserving: 32)
        writer.write(book.view.epoch)
        writer.write(synced.withLock { $0 })
        let isOpen = isOpen.load(ordering: .acquiring)
        writer.write(UInt8((isOpen ? 1 : 0) | (owner.fenced == nil ? 0 : 2)))
        writer.write(number: hasEntered.load(ordering: .acquiring) ? owner.store.position : 0)
        return writer.bytes
    }

    private func adopt(_ layout: Layout) async -> Result<Reply, OwnerFailure> {
        do throws(StoreError) { try await book.adopt(layout) } catch {
            return .failure(OwnerFailure(error))
        }
        return .success(Reply())
    }

    private func vote(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        if let refusal = standing(question.epoch) { return .failure(refusal) }
        let (ballot, value) = try decode(question) { (reader) throws(CodingError) in
            (
                try reader.readBallot(),
                kind == .councilAccept
                    ? try reader.readString(max: Limits.wireHeadBytesMax) : nil
            )
        }
        let vote = await council.vote(ballot, value, base: question.epoch)
        if case .failed(let failure) = vote { return .failure(failure) }
        return .success(Reply(head: vote.encoded ?? []))
    }

    // MARK: Registers

    private func register(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        let epoch = question.epoch
        var writer = ByteWriter(reserving: 256)
        switch kind {
        case .read:
            let (key, generation) = try decode(question) { (reader) throws(CodingError) in
                (try reader.readRowKey(), try reader.readNumber())
            }
            if let refusal = standing(key, epoch) { return .failure(refusal) }
            let answer = owner.readNow(
                key, generation: generation == 0 ? nil : generation, epoch: epoch)
            if let failure = writer.write(answer) { return .failure(failure) }
        case .prepare:
            let (key, ballot, generation) = try decode(question) { (reader) throws(CodingError) in
                (try reader.readRowKey(), try reader.readBallot(), try reader.readNumber())
            }
            if let refusal = standing(key, epoch) { return .failure(refusal) }
            let answer = await owner.prepare(
                key, ballot, generation: generation == 0 ? nil : generation, epoch: epoch)
            if let failure = writer.write(answer) { return .failure(failure) }
        case .purge:
            let (key, ballot) = try decode(question) { (reader) throws(CodingError) in
                (try reader.readRowKey(), try reader.readBallot())
            }
            if let refusal = standing(key, epoch) { return .failure(refusal) }
            return done(await owner.purge(key, ballot, epoch: epoch))
        default:
            let request = try decode(question) { (reader) throws(CodingError) in
                try reader.readAcceptRequest(question.bulk)
            }
            if let refusal = standing(request.key, epoch) { return .failure(refusal) }
            if kind == .accept {
                let answer = await owner.accept(request, epoch: epoch)
                if let failure = writer.write(answer) { return .failure(failure) }
            } else {
                let answer = await owner.install(request, epoch: epoch)
                if let failure = writer.write(answer) { return .failure(failure) }
            }
        }
        return .success(Reply(head: writer.bytes))
    }

    // MARK: Chunks

    private func chunk(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        switch kind {
        case .getChunk:
            let (id, from, to) = try decode(question) { (reader) throws(CodingError) in
                (
                    try reader.readChunkID(), try reader.readCount(max: Limits.chunkBytes),
                    try reader.readCount(max: Limits.chunkBytes)
                )
            }
            guard from < to else { throw .outOfRange(UInt64(from)) }
            switch await owner.chunk(id, from..<to) {
            case .failure(let failure):
                // The asker goes to another owner; this one has its own copy made again.
                if failure == .damaged { owed.add(id, to: owner.node) }
                return .failure(failure)
            case .success(let buffer):
                return .success(Reply(head: buffer?.checksum(chunk: id) ?? [], bulk: buffer))
            }
        case .findOrigin:
            let id = try decode(question) { (reader) throws(CodingError) in
                try reader.readChunkID()
            }
            switch await owner.origin(of: id) {
            case .failure(let failure): return .failure(failure)
            case .success(let row):
                var writer = ByteWriter(reserving: 64)
                writer.write(UInt8(row == nil ? 0 : 1))
                if let row { writer.write(row) }
                return .success(Reply(head: writer.bytes))
            }
        case .collect:
            let (blob, moment) = try decode(question) { (reader) throws(CodingError) in
                (try reader.readID(BlobID.self), try reader.readNumber())
            }
            return done(await owner.collect(blob, milliseconds: moment))
        default:
            let chunks = try decode(question) { (reader) throws(CodingError) -> [ChunkID] in
                var chunks: [ChunkID] = []
                for _ in 0..<(try reader.readCount(max: Self.chunksMax)) {
                    chunks.append(try reader.readChunkID())
                }
                return chunks
            }
            switch owner.lengthsNow(of: chunks) {
            case .failure(let failure): return .failure(failure)
            case .success(let lengths):
                var writer = ByteWriter(reserving: 4 * lengths.count)
                for length in lengths { writer.write(number: UInt64(length)) }
                return .success(Reply(head: writer.bytes))
            }
        }
    }

    /// Chunks in one question.
    static let chunksMax = 1_024
}

extension ByteWriter {
    /// The answer's bytes, or why there are none.
    fileprivate mutating func write(_ answer: ReadAnswer) -> OwnerFailure? {
        switch answer {
        case .row(let accepted, let value, let horizon):
            write(UInt8(0))
            write(accepted)
            write(horizon)
            write(optional: value)
        case .staleGeneration(let current):
            write(UInt8(1))
            write(number: current)
        case .failed(let failure): return failure
        }
        return nil
    }

    fileprivate mutating func write(_ answer: PrepareAnswer) -> OwnerFailure? {
        switch answer {
        case .promise(let accepted, let value, let horizon):
            write(UInt8(0))
            write(accepted)
            write(horizon)
            write(optional: value)
        case .reject(let ballot):
            write(UInt8(1))
            write(ballot)
        case .tooFarAhead: write(UInt8(2))
        case .staleGeneration(let current):
            write(UInt8(3))
            write(number: current)
        case .failed(let failure): return failure
        }
        return nil
    }

    fileprivate mutating func write(_ answer: AcceptAnswer) -> OwnerFailure? {
        switch answer {
        case .accepted: write(UInt8(0))
        case .reject(let ballot):
            write(UInt8(1))
            write(ballot)
        case .missing(let blobs):
            write(UInt8(2))
            write(blobs)
        case .staleGeneration(let current):
            write(UInt8(3))
            write(number: current)
        case .superseded(let ballot):
            write(UInt8(4))
            write(ballot)
        case .failed(let failure): return failure
        }
        return nil
    }

    fileprivate mutating func write(_ answer: InstallAnswer) -> OwnerFailure? {
        switch answer {
        case .installed: write(UInt8(0))
        case .isThere: write(UInt8(1))
        case .refused: write(UInt8(2))
        case .missing(let blobs):
            write(UInt8(3))
            write(blobs)
        case .failed(let failure): return failure
        }
        return nil
    }
}
