internal import Glibc

/// A file's bytes with memory only for the pages in which something else than zeros was written;
/// the rest reads as zeros. A copy shares all pages until they are written again.
struct SparseBytes: Sendable {
    private static let pageBytes = 16 << 10
    /// nil: nothing but zeros; so is what lies behind the last one.
    private var pages: [[UInt8]?] = []
    private(set) var size: UInt64 = 0

    mutating func resize(_ count: UInt64) {
        if count < size {
            let (page, kept) = Self.place(of: count)
            if page + 1 < pages.count { pages.removeSubrange((page + 1)...) }
            if page < pages.count {
                pages[page]?.replaceSubrange(
                    kept..., with: repeatElement(0, count: Self.pageBytes - kept))
            }
        }
        size = count
    }

    private static func place(of offset: UInt64) -> (page: Int, start: Int) {
        let (page, start) = Int(offset).quotientAndRemainder(dividingBy: pageBytes)
        return (page, start)
    }

    /// Extends the bytes where they end before it.
    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        var done = 0
        while done < bytes.count {
            let (page, start) = Self.place(of: offset + UInt64(done))
            let count = min(bytes.count - done, Self.pageBytes - start)
            write(UnsafeRawBufferPointer(rebasing: bytes[done..<done + count]), page, start)
            done += count
        }
        size = max(size, offset + UInt64(bytes.count))
    }

    /// As if so many zeros were written.
    mutating func writeZeros(_ count: Int, at offset: UInt64) {
        var done = 0
        while done < count {
            let (page, start) = Self.place(of: offset + UInt64(done))
            let some = min(count - done, Self.pageBytes - start)
            if page < pages.count {
                pages[page]?.withUnsafeMutableBytes { _ = memset($0.baseAddress! + start, 0, some) }
            }
            done += some
        }
        size = max(size, offset + UInt64(count))
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer, _ page: Int, _ start: Int) {
        materialize(page)
        pages[page]!.withUnsafeMutableBytes { target in
            UnsafeMutableRawBufferPointer(rebasing: target[start..<start + bytes.count])
                .copyMemory(from: bytes)
        }
    }

    private mutating func materialize(_ page: Int) {
        while pages.count <= page { pages.append(nil) }
        if pages[page] == nil { pages[page] = [UInt8](repeating: 0, count: Self.pageBytes) }
    }

    /// The number of bytes read, fewer than asked for only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
        guard offset < size else { return 0 }
        let total = Int(min(UInt64(buffer.count), size - offset))
        var done = 0
        while done < total {
            let (page, start) = Self.place(of: offset + UInt64(done))
            let count = min(total - done, Self.pageBytes - start)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            let found: Void? =
                page < pages.count
                ? pages[page]?.withUnsafeBytes { bytes in
                    target.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
                } : nil
            if found == nil { memset(target.baseAddress!, 0, count) }
            done += count
        }
        return total
    }

    /// Ranges in which something was written, in order.
    var writtenRanges: [Range<UInt64>] {
        pages.indices.compactMap { page in
            let start = UInt64(page * Self.pageBytes)
            guard pages[page] != nil, start < size else { return nil }
            return start..<min(size, start + UInt64(Self.pageBytes))
        }
    }

    mutating func flip(_ bit: UInt8, at offset: UInt64) {
        let (page, start) = Self.place(of: offset)
        materialize(page)
        pages[page]![start] ^= 1 << bit
    }
}
