import Testing
import VortexCore
import VortexStore

@testable import VortexCluster
@testable import VortexSimulator

/// A row with many versions, each of whose bodies lives with it: who was away lacks several.
struct VersionedRowTests {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a node that was away gets every version's body`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.keepVersions()
            await fleet.put("key", by: 0)
            await fleet.expectSettled()
            fleet.hold(2)
            for number in 0..<6 { await fleet.put("key", bytes: 200_000 + number, by: number % 2) }
            fleet.free(2)
            if seed % 2 == 0 { await fleet.put("key", by: 0) }
            await fleet.expectSettled()
            fleet.expectEqualRows()
            fleet.hold(0)
            await fleet.expectVersions(of: "key", count: seed % 2 == 0 ? 8 : 7, by: 2)
        }
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func `a new node in a lost one's place gets them too`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            await fleet.keepVersions()
            for number in 0..<5 { await fleet.put("key", bytes: 1_000 + number, by: number % 3) }
            await fleet.expectSettled()
            fleet.hold(2)
            fleet.nodes[2].replaceDisk()
            fleet.free(2)
            await fleet.expectSettled()
            fleet.expectEqualRows()
            fleet.hold(1)
            await fleet.expectVersions(of: "key", count: 5, by: 2)
        }
    }
}

extension Fleet {
    fileprivate func keepVersions() async {
        let isKept = await waits {
            let answer = await ask(1) { (node) throws(ClusterError) in
                try await node.setVersioning(bucket: Self.bucket, .enabled)
                return true
            }
            return answer == .success(true)
        }
        if !isKept { verdict.fail("no versions are kept") }
    }

    /// As many are there at least, since a put may have been made twice; all have their bytes.
    fileprivate func expectVersions(of key: String, count: Int, by: Int) async {
        var last: Result<Int, ClusterError>?
        let isRead = await waits {
            last = await ask(by) { (node) throws(ClusterError) in
                let name = Array(key.utf8)
                let page = try await node.listVersions(
                    bucket: Self.bucket, prefix: [], delimiter: [], after: nil, limit: 100)
                var read = 0
                for case .version(_, let listed, _) in page.entries {
                    let version = try await node.find(
                        bucket: Self.bucket, key: name, version: listed.name
                    ).version
                    let reader = try await node.reader(
                        for: version, bucket: Self.bucket, key: name)
                    let buffer = UnsafeMutableRawBufferPointer.allocate(
                        byteCount: max(1, Int(version.size)), alignment: 64)
                    defer { buffer.deallocate() }
                    let bytes = try await reader.read(at: 0, into: buffer)
                    if UInt64(bytes) == version.size { read += 1 }
                }
                return read
            }
            if case .success = last { return true }
            return false
        }
        guard isRead, case .success(let found) = last, found >= count else {
            return verdict.fail(
                "\(count) versions of \(key) by node \(by): \(String(describing: last))")
        }
    }
}
