internal import VortexCluster
internal import VortexCore
internal import VortexStore

/// When the storm is over: every node is started anew and has to show, by itself, all that was
/// acknowledged and nothing else; and after a while no disk holds a chunk of no object.
struct FinalChecks: Sendable {
    /// Short, so that a run need not go on for a virtual day.
    static let collectDelayMilliseconds: UInt64 = 60_000
    static let uploadIdleMilliseconds: UInt64 = 120_000
    private static let startAttemptsMax = 600
    private static let garbageRoundsMax = 60
    private static let roundNanoseconds: UInt64 = 20_000_000_000

    let nodes: [SimulatedNode]
    let client: SimulatedClient
    let around: Surroundings

    func run() async {
        for node in nodes { node.end(.kill, downNanoseconds: 0) }
        guard await allUp() else { return }
        for node in nodes { await look(from: node) }
        await garbageGoes()
        for node in nodes { await look(from: node) }
    }

    func allUp() async -> Bool {
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
        for bucket in [Workload.bucket, Workload.fleetingBucket] {
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

    /// A healed cluster answers, soon.
    private func expect(_ what: String, _ ask: () async -> Bool) async {
        for _ in 0..<Self.startAttemptsMax {
            if await ask() { return }
            _ = await around.executor.sleep(nanoseconds: 100_000_000)
        }
        around.verdict.fail("\(what) cannot be had after all is healed")
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

    /// Chunks that no object's visible version names, and uploads that are still open; one line
    /// where it cannot be known.
    private func garbage() async -> [String] {
        var named: [BlobID] = []
        for bucket in [Workload.bucket, Workload.fleetingBucket] {
            for key in Workload.keys(of: bucket) {
                guard let blobs = await blobs(bucket, key) else { return ["unreadable"] }
                named += blobs
            }
        }
        for node in nodes {
            guard let process = node.process, let blobs = refused(process.store) else {
                return ["the uploads of node \(node.place) cannot be read"]
            }
            named += blobs
        }
        var left: [String] = []
        for node in nodes {
            guard let process = node.process else { return ["node \(node.place) is down"] }
            do throws(StoreError) {
                for chunk in try process.store.chunks(limit: 10_000)
                where !named.contains(chunk.blob) {
                    left.append("\(chunk.blob) \(chunk.index) on node \(node.place)")
                }
            } catch { return ["node \(node.place): \(error)"] }
        }
        return left
    }

    /// What refused uploads name: it stays as long as their answer is owed, a day.
    private func refused(_ store: Store) -> [BlobID]? {
        var blobs: [BlobID] = []
        do throws(StoreError) {
            for (key, row) in try store.uploads(after: nil, limit: 1_000) {
                do throws(CodingError) {
                    let content = try RowContent(row.value.content, of: key)
                    if case .upload(let upload) = content, upload.state == .refused {
                        blobs += content.blobs
                    }
                } catch { return nil }
            }
        } catch { return nil }
        return blobs
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
