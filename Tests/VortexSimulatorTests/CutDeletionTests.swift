import Testing
import VortexCluster
import VortexCore

@testable import VortexSimulator

/// A bucket's deletion takes several steps, and a node may go between any two of them.
struct CutDeletionTests {
    /// The node that comes back has seen the first bucket closing, and nothing of what came then.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `a node that comes back deletes no bucket that was made meanwhile`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            async let deletion: Void = fleet.delete(by: 1)
            _ = await fleet.executor.sleep(nanoseconds: seed * 500_000)
            fleet.hold(2)
            await deletion
            await fleet.createBucket()
            fleet.free(2)
            await fleet.expectSettled()
            await fleet.rest(milliseconds: 3_000)
            for by in fleet.nodes.indices {
                let found = await fleet.ask(by) { (node) throws(ClusterError) in
                    try await node.bucket(Fleet.bucket).name
                }
                guard found != .success(Fleet.bucket) else { continue }
                fleet.verdict.fail("node \(by): \(found.map { "\($0)" } ?? "down")")
            }
        }
    }
}

extension Fleet {
    /// Returns when the bucket is gone.
    fileprivate func delete(by: Int) async {
        let isGone = await waits {
            let deleted = await ask(by) { (node) throws(ClusterError) in
                try await node.deleteBucket(Self.bucket)
                return true
            }
            return deleted == .success(true) || deleted == .failure(.noSuchBucket)
        }
        if !isGone { verdict.fail("the bucket stays") }
    }
}
