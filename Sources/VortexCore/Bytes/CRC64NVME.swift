/// CRC-64/NVME, which today's S3 clients use by default for whole objects. ISA-L 2.30 lacks it;
/// eight tables take eight bytes in a step.
public enum CRC64NVME {
    /// Reflected; 0xAD93D23594C93659 the other way round.
    public static let polynomial: UInt64 = 0x9A6C_9329_AC4B_C9B5

    private static let tables: [UInt64] = {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt64(byte)
            for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ polynomial }
            tables[byte] = value
        }
        for table in 1..<8 {
            for byte in 0..<256 {
                let before = tables[(table - 1) * 256 + byte]
                tables[table * 256 + byte] = before >> 8 ^ tables[Int(before & 0xff)]
            }
        }
        return tables
    }()

    /// Continues `checksum` (0 at the start) over the bytes.
    public static func update(_ checksum: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        tables.withUnsafeBufferPointer { tables in
            var value = ~checksum
            var index = 0
            while bytes.count - index >= 8 {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                value ^= UInt64(littleEndian: word)
                var next: UInt64 = 0
                for place in 0..<8 {
                    let byte = Int(value >> UInt64(8 * place) & 0xff)
                    next ^= tables[(7 - place) * 256 + byte]
                }
                value = next
                index += 8
            }
            while index < bytes.count {
                value = value >> 8 ^ tables[Int((value ^ UInt64(bytes[index])) & 0xff)]
                index += 1
            }
            return ~value
        }
    }
}
