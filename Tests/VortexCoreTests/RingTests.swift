import Testing
import VortexCore

struct RingTests {
    @Test(arguments: [UInt8(0), 1, 4, 12, 16])
    func `the arcs are equal and cover the ring`(bits: UInt8) {
        let ring = Ring(bits: bits)
        let arc = bits == 0 ? UInt64.max : UInt64.max >> UInt64(bits)
        for partition in ring.partitions {
            let first = bits == 0 ? 0 : UInt64(partition.value) << (64 - UInt64(bits))
            #expect(ring.partition(of: first) == partition)
            #expect(ring.partition(of: first + arc) == partition)
        }
        #expect(ring.partitions.count == 1 << Int(bits))
    }

    @Test func `all rows of an object lie in one partition`() {
        let ring = Ring()
        let bucket = BucketID(high: 7, low: 9)
        let key = Array("a/b".utf8)
        let upload = UploadID(high: 1, low: 2)
        let kinds: [RowKey.Kind] = [.object, .upload(upload), .part(upload, 3), .page(4)]
        let partitions = kinds.map {
            ring.partition(of: RowKey(bucket: bucket, key: key, kind: $0))
        }
        #expect(Set(partitions).count == 1)
    }

    @Test func `an upload's id alone tells its object's partition`() {
        for bits in [UInt8(0), 3, 12, 16] {
            let ring = Ring(bits: bits)
            for name in 0..<100 {
                let row = RowKey(bucket: BucketID(high: 1, low: 1), key: Array("\(name)".utf8))
                let upload = UploadID(
                    milliseconds: 1, tag: UInt16(row.ringHash >> 48), random: 5)
                #expect(ring.partition(of: upload) == ring.partition(of: row))
            }
        }
    }

    @Test func `the chunks of one blob spread over the ring`() {
        let ring = Ring(bits: 4)
        var counts = [Int](repeating: 0, count: 16)
        for index in 0..<UInt32(16_000) {
            let chunk = ChunkID(blob: BlobID(high: 3, low: 4), index: index)
            counts[Int(ring.partition(of: chunk).value)] += 1
        }
        #expect(counts.allSatisfy { (850...1_150).contains($0) })
    }
}
