import Testing
import VortexCore

struct ChecksumTests {
    /// RFC 3720, B.4, and the check value of the CRC catalogue.
    static let known: [(bytes: [UInt8], value: UInt32)] = [
        (Array("123456789".utf8), 0xE306_9283),
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xff, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E),
    ]

    @Test(arguments: known)
    func `seed 0 gives the CRC32C of the standard`(bytes: [UInt8], value: UInt32) {
        #expect(CRC32C.checksum(bytes, seed: 0) == value)
    }

    @Test func `a checksum continues from the one of the bytes before`() {
        let bytes = [UInt8](0..<200)
        let whole = CRC32C.checksum(bytes, seed: 77)
        for cut in [0, 1, 7, 8, 100, 200] {
            let first = CRC32C.checksum(Array(bytes[..<cut]), seed: 77)
            #expect(CRC32C.checksum(Array(bytes[cut...]), seed: first) == whole)
        }
    }

    @Test func `a block verifies only as what it is`() {
        let blob = BlobID(high: 5, low: 6)
        let bytes = [UInt8](repeating: 3, count: 2 * Limits.blockBytes + 10)
        let chunk = ChunkID(blob: blob, index: 0)
        let sums = bytes.withUnsafeBytes { CRC32C.blocks(of: $0, chunk: chunk) }
        #expect(sums.count == 3)
        #expect(sums[0] != sums[1])
        let other = ChunkID(blob: blob, index: 1)
        #expect(bytes.withUnsafeBytes { CRC32C.blocks(of: $0, chunk: other) } != sums)
        let alien = ChunkID(blob: BlobID(high: 5, low: 7), index: 0)
        #expect(bytes.withUnsafeBytes { CRC32C.blocks(of: $0, chunk: alien) } != sums)
    }

    @Test func `a seed is never zero`() {
        for block in 0..<1_000 {
            #expect(CRC32C.seed(chunk: ChunkID(blob: .zero, index: 0), block: block) != 0)
        }
    }

    @Test func `a stream of pieces hashes like the whole`() {
        let bytes = [UInt8](repeating: 7, count: 5_000)
        var stream = XXH3.Stream()
        bytes.withUnsafeBytes { raw in
            stream.update(UnsafeRawBufferPointer(rebasing: raw[..<1_234]))
            stream.update(UnsafeRawBufferPointer(rebasing: raw[1_234...]))
        }
        #expect(stream.digest() == XXH3.hash128(bytes))
        #expect(XXH3.Stream().digest().hex == "99aa06d3014798d86001c324468d497f")
        #expect(XXH3.hash64([]) == 0x2D06_8005_38D3_94C2)
    }
}
