internal import VortexCore
internal import VortexStore

/// A peer as an owner: each rule's question and answer in bytes. `PeerAnswers` is the other end.
struct RemoteOwner: Owner {
    let node: NodeID
    let peers: Peers

    func read(_ key: RowKey, generation: UInt64?, epoch: Epoch) async -> ReadAnswer {
        await read(key, generation: generation, epoch: epoch, Peers.answerMilliseconds)
    }

    func read(
        _ key: RowKey, generation: UInt64?, epoch: Epoch, _ milliseconds: UInt64
    ) async -> ReadAnswer {
        var writer = ByteWriter(reserving: 48 + key.key.count)
        writer.write(key)
        writer.write(number: generation ?? 0)
        let asked = await peers.ask(
            node, .read, epoch: epoch, writer.bytes, milliseconds: milliseconds)
        return Self.answer(asked, ReadAnswer.failed) { (reader) throws(CodingError) in
            switch try reader.readByte() {
            case 0:
                let accepted = try reader.readBallot()
                let horizon = try reader.readBallot()
                return .row(
                    accepted: accepted, value: try reader.readOptionalValue(), horizon: horizon)
            case 1: return .staleGeneration(current: try reader.readNumber())
            case let tag: throw .unknown(tag: UInt64(tag))
            }
        }
    }

    func prepare(
        _ key: RowKey, _ ballot: Ballot, generation: UInt64?, epoch: Epoch
    ) async -> PrepareAnswer {
        var writer = ByteWriter(reserving: 64 + key.key.count)
        writer.write(key)
        writer.write(ballot)
        writer.write(number: generation ?? 0)
        let asked = await peers.ask(node, .prepare, epoch: epoch, writer.bytes)
        return Self.answer(asked, PrepareAnswer.failed) { (reader) throws(CodingError) in
            switch try reader.readByte() {
            case 0:
                let accepted = try reader.readBallot()
                let horizon = try reader.readBallot()
                return .promise(
                    accepted: accepted, value: try reader.readOptionalValue(), horizon: horizon)
            case 1: return .reject(try reader.readBallot())
            case 2: return .tooFarAhead
            case 3: return .staleGeneration(current: try reader.readNumber())
            case let tag: throw .unknown(tag: UInt64(tag))
            }
        }
    }

    func accept(_ request: AcceptRequest, epoch: Epoch) async -> AcceptAnswer {
        await accept(request, epoch: epoch, late: nil)
    }

    /// `late` is told whether it was accepted in the end, where the asker has gone on.
    func accept(
        _ request: AcceptRequest, epoch: Epoch, late: (@Sendable (Bool) -> Void)?
    ) async -> AcceptAnswer {
        guard request.bodies.count <= 1 else { return .failed(.damaged) }
        let asked = await peers.ask(
            node, .accept, epoch: epoch, request.encoded, bulk: request.bodies.first?.buffer,
            late: Self.late(late) { $0.head.first == 0 })
        return Self.answer(asked, AcceptAnswer.failed) { (reader) throws(CodingError) in
            switch try reader.readByte() {
            case 0: return .accepted
            case 1: return .reject(try reader.readBallot())
            case 2: return .missing(try reader.readBlobs())
            case 3: return .staleGeneration(current: try reader.readNumber())
            case 4: return .superseded(try reader.readBallot())
            case let tag: throw .unknown(tag: UInt64(tag))
            }
        }
    }

    func install(_ request: AcceptRequest, epoch: Epoch) async -> InstallAnswer {
        guard request.bodies.count <= 1 else { return .failed(.damaged) }
        let asked = await peers.ask(
            node, .install, epoch: epoch, request.encoded, bulk: request.bodies.first?.buffer)
        return Self.answer(asked, InstallAnswer.failed) { (reader) throws(CodingError) in
            switch try reader.readByte() {
            case 0: return .installed
            case 1: return .isThere
            case 2: return .refused
            case 3: return .missing(try reader.readBlobs())
            case let tag: throw .unknown(tag: UInt64(tag))
            }
        }
    }

    func purge(_ key: RowKey, _ ballot: Ballot, epoch: Epoch) async -> OwnerFailure? {
        var writer = ByteWriter(reserving: 64 + key.key.count)
        writer.write(key)
        writer.write(ballot)
        return Self.done(await peers.ask(node, .purge, epoch: epoch, writer.bytes))
    }

    func put(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure? {
        await put(chunk, epoch: epoch, late: nil)
    }

    /// `late` is told whether it was stored in the end, where the asker has gone on.
    func put(
        _ chunk: ChunkWrite, epoch: Epoch, late: (@Sendable (Bool) -> Void)?
    ) async -> OwnerFailure? {
        var writer = ByteWriter(reserving: 160 + chunk.owner.key.count)
        writer.write(chunk)
        return Self.done(
            await peers.ask(
                node, .putChunk, epoch: epoch, writer.bytes, bulk: chunk.buffer,
                late: Self.late(late) { _ in true }))
    }

    func putRowBody(_ chunk: ChunkWrite, epoch: Epoch) async -> OwnerFailure? {
        var writer = ByteWriter(reserving: 160 + chunk.owner.key.count)
        writer.write(chunk)
        return Self.done(
            await peers.ask(
                node, .putRowBody, epoch: epoch, writer.bytes, bulk: chunk.buffer))
    }

    private static func late(
        _ tell: (@Sendable (Bool) -> Void)?, _ isDone: @escaping @Sendable (WireMessage) -> Bool
    ) -> Peers.Late? {
        guard let tell else { return nil }
        return { answer in tell(answer.map(isDone) ?? false) }
    }

    func chunk(_ id: ChunkID, _ range: Range<Int>) async -> Result<ChunkBuffer?, OwnerFailure> {
        await chunk(id, range, Peers.answerMilliseconds)
    }

    func chunk(
        _ id: ChunkID, _ range: Range<Int>, _ milliseconds: UInt64
    ) async -> Result<ChunkBuffer?, OwnerFailure> {
        var writer = ByteWriter(reserving: 40)
        writer.write(id)
        writer.write(number: UInt64(range.lowerBound))
        writer.write(number: UInt64(range.upperBound))
        let asked = await peers.ask(
            node, .getChunk, epoch: peers.book.view.epoch, writer.bytes,
            milliseconds: milliseconds)
        switch asked {
        case .failure(let failure): return .failure(failure)
        case .success(let message):
            guard let bulk = message.bulk else { return .success(nil) }
            guard bulk.count == range.count, message.head == bulk.checksum(chunk: id) else {
                return .failure(.damaged)
            }
            return .success(bulk)
        }
    }

    func lengths(of chunks: [ChunkID]) async -> Result<[Int], OwnerFailure> {
        var writer = ByteWriter(reserving: 20 * chunks.count + 4)
        writer.write(number: UInt64(chunks.count))
        for chunk in chunks { writer.write(chunk) }
        let asked = await peers.ask(
            node, .findChunks, epoch: peers.book.view.epoch, writer.bytes)
        return Self.result(asked) { (reader) throws(CodingError) in
            var lengths: [Int] = []
            for _ in chunks { lengths.append(try reader.readCount(max: ChunkLength.deleted)) }
            return lengths
        }
    }

    /// The row that owns the chunk; nil where the chunk is not there.
    func origin(of id: ChunkID) async -> Result<RowKey?, OwnerFailure> {
        var writer = ByteWriter(reserving: 20)
        writer.write(id)
        let asked = await peers.ask(
            node, .findOrigin, epoch: peers.book.view.epoch, writer.bytes)
        return Self.result(asked) { (reader) throws(CodingError) in
            try reader.readByte() == 1 ? try reader.readRowKey() : nil
        }
    }

    func collect(_ blob: BlobID, milliseconds: UInt64) async -> OwnerFailure? {
        var writer = ByteWriter(reserving: 24)
        writer.write(blob)
        writer.write(number: milliseconds)
        return Self.done(
            await peers.ask(node, .collect, epoch: peers.book.view.epoch, writer.bytes))
    }

    // MARK: Decoding

    private static func answer<Answer>(
        _ asked: Result<WireMessage, OwnerFailure>, _ failed: (OwnerFailure) -> Answer,
        _ decode: (inout ByteReader) throws(CodingError) -> Answer
    ) -> Answer {
        switch result(asked, decode) {
        case .success(let answer): answer
        case .failure(let failure): failed(failure)
        }
    }

    /// An answer that does not decode says nothing.
    static func result<Value>(
        _ asked: Result<WireMessage, OwnerFailure>,
        _ decode: (inout ByteReader) throws(CodingError) -> Value
    ) -> Result<Value, OwnerFailure> {
        switch asked {
        case .failure(let failure): return .failure(failure)
        case .success(let message):
            do throws(CodingError) {
                return .success(try ByteReader.decode(message.head, decode))
            } catch { return .failure(.lost) }
        }
    }

    private static func done(_ asked: Result<WireMessage, OwnerFailure>) -> OwnerFailure? {
        if case .failure(let failure) = asked { failure } else { nil }
    }
}

/// What `lengths` says of a chunk besides its length.
enum ChunkLength {
    static let missing = 0
    /// A delete record of its blob is there: it beats every copy.
    static let deleted = Limits.chunkBytes + 1
}

extension ChunkBuffer {
    /// Guards a piece of a chunk on its way between nodes.
    func checksum(chunk: ChunkID) -> [UInt8] {
        var writer = ByteWriter(reserving: 4)
        writer.write(
            fixed: CRC32C.checksum(bytes, seed: CRC32C.seed(chunk: chunk, block: 0)))
        return writer.bytes
    }
}

extension AcceptRequest {
    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 256 + value.content.count + key.key.count)
        writer.write(key)
        writer.write(ballot)
        writer.write(number: generation ?? 0)
        writer.write(number: milliseconds)
        writer.write(value)
        writer.write(UInt8(bodies.count))
        for body in bodies { writer.write(body) }
        return writer.bytes
    }
}

extension ByteReader {
    mutating func readAcceptRequest(_ bulk: ChunkBuffer?) throws(CodingError) -> AcceptRequest {
        let key = try readRowKey()
        let ballot = try readBallot()
        let generation = try readNumber()
        let milliseconds = try readNumber()
        let value = try readRegisterValue()
        var bodies: [ChunkWrite] = []
        switch try readByte() {
        case 0: break
        case 1: bodies = [try readChunk(bulk)]
        case let tag: throw .unknown(tag: UInt64(tag))
        }
        return AcceptRequest(
            key: key, ballot: ballot, value: value, bodies: bodies,
            generation: generation == 0 ? nil : generation, milliseconds: milliseconds)
    }

    mutating func readBlobs() throws(CodingError) -> [BlobID] {
        var blobs: [BlobID] = []
        for _ in 0..<(try readCount(max: Limits.versionsPerRowMax)) { blobs.append(try readID()) }
        return blobs
    }
}

extension ByteWriter {
    mutating func write(_ blobs: [BlobID]) {
        write(number: UInt64(blobs.count))
        for blob in blobs { write(blob) }
    }
}
