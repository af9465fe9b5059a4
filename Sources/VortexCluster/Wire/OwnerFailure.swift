internal import VortexCore
internal import VortexStore

/// Why an owner gave no answer.
enum OwnerFailure: Error, Equatable, Sendable {
    case full(availableBytes: UInt64)
    case stopped
    case damaged
    case busy
    /// A newer layout was met, and adopted here: start again under it.
    case stale
    /// It does not own the partition, or does not serve yet.
    case notOwner
    /// Its journal was damaged, and it has not synced since; or it is another node than the one
    /// that was meant. As good as silent, and it says so at once.
    case fenced
    /// Not delivered: nothing was done.
    case unreachable
    /// Perhaps delivered, perhaps done.
    case lost
    /// On its way still: the asker went on, and hears of the outcome by `Peers.Late`.
    case left

    init(_ error: StoreError) {
        switch error {
        case .full(let available): self = .full(availableBytes: available)
        case .disk, .stopped, .index, .refused: self = .stopped
        case .damaged, .notFound, .coding: self = .damaged
        }
    }

    /// Whether the owner may have done what it was asked all the same.
    var isInDoubt: Bool {
        switch self {
        case .lost, .left, .stale, .stopped: true
        case .full, .damaged, .busy, .notOwner, .fenced, .unreachable: false
        }
    }

    var clusterError: ClusterError {
        switch self {
        case .full(let available): .full(availableBytes: available)
        case .stopped: .stopped
        case .damaged: .damaged
        case .busy: .busy
        case .stale, .notOwner, .fenced, .unreachable, .lost, .left: .noQuorum
        }
    }

    var message: WireMessage {
        var writer = ByteWriter(reserving: 16)
        switch self {
        case .full(let available):
            writer.write(UInt8(1))
            writer.write(number: available)
        case .stopped: writer.write(UInt8(2))
        case .damaged: writer.write(UInt8(3))
        case .busy: writer.write(UInt8(4))
        case .stale, .lost, .left, .unreachable: writer.write(UInt8(5))
        case .fenced: writer.write(UInt8(6))
        case .notOwner: return WireMessage(kind: WireKind.notOwner.rawValue, epoch: .zero)
        }
        return WireMessage(kind: WireKind.failed.rawValue, epoch: .zero, head: writer.bytes)
    }

    init(decoding head: [UInt8]) throws(CodingError) {
        self = try ByteReader.decode(head) { (reader) throws(CodingError) -> OwnerFailure in
            let tag = try reader.readByte()
            switch tag {
            case 1: return .full(availableBytes: try reader.readNumber())
            case 2: return .stopped
            case 3: return .damaged
            case 4: return .busy
            case 5: return .lost
            case 6: return .fenced
            default: throw .unknown(tag: UInt64(tag))
            }
        }
    }
}

extension Epoch {
    static let zero = Epoch(number: 0)
}

extension ByteWriter {
    mutating func write(optional value: RegisterValue?) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { write(value) }
    }

    /// A chunk's description; its bytes travel as the message's bulk.
    mutating func write(_ chunk: ChunkWrite) {
        write(chunk.id)
        write(chunk.owner)
        write(number: chunk.receivedMilliseconds)
        write(number: UInt64(chunk.checksums.count))
        for checksum in chunk.checksums { write(fixed: checksum) }
    }
}

extension ByteReader {
    mutating func readOptionalValue() throws(CodingError) -> RegisterValue? {
        switch try readByte() {
        case 0: return nil
        case 1: return try readRegisterValue()
        case let tag: throw .unknown(tag: UInt64(tag))
        }
    }

    /// A chunk with the bulk that came along, verified before anybody relies on it.
    mutating func readChunk(_ bulk: ChunkBuffer?) throws(CodingError) -> ChunkWrite {
        let id = try readChunkID()
        let owner = try readRowKey()
        let received = try readNumber()
        var checksums: [UInt32] = []
        for _ in 0..<(try readCount(max: Limits.blocksPerChunk)) {
            checksums.append(try readFixed())
        }
        guard let bulk, bulk.count > 0, bulk.count <= Limits.chunkBytes,
            CRC32C.blocks(of: bulk.bytes, chunk: id) == checksums
        else { throw .outOfRange(UInt64(bulk?.count ?? 0)) }
        return ChunkWrite(
            id: id, owner: owner, receivedMilliseconds: received, checksums: checksums,
            buffer: bulk)
    }
}
