/// Changes of the index that take effect together, in one flat buffer, later ones winning over
/// earlier ones.
///
/// The layout is that of RocksDB's write batch (db/write_batch.cc), which is so handed over as it
/// is:
/// ```
/// sequence number, 8 bytes, zero | count, 4 bytes, little-endian | count records
/// put:    01, key length (LEB128), key, value length (LEB128), value
/// delete: 00, key length, key
/// range:  0f, first key's length, first key, length and key behind the last
/// ```
public struct IndexBatch: Sendable {
    static let headerBytes = 12
    static let deleteTag: UInt8 = 0x00
    static let putTag: UInt8 = 0x01
    static let rangeTag: UInt8 = 0x0f

    private(set) var bytes: [UInt8]
    public private(set) var count: UInt32 = 0

    public init(reservingBytes capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(Self.headerBytes + capacity)
        bytes.append(contentsOf: repeatElement(0, count: Self.headerBytes))
    }

    public var isEmpty: Bool { count == 0 }
    /// What the batch takes in memory.
    public var byteCount: Int { bytes.count }

    public mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { key in value.withUnsafeBytes { put(key, $0) } }
    }

    public mutating func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        bytes.append(Self.putTag)
        append(key)
        append(value)
        countOneMore()
    }

    public mutating func delete(_ key: [UInt8]) {
        bytes.append(Self.deleteTag)
        key.withUnsafeBytes { append($0) }
        countOneMore()
    }

    /// Deletes every key of `lower..<upper`; nothing where that is empty.
    public mutating func delete(from lower: [UInt8], before upper: [UInt8]) {
        guard lower.lexicographicallyPrecedes(upper) else { return }
        bytes.append(Self.rangeTag)
        lower.withUnsafeBytes { append($0) }
        upper.withUnsafeBytes { append($0) }
        countOneMore()
    }

    /// Empties the batch and keeps its memory.
    public mutating func removeAll() {
        bytes.removeSubrange(Self.headerBytes...)
        count = 0
        storeCount()
    }

    private mutating func append(_ string: UnsafeRawBufferPointer) {
        var rest = UInt32(string.count)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        bytes.append(contentsOf: string)
    }

    private mutating func countOneMore() {
        count += 1
        storeCount()
    }

    private mutating func storeCount() {
        for byte in 0..<4 { bytes[8 + byte] = UInt8(truncatingIfNeeded: count >> UInt32(8 * byte)) }
    }

    enum Change {
        case put(key: [UInt8], value: [UInt8])
        case delete(key: [UInt8])
        case deleteRange(lower: [UInt8], upper: [UInt8])
    }

    /// The changes in the order in which they were made.
    func forEachChange(_ body: (Change) -> Void) {
        var offset = Self.headerBytes
        func nextString() -> [UInt8] {
            var length = 0
            var shift = 0
            while true {
                let byte = bytes[offset]
                offset += 1
                length |= Int(byte & 0x7f) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            defer { offset += length }
            return Array(bytes[offset..<offset + length])
        }
        while offset < bytes.count {
            let tag = bytes[offset]
            offset += 1
            switch tag {
            case Self.putTag: body(.put(key: nextString(), value: nextString()))
            case Self.deleteTag: body(.delete(key: nextString()))
            case Self.rangeTag: body(.deleteRange(lower: nextString(), upper: nextString()))
            default: preconditionFailure("a batch holds only what it was given")
            }
        }
    }
}
