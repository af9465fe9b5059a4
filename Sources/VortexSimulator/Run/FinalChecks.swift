internal import VortexCluster
internal import VortexCore
internal import VortexStore

/// When the storm is over: every node is started anew and has to show, by itself, all that was
/// acknowledged and nothing else; and after a while no disk holds a chunk of no object.
struct FinalChecks: Sendable {
    /// Short, so that a run need not go on for a virtual day; longer than a client's patience.
    static let collectDelayMilliseconds: UInt64 = 32_000
    static let uploadIdleMilliseconds: UInt64 = 45_000
    private static let startAttemptsMax = 600
    private static let wholeRoundsMax = 300
    private static let garbageRoundsMax = 240
    private static let roundNanoseconds: UInt64 = 5_000_000_000

    let nodes: [SimulatedNode]
    /// The one whose disk may hold copies that do not verify.
    let rotting: Int?
    /// Goes on until what nobody names is collected, which takes a virtual minute or two.
    let awaitsGarbage: Bool
    let client: SimulatedClient
    let around: Surroundings

    func run() async {
        guard await allUp(nodes) else { return }
        await becomesWhole(verifying: !awaitsGarbage)
        for node in nodes { node.end(.kill, downNanoseconds: 0) }
        guard await allUp(nodes) else { return }
        for node in nodes { await look(from: node) }
        if awaitsGarbage {
            await garbageGoes()
            await becomesWhole(verifying: true)
            for node in nodes { await look(from: node) }
        }
    }

    func allUp(_ nodes: [SimulatedNode]) async -> Bool {
        for _ in 0..<Self.startAttemptsMax {
            if nodes.allSatisfy(\.isUp) { return true }
            _ = await around.executor.sleep(nanoseconds: 100_000_000)
        }
        around.verdict.fail("not all nodes come up where nothing is in their way")
        return false
    }

    /// What the reads and listings find goes into the history like everything else, so they have to
    /// agree with it, and so with each other.
    private func look(from node: SimulatedNode) async {
        around.trace.note(.check, UInt64(node.place))
        await lookAtVersions(from: node)
        for bucket in [Workload.bucket, Workload.fleetingBucket, VersionWorkload.bucket] {
            let keys = Workload.keys(of: bucket)
            for key in keys {
                client.bind(to: node.place)
                await expect("\(key) from node \(node.place)") {
                    await client.get(History.Place(bucket: bucket, key: key))
                }
            }
            client.bind(to: node.place)
            await expect("the listing of \(bucket) from node \(node.place)") {
                await client.list(
                    SimulatedClient.Listing(
                        bucket: bucket, keys: keys, prefix: "", delimiter: "", limit: 1_000))
            }
        }
    }

    private func lookAtVersions(from node: SimulatedNode) async {
        client.bind(to: node.place)
        await expect("the versions from node \(node.place)") {
            await client.listVersions(VersionWorkload.bucket, prefix: "", limit: 1_000)
        }
        for key in VersionWorkload.keys {
            let place = History.Place(bucket: VersionWorkload.bucket, key: key)
            for name in client.history.withVersions({ $0.names(of: place) }) {
                client.bind(to: node.place)
                await expect("\(key) \(name) from node \(node.place)") {
                    await client.get(place, name)
                }
            }
        }
    }

    /// A healed cluster answers, soon.
    private func expect(_ what: String, _ ask: () async -> Bool) async {
        for _ in 0..<Self.startAttemptsMax {
            if await ask() { return }
            _ = await around.executor.sleep(nanoseconds: 100_000_000)
        }
        around.verdict.fail("\(what) cannot be had after all is healed")
    }

    // MARK: Copies

    /// Every copy is made and nothing is left where it does not belong; and no node says so before.
    private func becomesWhole(verifying: Bool) async {
        let audit = DiskAudit(nodes: nodes)
        /// Missing since, in rounds in which somebody has said that nothing is.
        var denied: [String: Int] = [:]
        var last = "nobody knows"
        for _ in 0..<Self.wholeRoundsMax {
            let claims = await claims()
            let findings: DiskAudit.Findings?
            do throws(StoreError) {
                findings = try await audit.findings(verifying: verifying, rotting: rotting)
            } catch { return around.verdict.fail("a disk cannot be read: \(error)") }
            if let findings {
                for copy in findings.rotten { around.verdict.fail("does not verify: \(copy)") }
                let isClaimed = claims.contains(.whole)
                denied = isClaimed ? findings.missing.counted(onto: denied) : [:]
                if let copy = findings.missing.first(where: { denied[$0, default: 0] > 2 }) {
                    return around.verdict.fail("said to be complete without \(copy)")
                }
                let isWhole = claims.allSatisfy { $0 == (canBeWhole ? .whole : .lacking) }
                if isWhole, findings.missing.isEmpty, findings.strays.isEmpty { return }
                last = "\(claims.map(\.rawValue)), missing \(findings.missing.prefix(3))"
                last += ", in the wrong place \(findings.strays.prefix(3))"
                around.trace.note(.check, text: last)
            }
            _ = await around.executor.sleep(nanoseconds: 1_000_000_000)
        }
        around.verdict.fail("the cluster does not become whole: \(last)")
    }

    /// Fewer nodes than copies: the status says so for ever.
    private var canBeWhole: Bool { nodes.count >= 3 }

    private enum Claim: String { case whole, lacking, silent }

    /// What each node says of the cluster.
    private func claims() async -> [Claim] {
        var claims: [Claim] = []
        for node in nodes {
            client.bind(to: node.place)
            let answer = await client.ask("status") { (node) throws(ClusterError) in
                await node.clusterStatus().isComplete
            }
            guard case .value(let isComplete) = answer else {
                claims.append(.silent)
                continue
            }
            claims.append(isComplete ? .whole : .lacking)
        }
        return claims
    }

    // MARK: Garbage

    private func garbageGoes() async {
        var left: [String] = []
        for round in 0..<2 * Self.garbageRoundsMax {
            // What a finished upload's row names stays as long as its answer is owed.
            let pause =
                round == Self.garbageRoundsMax
                ? Limits.answerLifetimeMilliseconds * 1_000_000 : Self.roundNanoseconds
            _ = await around.executor.sleep(nanoseconds: pause)
            left = await garbage()
            if left.isEmpty { return }
            around.trace.note(.check, UInt64(left.count), text: left[0])
        }
        around.verdict.fail("chunks of no object stay: \(left.prefix(4).joined(separator: ", "))")
    }

    /// Chunks that no object's version names, and rows of parts: their uploads are all
    /// over. One line where it cannot be known.
    private func garbage() async -> [String] {
        var named: [BlobID] = []
        for bucket in [Workload.bucket, Workload.fleetingBucket] {
            for key in Workload.keys(of: bucket) {
                guard let blobs = await blobs(bucket, key) else { return ["unreadable"] }
                named += blobs
            }
        }
        guard let kept = await keptBlobs() else { return ["unreadable"] }
        named += kept
        var left: [String] = []
        for node in nodes {
            guard let process = node.process else { return ["node \(node.place) is down"] }
            do throws(StoreError) {
                for chunk in try process.store.chunks(limit: 10_000)
                where !named.contains(chunk.blob) {
                    left.append("\(chunk.blob) \(chunk.index) on node \(node.place)")
                }
                left += try DiskAudit.parts(on: process.store).map {
                    "row \($0) on node \(node.place)"
                }
            } catch { return ["node \(node.place): \(error)"] }
        }
        return left
    }

    private func keptBlobs() async -> [BlobID]? {
        let answer = await client.ask("bodies of versions") { (node) throws(ClusterError) in
            var blobs: [BlobID] = []
            var after: ClusterNode.VersionMarker?
            repeat {
                let page = try await node.listVersions(
                    bucket: VersionWorkload.bucket, prefix: [], delimiter: [], after: after,
                    limit: Limits.listPageMax)
                for case .version(let key, let version, _) in page.entries {
                    let found = try await node.find(
                        bucket: VersionWorkload.bucket, key: key, version: version.name)
                    blobs += found.version.body.blobs
                }
                after = page.next
            } while after != nil
            return blobs
        }
        if case .value(let blobs) = answer { return blobs }
        return nil
    }

    private func blobs(_ bucket: String, _ key: String) async -> [BlobID]? {
        let answer = await client.ask("body of \(key)") { (node) throws(ClusterError) in
            try await node.head(bucket: bucket, key: Array(key.utf8)).body.blobs
        }
        switch answer {
        case .value(let blobs): return blobs
        case .error(.noSuchObject), .error(.noSuchBucket): return []
        case .error, .lost, .unsent: return nil
        }
    }
}

extension [String] {
    /// How often in a row each has been met, where it had been met so often before.
    fileprivate func counted(onto before: [String: Int]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for item in self { counts[item] = before[item, default: 0] + 1 }
        return counts
    }
}
