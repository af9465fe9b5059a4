/// The row of a resumable upload: open -> completing -> done, or open -> aborted. It says what the
/// version will be once it is completing; the object's own row decides whether that was written.
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
    public var state: State
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

    /// Nothing more will come of it.
    public var isOver: Bool { state == .done || state == .aborted || state == .refused }

    /// Blobs named while completing.
    public var blobs: [BlobID] { version?.body.blobs ?? [] }
}

extension ByteWriter {
    public mutating func write(_ row: UploadRow) {
        write(UInt8(1))
        write(row.state.rawValue)
        let flags: UInt8 =
            (row.expectedBytes == nil ? 0 : 1) | (row.version == nil ? 0 : 2)
            | (row.created ? 4 : 0)
        write(flags)
        write(text: row.bucket)
        write(row.attributes)
        write(row.condition.ifMatch)
        write(row.condition.ifNoneMatch)
        if let expected = row.expectedBytes { write(number: expected) }
        write(number: row.generation)
        write(number: row.startedMilliseconds)
        write(number: row.changedMilliseconds)
        if let version = row.version { write(version) }
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
        try readFormat(1)
        let state = try readByte()
        guard let state = UploadRow.State(rawValue: state) else {
            throw .unknown(tag: UInt64(state))
        }
        let flags = try readByte()
        guard flags < 8 else { throw .unknown(tag: UInt64(flags)) }
        let bucket = try readText(max: Limits.bucketNameBytes.upperBound)
        let attributes = try readObjectAttributes()
        let condition = WriteCondition(ifMatch: try readETagSet(), ifNoneMatch: try readETagSet())
        let expected = flags & 1 == 0 ? nil : try readNumber()
        var row = UploadRow(
            bucket: bucket, attributes: attributes, condition: condition, expectedBytes: expected,
            generation: try readNumber(), startedMilliseconds: try readMilliseconds())
        row.state = state
        row.changedMilliseconds = try readMilliseconds()
        row.version = flags & 2 == 0 ? nil : try readObjectVersion()
        row.created = flags & 4 != 0
        return row
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
