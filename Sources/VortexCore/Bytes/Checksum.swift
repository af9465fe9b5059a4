import CChecksum

/// CRC32C (Castagnoli) guards every byte that is stored; ISA-L computes it at about 20 GB/s a core.
public enum CRC32C {
    /// Continues `seed` over the bytes. The seed is the identity of what is covered, never zero, so
    /// that neither zeros nor a valid block of something else verify.
    public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return seed }
        let start = UnsafeMutablePointer(
            mutating: base.assumingMemoryBound(to: UInt8.self))
        return ~crc32_iscsi(start, Int32(bytes.count), ~seed)
    }

    public static func checksum(_ bytes: [UInt8], seed: UInt32) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, seed: seed) }
    }

    /// The seed of block `block` of a chunk: a valid block of another chunk, or of another place in
    /// the same one, does not verify (object-protocol.md, The journal).
    public static func seed(chunk: ChunkID, block: Int) -> UInt32 {
        var mixed = chunk.blob.high &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 29 ^ chunk.blob.low) &* 0xBF58_476D_1CE4_E5B9
        mixed ^= UInt64(chunk.index) << 32 | UInt64(block)
        mixed = (mixed ^ mixed >> 32) &* 0x94D0_49BB_1331_11EB
        return UInt32(truncatingIfNeeded: mixed >> 32) | 1
    }

    /// The checksums of a chunk's blocks, in order; the last block may be short.
    public static func blocks(of bytes: UnsafeRawBufferPointer, chunk: ChunkID) -> [UInt32] {
        let count = (bytes.count + Limits.blockBytes - 1) / Limits.blockBytes
        return (0..<count).map { block in
            let start = block * Limits.blockBytes
            let end = min(start + Limits.blockBytes, bytes.count)
            return checksum(
                UnsafeRawBufferPointer(rebasing: bytes[start..<end]),
                seed: seed(chunk: chunk, block: block))
        }
    }
}

/// A 128-bit hash value.
public struct Digest128: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    /// 32 lower-case hex digits, high half first (the canonical form of XXH3-128).
    public var hex: String { Hex.string(high) + Hex.string(low) }
}

/// XXH3 (Collet): placement on the ring and the ETags of `/v1` uploads. Not a defence against an
/// adversary, and used for none.
public enum XXH3 {
    public static func hash64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        XXH3_64bits(bytes.baseAddress, bytes.count)
    }
    public static func hash64(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { hash64($0) } }

    public static func hash128(_ bytes: UnsafeRawBufferPointer) -> Digest128 {
        let hash = XXH3_128bits(bytes.baseAddress, bytes.count)
        return Digest128(high: hash.high64, low: hash.low64)
    }
    public static func hash128(_ bytes: [UInt8]) -> Digest128 {
        bytes.withUnsafeBytes { hash128($0) }
    }

    /// XXH3-128 over bytes that arrive in pieces.
    public struct Stream: ~Copyable {
        private let state: OpaquePointer

        public init() {
            guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
            self.state = state
            XXH3_128bits_reset(state)
        }

        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
        }

        public func digest() -> Digest128 {
            let hash = XXH3_128bits_digest(state)
            return Digest128(high: hash.high64, low: hash.low64)
        }

        deinit { XXH3_freeState(state) }
    }
}

/// The two 32-bit checksums as S3's clients know them, without an identity; continued over pieces.
public enum PlainCRC {
    public static let crc32Polynomial: UInt32 = 0xEDB8_8320
    public static let crc32cPolynomial: UInt32 = 0x82F6_3B78

    /// CRC-32 as in zlib; 0 at the start.
    public static func crc32(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return checksum }
        return crc32_gzip_refl(
            checksum, base.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    /// CRC-32C (Castagnoli); 0 at the start.
    public static func crc32c(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.checksum(bytes, seed: checksum)
    }
}
