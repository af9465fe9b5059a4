/// A file's bytes with memory only for the pages that were written; the rest reads as zeros. A copy
/// shares all pages until they are written again.
struct SparseBytes: Sendable {
    private static let pageBytes: UInt64 = 4_096
    private var pages: [UInt64: [UInt8]] = [:]
    private(set) var size: UInt64 = 0

    mutating func resize(_ count: UInt64) {
        if count < size {
            pages = pages.filter { $0.key * Self.pageBytes < count }
            if let page = pages[count / Self.pageBytes] {
                let kept = Int(count % Self.pageBytes)
                pages[count / Self.pageBytes] = Array(page[..<kept] + Self.emptyPage[kept...])
            }
        }
        size = count
    }

    /// Extends the bytes where they end before it.
    mutating func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) {
        var place = offset
        var rest = bytes
        while !rest.isEmpty {
            let start = Int(place % Self.pageBytes)
            let count = min(rest.count, Int(Self.pageBytes) - start)
            var page = pages.removeValue(forKey: place / Self.pageBytes) ?? Self.emptyPage
            page.replaceSubrange(start..<start + count, with: rest.prefix(count))
            pages[place / Self.pageBytes] = page
            place += UInt64(count)
            rest = rest.dropFirst(count)
        }
        size = max(size, place)
    }

    /// The number of bytes read, fewer than asked for only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
        guard offset < size else { return 0 }
        let total = Int(min(UInt64(buffer.count), size - offset))
        var done = 0
        while done < total {
            let place = offset + UInt64(done)
            let start = Int(place % Self.pageBytes)
            let count = min(total - done, Int(Self.pageBytes) - start)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            if let page = pages[place / Self.pageBytes] {
                page.withUnsafeBytes { bytes in
                    target.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
                }
            } else {
                target.initializeMemory(as: UInt8.self, repeating: 0)
            }
            done += count
        }
        return total
    }

    mutating func flip(_ bit: UInt8, at offset: UInt64) {
        var page = pages[offset / Self.pageBytes] ?? Self.emptyPage
        page[Int(offset % Self.pageBytes)] ^= 1 << bit
        pages[offset / Self.pageBytes] = page
    }

    private static let emptyPage = [UInt8](repeating: 0, count: Int(pageBytes))
}
