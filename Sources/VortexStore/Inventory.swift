public import VortexCore

/// What is here, whoever names it: for those that compare a disk with the rows.
extension Store {
    /// Chunks behind `after`, ascending, at most `limit`.
    public func chunks(after: ChunkID? = nil, limit: Int) throws(StoreError) -> [ChunkID] {
        let all: [UInt8] = Array("c".utf8)
        let from = after.map { IndexKey.chunk($0) + [0] } ?? all
        var found: [ChunkID] = []
        var failure: CodingError?
        do throws(IndexError) {
            try index.scan(from: from, before: IndexKey.end(of: all)) { key, _ in
                do throws(CodingError) {
                    var reader = ByteReader(key)
                    try reader.skip(1)
                    found.append(
                        ChunkID(blob: try reader.readID(), index: try reader.readOrdered()))
                } catch { failure = error }
                return failure == nil && found.count < limit ? .next : .stop
            }
        } catch { throw .index }
        if let failure { throw .coding(failure) }
        return found
    }
}
