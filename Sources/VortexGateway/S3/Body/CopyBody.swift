internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A stretch of an object as the body of another, or of a part.
final class CopyBody: BodySource {
    private let reader: ObjectReader
    private let range: Range<UInt64>
    private let digester: BodyDigester
    private let position: Mutex<UInt64>
    private let made = Mutex<Made>(Made())

    private struct Made {
        var tag: EntityTag?
        var checksum: StoredChecksum?
    }

    init(
        _ reader: ObjectReader, _ range: Range<UInt64>, _ algorithm: ChecksumAlgorithm?,
        lanes: DigestLanes
    ) {
        self.reader = reader
        self.range = range
        position = Mutex(range.lowerBound)
        digester = BodyDigester(
            BodyDigests(md5: MD5Digest(), checksum: algorithm.map { StreamChecksum($0) }),
            on: lanes.lane())
    }

    var expectedBytes: UInt64? { range.upperBound - range.lowerBound }
    var tag: EntityTag? { made.withLock { $0.tag } }
    var checksum: StoredChecksum? { made.withLock { $0.checksum } }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        let start = buffer.count
        var offset = position.withLock { $0 }
        while !buffer.isFull, offset < range.upperBound {
            let rest = Int(min(UInt64(buffer.unfilled.count), range.upperBound - offset))
            let count = try await reader.read(
                at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.unfilled[..<rest]))
            guard count > 0 else { throw .damaged }
            buffer.advance(by: count)
            offset += UInt64(count)
        }
        let reached = offset
        position.withLock { $0 = reached }
        await digester.add(buffer, from: start)
        return reached == range.upperBound
    }

    func verify() async throws(ClusterError) {
        let digests = await digester.finish()
        made.withLock { made in
            made.tag = digests.md5.map {
                EntityTag(digest: Digest128(bigEndian: $0.finish()), parts: 0)
            }
            made.checksum = digests.checksum.map {
                StoredChecksum($0.algorithm, value: $0.value())
            }
        }
    }
}
