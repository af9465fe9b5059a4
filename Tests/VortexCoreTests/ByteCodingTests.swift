import Testing
import VortexCore

struct ByteCodingTests {
    static let numbers: [UInt64] = [
        0, 1, 0x7f, 0x80, 0x3fff, 0x4000, UInt64(UInt32.max), 1 << 63, .max,
    ]

    @Test(arguments: numbers)
    func `a number is read as it was written`(number: UInt64) throws {
        var writer = ByteWriter()
        writer.write(number: number)
        writer.write(fixed: number)
        writer.write(ordered: number)
        let read = try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
            [
                try reader.readNumber(), try reader.readFixed(UInt64.self),
                try reader.readOrdered(UInt64.self),
            ]
        }
        #expect(read == [number, number, number])
    }

    @Test func `small numbers take one byte and the greatest ten`() {
        for (number, count) in [(UInt64(127), 1), (128, 2), (.max, 10)] {
            var writer = ByteWriter()
            writer.write(number: number)
            #expect(writer.count == count)
        }
    }

    @Test func `ordered numbers sort as bytes do`() {
        let encoded = Self.numbers.map { number in
            var writer = ByteWriter()
            writer.write(ordered: number)
            return writer.bytes
        }
        for (low, high) in zip(encoded, encoded.dropFirst()) {
            #expect(low.lexicographicallyPrecedes(high))
        }
    }

    @Test(arguments: [
        [UInt8](repeating: 0xff, count: 10), [UInt8](repeating: 0x80, count: 11),
        [UInt8](repeating: 0x80, count: 9) + [2],
    ])
    func `a number of more than 64 bits is refused`(bytes: [UInt8]) {
        #expect(throws: CodingError.self) {
            try ByteReader.decode(bytes) { reader throws(CodingError) in
                try reader.readNumber()
            }
        }
    }

    @Test func `a length beyond its bound or beyond the bytes is refused`() {
        var writer = ByteWriter()
        writer.write(text: "12345")
        #expect(throws: CodingError.outOfRange(5)) {
            try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
                try reader.readString(max: 4)
            }
        }
        #expect(throws: CodingError.truncated(needed: 5, remaining: 2)) {
            try ByteReader.decode(Array(writer.bytes.prefix(3))) { reader throws(CodingError) in
                try reader.readText(max: 9)
            }
        }
        #expect(throws: CodingError.trailing(5)) {
            try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
                try reader.readByte()
            }
        }
        #expect(throws: CodingError.truncated(needed: -1, remaining: 6)) {
            try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
                try reader.skip(-1)
            }
        }
    }

    @Test func `text that is not UTF-8 is refused`() {
        #expect(throws: CodingError.notText) {
            try ByteReader.decode([2, 0xc3, 0x28]) { reader throws(CodingError) in
                try reader.readText(max: 10)
            }
        }
    }

    @Test func `a patch changes four bytes and no others`() throws {
        var writer = ByteWriter()
        for _ in 0..<6 { writer.write(UInt8(9)) }
        writer.patch(0x0403_0201, at: 1)
        #expect(writer.bytes == [9, 1, 2, 3, 4, 9])
    }

    @Test(arguments: 1...20)
    func `noise never traps`(seed: Int) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = generator.bytes(Int.random(in: 0...40, using: &generator))
            do throws(CodingError) {
                _ = try ByteReader.decode(bytes) { reader throws(CodingError) in
                    let row = try reader.readRowKey()
                    return (row, try reader.readBallot(), try reader.readText(max: 20))
                }
            } catch {
                continue
            }
        }
    }
}
