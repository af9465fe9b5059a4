import Testing
import VortexCluster
import VortexCore

@testable import VortexSimulator

/// A bucket's settings are changed through one gateway while others remember older ones.
struct SettingsTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a change is known everywhere after five seconds, and puts go on`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            for by in fleet.nodes.indices {
                await fleet.put("before \(by)", by: by)
                await fleet.expectPublic(false, by: by)
            }
            await fleet.makePublic(by: 0)
            for by in fleet.nodes.indices { await fleet.put("after \(by)", by: by) }
            await fleet.put("large", bytes: 3 << 20, by: 1)
            await fleet.expectPublic(true, by: 0)
            await fleet.rest(milliseconds: 5_000)
            for by in fleet.nodes.indices { await fleet.expectPublic(true, by: by) }
        }
    }

    /// The gateway goes between the row's change and its being told to the owners, or thereabouts.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `a change cut short is finished by who asks for it again`(seed: UInt64) {
        FleetRun(seed: seed, nodes: 3).run { fleet in
            await fleet.createBucket()
            for by in fleet.nodes.indices { await fleet.put("before \(by)", by: by) }
            async let change: Void = fleet.tryMakingPublic(by: 1)
            _ = await fleet.executor.sleep(nanoseconds: seed * 500_000)
            fleet.hold(1)
            await fleet.makePublic(by: 2)
            fleet.free(1)
            await change
            for by in fleet.nodes.indices { await fleet.put("after \(by)", by: by) }
            await fleet.rest(milliseconds: 5_000)
            for by in fleet.nodes.indices { await fleet.expectPublic(true, by: by) }
        }
    }
}

extension Fleet {
    /// Whatever comes of it.
    fileprivate func tryMakingPublic(by: Int) async { _ = await askForPublic(by: by) }

    private func askForPublic(by: Int) async -> Result<Bool, ClusterError>? {
        await ask(by) { (node) throws(ClusterError) in
            let refusal: Bool? = try await node.changeBucket(Self.bucket) {
                (settings: inout BucketSettings) -> Bool? in
                settings.access = .publicRead
                return nil
            }
            return refusal == nil
        }
    }

    /// Returns when it is acknowledged.
    fileprivate func makePublic(by: Int) async {
        let isDone = await waits { await askForPublic(by: by) == .success(true) }
        if !isDone { verdict.fail("the settings are not changed") }
    }

    fileprivate func expectPublic(_ expected: Bool, by: Int) async {
        var found: Result<Bool, ClusterError>?
        let isAnswered = await waits {
            found = await ask(by) { (node) throws(ClusterError) in
                try await node.bucketSettings(Self.bucket).isPublicRead
            }
            if case .success? = found { return true } else { return false }
        }
        if !isAnswered || found != .success(expected) {
            verdict.fail("node \(by) says \(found.map { "\($0)" } ?? "nothing")")
        }
    }
}
