/// An ordered map of byte strings as a value: leaves of bounded size, in order, in one array. A
/// copy is a snapshot; it costs the next change a copy of the array of leaves and of the leaf that
/// it changes, and no byte of any row.
struct SortedRows {
    struct Row {
        var key: [UInt8]
        var value: [UInt8]
    }
    /// Between two leaves' rows there is none: `row` is below the leaf's count, or the end.
    struct Place: Equatable {
        var leaf: Int
        var row: Int
    }

    private static let leafRowsMax = 128
    /// None is empty.
    private var leaves: [[Row]] = []
    private(set) var count = 0
    private(set) var byteCount: UInt64 = 0

    subscript(key: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let row = self[place(notBelow: key)], row.key.elementsEqual(key) else { return nil }
        return row.value
    }

    /// Nil at the end.
    subscript(place: Place) -> Row? {
        place.leaf < leaves.count ? leaves[place.leaf][place.row] : nil
    }

    /// Of the first row whose key is `key` or above it.
    func place(notBelow key: UnsafeRawBufferPointer) -> Place {
        let leaf = leaves.firstIndexInOrder { isBelow($0[$0.count - 1].key, key) }
        guard leaf < leaves.count else { return Place(leaf: leaf, row: 0) }
        return Place(leaf: leaf, row: leaves[leaf].firstIndexInOrder { isBelow($0.key, key) })
    }

    func place(after place: Place) -> Place {
        place.row + 1 < leaves[place.leaf].count
            ? Place(leaf: place.leaf, row: place.row + 1) : Place(leaf: place.leaf + 1, row: 0)
    }

    mutating func apply(_ change: IndexBatch.Change) {
        switch change {
        case .put(let key, let value): put(key, value)
        case .delete(let key):
            let place = key.withUnsafeBytes { self.place(notBelow: $0) }
            if self[place]?.key == key { remove(at: place) }
        case .deleteRange(let lower, let upper):
            let place = lower.withUnsafeBytes { self.place(notBelow: $0) }
            removeRows(from: place, before: upper)
        }
    }

    private mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        var place = key.withUnsafeBytes { self.place(notBelow: $0) }
        byteCount += UInt64(value.count)
        if self[place]?.key == key {
            byteCount -= UInt64(leaves[place.leaf][place.row].value.count)
            leaves[place.leaf][place.row].value = value
            return
        }
        byteCount += UInt64(key.count)
        count += 1
        guard !leaves.isEmpty else {
            leaves = [[Row(key: key, value: value)]]
            return
        }
        if place.leaf == leaves.count {
            place = Place(leaf: leaves.count - 1, row: leaves[leaves.count - 1].count)
        }
        leaves[place.leaf].insert(Row(key: key, value: value), at: place.row)
        let rows = leaves[place.leaf].count
        guard rows > Self.leafRowsMax else { return }
        // Keys that come in order fill their leaves; others halve them.
        let kept = place.leaf == leaves.count - 1 && place.row == rows - 1 ? rows - 1 : rows / 2
        let moved = Array(leaves[place.leaf][kept...])
        leaves[place.leaf].removeSubrange(kept...)
        leaves.insert(moved, at: place.leaf + 1)
    }

    private mutating func remove(at place: Place) {
        let row = leaves[place.leaf].remove(at: place.row)
        forget(row)
        if leaves[place.leaf].isEmpty { leaves.remove(at: place.leaf) }
    }

    private mutating func removeRows(from first: Place, before upper: [UInt8]) {
        var place = first
        var emptied: Range<Int>?
        while place.leaf < leaves.count {
            let rows = leaves[place.leaf]
            let end = upper.withUnsafeBytes { upper in
                rows.firstIndexInOrder { isBelow($0.key, upper) }
            }
            guard place.row < end else { break }
            for row in rows[place.row..<end] { forget(row) }
            if place.row == 0 && end == rows.count {
                emptied = (emptied?.lowerBound ?? place.leaf)..<place.leaf + 1
            } else {
                leaves[place.leaf].removeSubrange(place.row..<end)
            }
            guard end == rows.count else { break }
            place = Place(leaf: place.leaf + 1, row: 0)
        }
        if let emptied { leaves.removeSubrange(emptied) }
    }

    private mutating func forget(_ row: Row) {
        count -= 1
        byteCount -= UInt64(row.key.count + row.value.count)
    }
}

private func isBelow(_ key: [UInt8], _ other: UnsafeRawBufferPointer) -> Bool {
    key.withUnsafeBytes { $0.isBelow(other) }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes sort before the others, as unsigned numbers, a prefix first.
    func isBelow(_ other: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        let shared = Swift.min(count, other.count)
        while offset + 8 <= shared {
            let (mine, its) = (
                UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(bigEndian: other.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            )
            if mine != its { return mine < its }
            offset += 8
        }
        while offset < shared {
            if self[offset] != other[offset] { return self[offset] < other[offset] }
            offset += 1
        }
        return count < other.count
    }
}

extension Array {
    /// The first index at which `isBefore` no longer holds, in an array in which it holds for a
    /// prefix.
    fileprivate func firstIndexInOrder(where isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
