/// The row of an upload in parts: open -> completing -> done, or open -> aborted. It says what the
/// version will be once it is completing; the object's own row decides whether that was written.
///
/// Format 1 is that of uploads to which is appended; those with numbered parts have format 2.
public struct UploadRow: Hashable, Sendable {
    public enum State: UInt8, Hashable, Sendable {
        case open = 0
        /// `version` is fixed; whoever finds this finishes it. No way back.
        case completing = 1
        /// The version was chosen in the object's row.
        case done = 2
        case aborted = 3
        /// Complete's condition did not hold; decided in the object's row.
        case refused = 4
    }
    /// How its bytes come.
    public enum Form: Hashable, Sendable {
        /// One piece after the other, each at the offset where the last one ended.
        case appended
        /// S3's: parts by number, in any order, each replaceable; with what was promised about the
        /// object's checksum.
        case numbered(ChecksumRule?)
    }
    public var state: State
    public var form: Form
    /// The bucket's name, which no bucket changes.
    public var bucket: String
    public var attributes: ObjectAttributes
    public var condition: WriteCondition
    public var expectedBytes: UInt64?
    /// The bucket's generation that the upload was made by.
    public var generation: UInt64
    public var startedMilliseconds: UInt64
    /// Of the last append or state.
    public var changedMilliseconds: UInt64
    /// Set from completing on. Once done its body is empty: the object's row names the blobs.
    public var version: ObjectVersion?
    /// Once done: whether nothing was visible before.
    public var created: Bool

    public init(
        bucket: String, attributes: ObjectAttributes, condition: WriteCondition,
        expectedBytes: UInt64?,
        generation: UInt64, startedMilliseconds: UInt64
    ) {
        state = .open
        form = .appended
        self.bucket = bucket
        self.attributes = attributes
        self.condition = condition
        self.expectedBytes = expectedBytes
        self.generation = generation
        self.startedMilliseconds = startedMilliseconds
        changedMilliseconds = startedMilliseconds
        version = nil
        created = false
    }

    public var isNumbered: Bool { form != .appended }

    /// Nothing more will come of it.
    public var isOver: Bool { state == .done || state == .aborted || state == .refused }

    /// Blobs named while completing.
    public var blobs: [BlobID] { version?.body.blobs ?? [] }
}

extension ByteWriter {
    public mutating func write(_ row: UploadRow) {
        let format: UInt8 = row.isNumbered ? 2 : 1
        write(format)
        write(row.state.rawValue)
        let flags: UInt8 =
            (row.expectedBytes == nil ? 0 : 1) | (row.version == nil ? 0 : 2)
            | (row.created ? 4 : 0) | (row.version?.isNull == false ? 8 : 0)
        write(flags)
        write(text: row.bucket)
        write(row.attributes)
        write(row.condition.ifMatch)
        write(row.condition.ifNoneMatch)
        if let expected = row.expectedBytes { write(number: expected) }
        write(number: row.generation)
        write(number: row.startedMilliseconds)
        write(number: row.changedMilliseconds)
        if let version = row.version { write(version, format: format) }
        if case .numbered(let rule) = row.form {
            write(rule?.algorithm.rawValue ?? 0)
            write(rule?.kind.rawValue ?? 0)
        }
    }

    private mutating func write(_ set: ETagSet?) {
        switch set {
        case nil: write(UInt8(0))
        case .any: write(UInt8(1))
        case .tags(let tags):
            write(UInt8(2))
            write(number: UInt64(tags.count))
            for tag in tags { write(text: tag) }
        }
    }
}

extension ByteReader {
    public mutating func readUploadRow() throws(CodingError) -> UploadRow {
        let format = try readFormat(1...2)
        let state = try readByte()
        guard let state = UploadRow.State(rawValue: state) else {
            throw .unknown(tag: UInt64(state))
        }
        let flags = try readByte()
        guard flags < 16 else { throw .unknown(tag: UInt64(flags)) }
        let bucket = try readText(max: Limits.bucketNameBytes.upperBound)
        let attributes = try readObjectAttributes()
        let condition = WriteCondition(ifMatch: try readETagSet(), ifNoneMatch: try readETagSet())
        let expected = flags & 1 == 0 ? nil : try readNumber()
        var row = UploadRow(
            bucket: bucket, attributes: attributes, condition: condition, expectedBytes: expected,
            generation: try readNumber(), startedMilliseconds: try readMilliseconds())
        row.state = state
        row.changedMilliseconds = try readMilliseconds()
        row.version = flags & 2 == 0 ? nil : try readObjectVersion(format: format)
        row.version?.isNull = flags & 8 == 0
        row.created = flags & 4 != 0
        if format > 1 { row.form = .numbered(try readChecksumRule()) }
        return row
    }

    private mutating func readChecksumRule() throws(CodingError) -> ChecksumRule? {
        let (algorithm, kind) = (try readByte(), try readByte())
        guard algorithm != 0 else { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: algorithm) else {
            throw .unknown(tag: UInt64(algorithm))
        }
        guard let kind = ChecksumKind(rawValue: kind) else { throw .unknown(tag: UInt64(kind)) }
        return ChecksumRule(algorithm, kind)
    }

    private mutating func readETagSet() throws(CodingError) -> ETagSet? {
        let tag = try readByte()
        switch tag {
        case 0: return nil
        case 1: return .any
        case 2:
            let count = try readCount(max: Limits.metadataBytesMax)
            var tags: [String] = []
            for _ in 0..<count { tags.append(try readText(max: Limits.metadataBytesMax)) }
            return .tags(tags)
        default: throw .unknown(tag: UInt64(tag))
        }
    }
}
