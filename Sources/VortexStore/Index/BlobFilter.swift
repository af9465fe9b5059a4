internal import VortexCore

/// Whether a blob may have a delete record, without asking the index: every chunk that arrives has
/// to be held against those records, and nearly none has one. A Bloom filter (Bloom, 1970) of two
/// bits per blob; a full one costs what it would have saved and nothing more. It is made from the
/// index when the store is opened, and only ever filled.
struct BlobFilter {
    /// 1 Mbit: below 1 of 100 wrong with 50,000 delete records.
    private static let bits = 1 << 20
    private var words = [UInt64](repeating: 0, count: bits / 64)

    init() {}

    init(deletedIn index: any Index) throws(IndexError) {
        let prefix = IndexKey.deletesAll
        var blobs = BlobFilter()
        try index.scan(from: prefix, before: IndexKey.end(of: prefix)) { key, _ in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: key.dropFirst(prefix.count)))
            do throws(CodingError) { blobs.insert(try reader.readID()) } catch { blobs.fill() }
            return .next
        }
        self = blobs
    }

    private static func places(_ blob: BlobID) -> (Int, Int) {
        // The low half is random; the high one tells the time, and the members of one burst apart.
        let mixed = (blob.low ^ blob.high &* 0x9e37_79b9_7f4a_7c15)
        return (
            Int(truncatingIfNeeded: mixed) & (bits - 1),
            Int(truncatingIfNeeded: mixed >> 32) & (bits - 1)
        )
    }

    mutating func insert(_ blob: BlobID) {
        let (first, second) = Self.places(blob)
        words[first / 64] |= 1 << UInt64(first % 64)
        words[second / 64] |= 1 << UInt64(second % 64)
    }

    func mayContain(_ blob: BlobID) -> Bool {
        let (first, second) = Self.places(blob)
        return words[first / 64] >> UInt64(first % 64) & 1 == 1
            && words[second / 64] >> UInt64(second % 64) & 1 == 1
    }

    /// What cannot be read may be any blob's.
    private mutating func fill() {
        words = [UInt64](repeating: .max, count: Self.bits / 64)
    }
}
