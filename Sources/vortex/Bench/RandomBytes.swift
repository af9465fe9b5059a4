internal import Glibc

/// Bytes that no file system can compress, never given back: they live as long as the measurement.
func randomBytes(_ count: Int) -> UnsafeRawBufferPointer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4_096)
    var generator = SystemRandomNumberGenerator()
    // One seed of the system's, stretched by xorshift64: the kernel would take seconds for a GiB.
    var word = generator.next() | 1
    for start in stride(from: 0, to: count, by: 8) {
        word ^= word << 13
        word ^= word >> 7
        word ^= word << 17
        let rest = min(8, count - start)
        withUnsafeBytes(of: word) {
            bytes[start..<start + rest].copyBytes(from: $0.prefix(rest))
        }
    }
    return UnsafeRawBufferPointer(bytes)
}
