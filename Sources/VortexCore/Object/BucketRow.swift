/// A bucket's row, in the system's bucket under the bucket's name.
public struct BucketRow: Hashable, Sendable {
    public enum State: UInt8, Hashable, Sendable {
        case open = 0
        /// Being deleted: takes no put. Becomes a tombstone where it is found empty, or opens
        /// again.
        case closing = 1
    }
    public var id: BucketID
    /// Raised by every change of the settings, closing and opening among them.
    public var generation: UInt64
    public var state: State
    public var createdMilliseconds: UInt64
    public var versioning = Versioning.off
    public var settings = BucketSettings()

    public init(id: BucketID, createdMilliseconds: UInt64) {
        self.id = id
        generation = 1
        state = .open
        self.createdMilliseconds = createdMilliseconds
    }

    /// 3 to 63 characters of a-z, 0-9, dot and hyphen, beginning and ending with a letter or digit,
    /// no two dots together: what S3 allows.
    public static func isValid(name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard Limits.bucketNameBytes.contains(bytes.count) else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard isAlphanumeric(bytes[0]), isAlphanumeric(bytes[bytes.count - 1]) else { return false }
        let dot = UInt8(ascii: ".")
        for (index, byte) in bytes.enumerated() {
            guard isAlphanumeric(byte) || byte == dot || byte == UInt8(ascii: "-") else {
                return false
            }
            if byte == dot, bytes[index - 1] == dot { return false }
        }
        return true
    }
}

extension ByteWriter {
    /// Format 2 adds versioning, format 3 the settings behind their length; each where there is
    /// something to say.
    public mutating func write(_ row: BucketRow) {
        let hasSettings = row.settings != BucketSettings()
        let format: UInt8 = hasSettings ? 3 : row.versioning == .off ? 1 : 2
        write(format)
        write(row.state.rawValue)
        write(row.id)
        write(number: row.generation)
        write(number: row.createdMilliseconds)
        if format > 1 { write(row.versioning.rawValue) }
        guard hasSettings else { return }
        var settings = ByteWriter(reserving: 64)
        settings.write(row.settings)
        write(string: settings.bytes)
    }
}

extension ByteReader {
    public mutating func readBucketRow() throws(CodingError) -> BucketRow {
        let format = try readFormat(1...3)
        let state = try readByte()
        guard let state = BucketRow.State(rawValue: state) else {
            throw .unknown(tag: UInt64(state))
        }
        let id = try readID(BucketID.self)
        let generation = try readNumber()
        var row = BucketRow(id: id, createdMilliseconds: try readMilliseconds())
        row.generation = generation
        row.state = state
        guard format > 1 else { return row }
        let versioning = try readByte()
        guard let versioning = Versioning(rawValue: versioning) else {
            throw .unknown(tag: UInt64(versioning))
        }
        row.versioning = versioning
        guard format > 2 else { return row }
        let settings = try readString(max: Limits.bucketSettingsBytesMax)
        row.settings = try ByteReader.decode(settings) { (reader) throws(CodingError) in
            try reader.readBucketSettings()
        }
        return row
    }
}
