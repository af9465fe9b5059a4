import Testing
import VortexCluster
import VortexCore
import VortexStore

@testable import VortexSimulator

/// A run with a script instead of a storm: nodes are hurt at chosen moments.
struct FleetRun {
    let seed: UInt64
    let nodes: Int
    private static let stepsMax: UInt64 = 20_000_000

    /// `expecting`: what is found wrong, and only that, as often as it may be.
    func run(expecting: Set<String> = [], _ script: @escaping @Sendable (Fleet) async -> Void) {
        let executor = SimulatedExecutor(seed: seed)
        let verdict = Verdict()
        let finished = Outcome<Bool>()
        let fleet = Fleet(seed: seed, count: nodes, executor: executor, verdict: verdict)
        Task(executorPreference: executor) {
            await withTaskGroup(of: Void.self) { group in
                for node in fleet.nodes { group.addTask { await node.run() } }
                if await fleet.waitAllUp(), await fleet.expectSettled() { await script(fleet) }
                for node in fleet.nodes { node.close() }
                await group.waitForAll()
            }
            finished.settle(true)
        }
        let ending = executor.run(stepsMax: Self.stepsMax)
        if !finished.isSettled { verdict.fail("not finished: \(ending)") }
        executor.clear()
        #expect(Set(verdict.reasons) == expecting, "seed \(seed)")
    }
}

/// The nodes of such a run, and what its clients find.
struct Fleet: Sendable {
    let nodes: [SimulatedNode]
    let executor: SimulatedExecutor
    let verdict: Verdict
    let around: Surroundings

    static let bucket = "bucket"
    private static let attemptsMax = 1_200
    private static let patienceNanoseconds: UInt64 = 100_000_000

    init(seed: UInt64, count: Int, executor: SimulatedExecutor, verdict: Verdict) {
        let entropy = SimulatedEntropy(seed: seed)
        let trace = Trace(executor: executor, sink: nil)
        var options = ClusterOptions(bufferBytes: 32 << 20)
        options.partitionBits = 4
        let around = Surroundings(
            executor: executor,
            network: SimulatedNetwork(
                executor: executor, entropy: entropy.fork(), trace: trace),
            trace: trace, verdict: verdict, options: options)
        self.executor = executor
        self.verdict = verdict
        self.around = around
        nodes = (0..<count).map {
            SimulatedNode(
                place: $0, of: count, joining: Array(0..<$0), startsAt: 0,
                entropy: entropy.fork(), around: around)
        }
    }

    func rest(milliseconds: UInt64) async {
        _ = await executor.sleep(nanoseconds: milliseconds * 1_000_000)
    }

    /// True as soon as it holds; false where it does not for a long time.
    func waits(_ condition: () async -> Bool) async -> Bool {
        for _ in 0..<Self.attemptsMax {
            if await condition() { return true }
            _ = await executor.sleep(nanoseconds: Self.patienceNanoseconds)
        }
        return false
    }

    func waitAllUp() async -> Bool {
        let isUp = await waits { nodes.allSatisfy(\.isUp) }
        if !isUp { verdict.fail("not all nodes come up") }
        return isUp
    }

    /// One question to one gateway; nil where it is down, or goes down.
    func ask<Value: Sendable>(
        _ by: Int, _ body: @escaping @Sendable (ClusterNode) async throws(ClusterError) -> Value
    ) async -> Result<Value, ClusterError>? {
        guard let process = nodes[by].process else { return nil }
        return await process.life.request(timeoutNanoseconds: 30_000_000_000, on: executor) {
            () -> Result<Value, ClusterError> in
            do throws(ClusterError) { return .success(try await body(process.node)) } catch {
                return .failure(error)
            }
        }
    }

    // MARK: What is done

    func createBucket() async {
        let isThere = await waits {
            let made = await ask(0) { (node) throws(ClusterError) in
                try await node.createBucket(Self.bucket).bucket.name
            }
            return made == .success(Self.bucket) || made == .failure(.bucketExists)
        }
        if !isThere { verdict.fail("no bucket") }
    }

    /// Returns when it is acknowledged.
    func put(_ key: String, bytes: Int = 100, by: Int) async {
        let executor = executor
        let isStored = await waits {
            let stored = await ask(by) { (node) throws(ClusterError) in
                try await node.put(
                    bucket: Self.bucket, key: Array(key.utf8), attributes: ObjectAttributes(),
                    condition: .none, idempotency: nil,
                    body: SimulatedBody(
                        Self.content(of: key, bytes: bytes), hasLength: true, breakAt: nil,
                        pauseNanoseconds: 1_000,
                        executor: executor))
            }
            if case .success = stored { return true }
            return false
        }
        if !isStored { verdict.fail("\(key) is not stored") }
    }

    private static func content(of key: String, bytes: Int) -> Content {
        Content(seed: key.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }, bytes: bytes)
    }

    func hold(_ node: Int) { nodes[node].hold() }
    func free(_ node: Int) { nodes[node].release() }

    func id(of node: Int) -> NodeID? { nodes[node].process?.store.identity.node }

    // MARK: Its journal

    /// The last segment, and where what is written in it ends.
    func journalEnd(_ node: Int) -> (segment: String, end: Int) {
        let disk = nodes[node].disk
        var last = ""
        for number in 0..<100 {
            let hex = String(number, radix: 16)
            let name = "segment-" + String(repeating: "0", count: 8 - hex.count) + hex
            if disk.contents(of: name) != nil { last = name }
        }
        let bytes = disk.contents(of: last) ?? []
        return (last, (bytes.lastIndex { $0 != 0 } ?? 0) + 1)
    }

    /// Flips a bit in each block between the two ends, while the node is down.
    func rot(_ node: Int, in segment: String, from: Int, to: Int) {
        let block = 4_096
        var offset = (from + block - 1) / block * block
        precondition(offset < to, "there is something to damage")
        while offset < to {
            nodes[node].disk.rot(segment, at: UInt64(offset) + 20)
            offset += block
        }
    }

    /// Runs `body`, and takes from the node's disk what it wrote there; also from its index, which
    /// has to be made anew. The node is down then, and held.
    func losing(_ node: Int, _ body: () async -> Void) async {
        let before = journalEnd(node)
        await body()
        let after = journalEnd(node)
        precondition(before.segment == after.segment)
        // What comes behind shows that this was no torn tail.
        await put("behind", by: node)
        hold(node)
        nodes[node].loseIndex()
        rot(node, in: before.segment, from: before.end, to: after.end)
    }

    // MARK: What is found

    private func head(_ key: String, by: Int) async -> Result<UInt64, ClusterError>? {
        await ask(by) { (node) throws(ClusterError) in
            try await node.head(bucket: Self.bucket, key: Array(key.utf8)).size
        }
    }

    func expectFound(_ key: String, by: Int) async {
        var last: Result<UInt64, ClusterError>?
        let isFound = await waits {
            last = await head(key, by: by)
            if case .success = last { return true }
            return last == .failure(.noSuchObject)
        }
        if !isFound || last == .failure(.noSuchObject) {
            verdict.fail("\(key) from node \(by): \(last.map { "\($0)" } ?? "down")")
        }
    }

    /// All its bytes.
    func read(_ key: String, by: Int) async -> Result<[UInt8], ClusterError>? {
        await ask(by) { (node) throws(ClusterError) in
            let name = Array(key.utf8)
            let version = try await node.head(bucket: Self.bucket, key: name)
            let reader = try await node.reader(for: version, bucket: Self.bucket, key: name)
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Limits.chunkBytes, alignment: 64)
            defer { buffer.deallocate() }
            var bytes: [UInt8] = []
            while UInt64(bytes.count) < version.size {
                let count = try await reader.read(at: UInt64(bytes.count), into: buffer)
                bytes.append(contentsOf: buffer[..<count])
            }
            return bytes
        }
    }

    /// All its bytes come, and are those that were put.
    func expectBody(_ key: String, by: Int) async {
        var last: Result<[UInt8], ClusterError>?
        let isRead = await waits {
            last = await read(key, by: by)
            if case .success = last { return true }
            return last == .failure(.noSuchObject)
        }
        guard isRead, case .success(let bytes) = last else {
            return verdict.fail("\(key) is not read by node \(by)")
        }
        let content = Self.content(of: key, bytes: bytes.count)
        if !bytes.withUnsafeBytes({ content.matches($0, at: 0) }) {
            verdict.fail("\(key) has other bytes by node \(by)")
        }
    }

    /// It is there, or cannot be had now; never absent.
    func expectNothingFalse(_ key: String, by: Int) async {
        switch await head(key, by: by) {
        case .failure(.noSuchObject), .failure(.noSuchBucket):
            verdict.fail("\(key) is said to be absent by node \(by)")
        case nil, .success, .failure: break
        }
        let listed = await ask(by) { (node) throws(ClusterError) in
            var keys = KeyList()
            _ = try await node.list(
                bucket: Self.bucket, prefix: Array(key.utf8), delimiter: [], after: [], limit: 10,
                into: &keys)
            return keys.keys
        }
        if case .success(let keys) = listed, !keys.contains(key) {
            verdict.fail("\(key) is not in the listing of node \(by)")
        }
    }

    func clusterStatus(by: Int) async -> ClusterStatus? {
        let answer = await ask(by) { (node) throws(ClusterError) in await node.clusterStatus() }
        if case .success(let status) = answer { return status }
        return nil
    }

    @discardableResult
    func expectSettled() async -> Bool {
        var complaint = ""
        let isSettled = await waits {
            for node in nodes.indices {
                guard let status = await clusterStatus(by: node) else {
                    complaint = "node \(node) is down"
                    return false
                }
                let replication = status.replication
                guard replication.fullyReplicated == replication.partitions,
                    status.nodes.count == nodes.count,
                    status.nodes.allSatisfy({ $0.state == .active && !$0.isFenced })
                else {
                    complaint = "node \(node): \(replication), \(status.nodes)"
                    return false
                }
            }
            return true
        }
        if !isSettled { verdict.fail("it does not settle: \(complaint)") }
        return isSettled
    }

    /// The same rows at the same ballots on every disk.
    func expectEqualRows() {
        for partition in 0..<16 as Range<UInt16> {
            var found: [[Store.PartitionRow]] = []
            for node in nodes {
                do throws(StoreError) {
                    guard let store = node.process?.store else { throw .stopped }
                    found.append(try store.rows(of: partition, after: nil, limit: 10_000).rows)
                } catch { verdict.fail("node \(node.place): \(error)") }
            }
            if !found.allSatisfy({ $0 == found[0] }) {
                verdict.fail("partition \(partition) differs: \(found.map(\.count))")
            }
        }
    }
}

private struct KeyList: ListSink {
    var keys: [String] = []
    mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary) {
        keys.append(String(decoding: key, as: UTF8.self))
    }
    mutating func prefix(_ prefix: UnsafeRawBufferPointer) {}
}
