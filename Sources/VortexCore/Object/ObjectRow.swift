/// An object's row: its versions, newest first, its open uploads, and the answers owed to retries.
///
///     format 1 to 3 | flags | generation | [size, tag, modified: of the newest version]
///              | versions... | open uploads... | answers... | pages
///
/// Format 2 has checksums in its versions, format 3 others than one null version; a row without any
/// is written in the older format, which nodes of before read too. The newest version comes first,
/// and the flag tells whether it is visible, so that a listing (`ObjectSummary`) decodes only the
/// row's start.
public struct ObjectRow: Hashable, Sendable {
    /// The generation of the bucket's settings by which the last change was made; owners refuse
    /// older ones, so that no put slips into a bucket that is being deleted.
    public var generation: UInt64
    /// Newest first, by `modifiedMilliseconds`, of which no two are equal; at most
    /// `Limits.versionsPerRowMax`. Without versioning: one, or none. A delete marker is one.
    public var versions: [ObjectVersion]
    /// At most `Limits.openUploadsPerRowMax`.
    public var openUploads: [OpenUpload]
    /// Oldest first, at most `Limits.answersPerRowMax`.
    public var answers: [OwedAnswer]
    /// Last-Modified of the last version written or deleted, so that time never goes back.
    public var modifiedMilliseconds: UInt64
    /// Page rows that hold older versions; reserved, 0 until versioning comes.
    public var pages: UInt32

    public init(generation: UInt64) {
        self.generation = generation
        versions = []
        openUploads = []
        answers = []
        modifiedMilliseconds = 0
        pages = 0
    }

    static let formatMax: UInt8 = 3

    public var visible: ObjectVersion? { versions.first.flatMap { $0.isMarker ? nil : $0 } }

    /// The object is gone and no upload is open. What is still owed to retries delays its purge.
    public var isTombstone: Bool { versions.isEmpty && openUploads.isEmpty }

    /// The time that a version written now gets.
    public func nextModified(_ now: UInt64) -> UInt64 { max(now, modifiedMilliseconds + 1) }

    /// Every blob that the row names.
    public var blobs: [BlobID] {
        versions.flatMap(\.body.blobs) + openUploads.compactMap(\.plainBlob)
    }

    /// Bodies that live with the row.
    public var rowBodies: [BlobID] {
        versions.compactMap { if case .row(let blob) = $0.body { blob } else { nil } }
    }

    /// Bytes of all versions.
    public var bytes: UInt64 { versions.reduce(0) { $0 &+ $1.size } }
}

/// A body on its way, named by the row before its first chunk is stored.
public struct OpenUpload: Hashable, Sendable {
    public enum State: UInt8, Hashable, Sendable {
        case open = 0
        /// Complete found that its condition does not hold: decided here, in the object's register,
        /// so that whoever else finishes the upload decides the same.
        case refused = 1
    }
    public enum Kind: Hashable, Sendable {
        /// A PUT larger than a chunk.
        case plain(BlobID)
        /// An upload with a row of its own.
        case multipart(UploadID)
    }
    public var kind: Kind
    public var state: State
    public var startedMilliseconds: UInt64
    /// Renewed by its coordinator; idle ones expire.
    public var renewedMilliseconds: UInt64
    /// The node whose gateway receives it, and that node's boot then.
    public var node: NodeID
    public var boot: UInt32

    public init(
        kind: Kind, startedMilliseconds: UInt64, node: NodeID, boot: UInt32, state: State = .open
    ) {
        self.kind = kind
        self.state = state
        self.startedMilliseconds = startedMilliseconds
        renewedMilliseconds = startedMilliseconds
        self.node = node
        self.boot = boot
    }

    public var plainBlob: BlobID? { if case .plain(let blob) = kind { blob } else { nil } }
}

/// What was answered to a request with an idempotency key; a repeat gets the same again.
public struct OwedAnswer: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        case put(
            change: ChangeID, size: UInt64, tag: EntityTag, modified: UInt64, created: Bool,
            isNull: Bool)
        /// `version`: the marker that was made, or the version that was removed.
        case deleted(existed: Bool, version: VersionName?, isMarker: Bool)
    }
    public var keyHash: Digest128
    /// Of method, path, condition and body.
    public var requestHash: Digest128
    public var madeMilliseconds: UInt64
    public var outcome: Outcome

    public init(
        keyHash: Digest128, requestHash: Digest128, madeMilliseconds: UInt64, outcome: Outcome
    ) {
        self.keyHash = keyHash
        self.requestHash = requestHash
        self.madeMilliseconds = madeMilliseconds
        self.outcome = outcome
    }
}

extension ObjectRow {
    public func answer(for keyHash: Digest128, now: UInt64) -> OwedAnswer? {
        answers.last { $0.keyHash == keyHash && !$0.isOver(now) }
    }

    /// Adds an answer and forgets the ones that are over or too many.
    public mutating func owe(_ answer: OwedAnswer) {
        forgetAnswers(answer.madeMilliseconds)
        answers.append(answer)
        if answers.count > Limits.answersPerRowMax {
            answers.removeFirst(answers.count - Limits.answersPerRowMax)
        }
    }

    public mutating func forgetAnswers(_ now: UInt64) {
        if !answers.isEmpty { answers.removeAll { $0.isOver(now) } }
    }
}

extension OwedAnswer {
    public func isOver(_ now: UInt64) -> Bool {
        now > madeMilliseconds && now - madeMilliseconds > Limits.answerLifetimeMilliseconds
    }
}

extension ByteWriter {
    public mutating func write(_ row: ObjectRow) {
        let isVersioned = row.versions.contains { !$0.isNull || $0.isMarker }
        let hasChecksums = row.versions.contains { $0.checksum != nil }
        let format: UInt8 = isVersioned ? 3 : hasChecksums ? 2 : 1
        write(format)
        write(UInt8(row.visible == nil ? 0 : 1))
        write(number: row.generation)
        write(number: UInt64(row.versions.count))
        for version in row.versions { write(version, format: format) }
        write(number: row.modifiedMilliseconds)
        write(number: UInt64(row.openUploads.count))
        for upload in row.openUploads { write(upload) }
        write(number: UInt64(row.answers.count))
        for answer in row.answers { write(answer) }
        write(number: UInt64(row.pages))
    }

    private mutating func write(_ upload: OpenUpload) {
        switch upload.kind {
        case .plain(let blob):
            write(UInt8(0))
            write(blob)
        case .multipart(let id):
            write(UInt8(1))
            write(id)
        }
        write(upload.state.rawValue)
        write(number: upload.startedMilliseconds)
        write(number: upload.renewedMilliseconds)
        write(fixed: upload.node.value)
        write(number: UInt64(upload.boot))
    }

    private mutating func write(_ answer: OwedAnswer) {
        write(answer.keyHash)
        write(answer.requestHash)
        write(number: answer.madeMilliseconds)
        switch answer.outcome {
        case .put(let change, let size, let tag, let modified, let created, let isNull):
            write(UInt8((created ? 1 : 0) | (isNull ? 0 : 4)))
            write(change)
            write(number: size)
            write(tag)
            write(number: modified)
        case .deleted(let existed, let version, let isMarker):
            write(UInt8((existed ? 3 : 2) | (version == nil ? 0 : 4)))
            guard let version else { return }
            let isNull = version == .null
            write(UInt8((isNull ? 1 : 0) | (isMarker ? 2 : 0)))
            if case .id(let id) = version { write(id) }
        }
    }
}

extension ByteReader {
    public mutating func readObjectRow() throws(CodingError) -> ObjectRow {
        let format = try readFormat(1...ObjectRow.formatMax)
        let flags = try readByte()
        guard flags < 2 else { throw .unknown(tag: UInt64(flags)) }
        var row = ObjectRow(generation: try readNumber())
        for _ in 0..<(try readCount(max: Limits.versionsPerRowMax)) {
            row.versions.append(try readObjectVersion(format: format))
        }
        guard (row.visible == nil) == (flags == 0) else { throw .unknown(tag: UInt64(flags)) }
        row.modifiedMilliseconds = try readMilliseconds()
        for _ in 0..<(try readCount(max: Limits.openUploadsPerRowMax)) {
            row.openUploads.append(try readOpenUpload())
        }
        for _ in 0..<(try readCount(max: Limits.answersPerRowMax)) {
            row.answers.append(try readOwedAnswer())
        }
        row.pages = UInt32(try readCount(max: Int(Int32.max)))
        return row
    }

    /// Milliseconds fit the 48 bits that ids and ballots give them, so that sums cannot overflow.
    public mutating func readMilliseconds() throws(CodingError) -> UInt64 {
        let value = try readNumber()
        guard value < 1 << 48 else { throw .outOfRange(value) }
        return value
    }

    mutating func readFormat(_ expected: UInt8) throws(CodingError) {
        let format = try readByte()
        guard format == expected else { throw .unknown(tag: UInt64(format)) }
    }

    /// One of several that can be read.
    mutating func readFormat(_ known: ClosedRange<UInt8>) throws(CodingError) -> UInt8 {
        let format = try readByte()
        guard known.contains(format) else { throw .unknown(tag: UInt64(format)) }
        return format
    }

    private mutating func readOpenUpload() throws(CodingError) -> OpenUpload {
        let tag = try readByte()
        let kind: OpenUpload.Kind
        switch tag {
        case 0: kind = .plain(try readID())
        case 1: kind = .multipart(try readID())
        default: throw .unknown(tag: UInt64(tag))
        }
        let state = try readByte()
        guard let state = OpenUpload.State(rawValue: state) else {
            throw .unknown(tag: UInt64(state))
        }
        let started = try readMilliseconds()
        let renewed = try readMilliseconds()
        var upload = OpenUpload(
            kind: kind, startedMilliseconds: started, node: NodeID(try readFixed()),
            boot: UInt32(try readCount(max: Int(UInt32.max))), state: state)
        upload.renewedMilliseconds = renewed
        return upload
    }

    private mutating func readOwedAnswer() throws(CodingError) -> OwedAnswer {
        let keyHash = try readDigest()
        let requestHash = try readDigest()
        let made = try readMilliseconds()
        let tag = try readByte()
        let outcome: OwedAnswer.Outcome
        switch tag {
        case 0, 1, 4, 5:
            outcome = .put(
                change: try readID(), size: try readNumber(), tag: try readEntityTag(),
                modified: try readMilliseconds(), created: tag & 1 != 0, isNull: tag & 4 == 0)
        case 2, 3: outcome = .deleted(existed: tag == 3, version: nil, isMarker: false)
        case 6, 7:
            let flags = try readByte()
            guard flags < 4 else { throw .unknown(tag: UInt64(flags)) }
            outcome = .deleted(
                existed: tag == 7, version: flags & 1 != 0 ? .null : .id(try readID()),
                isMarker: flags & 2 != 0)
        default: throw .unknown(tag: UInt64(tag))
        }
        return OwedAnswer(
            keyHash: keyHash, requestHash: requestHash, madeMilliseconds: made, outcome: outcome)
    }
}
