import Testing
import VortexCore

struct RowKeyTests {
    private static let upload = UploadID(high: 1, low: 2)
    private static let bucket = BucketID(high: 8, low: 9)

    @Test(arguments: [
        RowKey.Kind.object, .upload(upload), .part(upload, 10_000), .page(.max),
    ])
    func `a row key is read as it was written`(kind: RowKey.Kind) throws {
        let row = RowKey(bucket: Self.bucket, key: [0, 255, 47], kind: kind)
        var writer = ByteWriter()
        writer.write(row)
        let read = try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
            try reader.readRowKey()
        }
        #expect(read == row)
        for count in writer.bytes.indices {
            #expect(throws: CodingError.self) {
                try ByteReader.decode(Array(writer.bytes[..<count])) {
                    reader throws(CodingError) in
                    try reader.readRowKey()
                }
            }
        }
    }

    @Test func `an unknown kind and too long a key are refused`() {
        var writer = ByteWriter()
        writer.write(Self.bucket)
        writer.write(string: [1])
        writer.write(UInt8(4))
        #expect(throws: CodingError.unknown(tag: 4)) {
            try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
                try reader.readRowKey()
            }
        }
        let long = [UInt8](repeating: 1, count: Limits.keyBytesMax + 1)
        var other = ByteWriter()
        other.write(RowKey(bucket: Self.bucket, key: long))
        #expect(throws: CodingError.outOfRange(UInt64(long.count))) {
            try ByteReader.decode(other.bytes) { reader throws(CodingError) in
                try reader.readRowKey()
            }
        }
    }

    @Test func `rows order by bucket, then key bytes, then kind`() {
        let rows = [
            RowKey(bucket: BucketID(high: 8, low: 8), key: [255]),
            RowKey(bucket: Self.bucket, key: [1]),
            RowKey(bucket: Self.bucket, key: [1], kind: .upload(Self.upload)),
            RowKey(bucket: Self.bucket, key: [1], kind: .part(Self.upload, 1)),
            RowKey(bucket: Self.bucket, key: [1], kind: .page(0)),
            RowKey(bucket: Self.bucket, key: [1, 0]),
            RowKey(bucket: Self.bucket, key: [200]),
        ]
        #expect(rows.reversed().sorted() == rows)
    }

    @Test func `bucket and key both decide the place on the ring`() {
        let row = RowKey(bucket: Self.bucket, key: [1])
        #expect(row.ringHash != RowKey(bucket: Self.bucket, key: [2]).ringHash)
        #expect(row.ringHash != RowKey(bucket: .zero, key: [1]).ringHash)
    }
}
