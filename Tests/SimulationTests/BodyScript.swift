import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// The schedules of ../shared/model/body_traces.py: objects, uploads and chunks over real nodes.
/// Rows lie in one part of the ring, chunks in the rest, so that each moves by itself. Unless the
/// script names more, a task's messages reach `nodes`, and what does not arrive times out.
extension Script {
    static let bucket = "bucket"
    static let key = Array("object".utf8)
    static let bodyBits: UInt8 = 6

    static func bodies(_ owners: [Int] = [1, 2, 3], omitting omitted: Omissions) -> Script {
        let script = Script(owners: owners, omitted: omitted, bits: bodyBits)
        let made = script.bucketID
        script.go(90, everybody) { node in
            made.set(try await node.createBucket(bucket).bucket.id)
        }
        return script
    }

    /// The partitions of the object's rows, and of the bucket's.
    var rowPartitions: [Partition] {
        [object, RowKey(bucket: .zero, key: Array(Self.bucket.utf8))].map {
            layout.ring.partition(of: $0)
        }
    }

    var object: RowKey { RowKey(bucket: bucketID.now, key: Self.key) }

    var chunkPartitions: [Partition] {
        let rows = rowPartitions
        return layout.ring.partitions.filter { !rows.contains($0) }
    }

    /// Joint and final at once, for the chunks alone: they follow as strays.
    func moveChunks(to owners: [Int], know: [Int] = everybody) {
        move(to: owners, know: know, partitions: chunkPartitions)
        settleLayout(know: know)
    }

    /// What a message is about, for those that the script holds back.
    typealias Holds = (HeldNetwork.Question) -> Bool

    static func kind(_ kinds: WireKind...) -> Holds {
        { question in kinds.contains { $0.rawValue == question.message.kind } }
    }

    static var nothing: Holds { { _ in false } }

    /// Begins a task at a node; its messages reach `nodes`, but for those that `holding` keeps
    /// back.
    func begin(
        _ number: Int, _ nodes: [Int], holding: Holds = nothing,
        _ body: @escaping @Sendable (ClusterNode) async throws -> Void
    ) -> Box<Bool> {
        let node = node(number)
        let isDone = start {
            do { try await body(node) } catch is ClusterError { return } catch {
                Issue.record("\(error)")
            }
        }
        deliver(number, nodes, holding)
        return isDone
    }

    /// Delivers what reaches `nodes` and is not held back, until nothing more comes of it.
    func deliver(_ number: Int, _ nodes: [Int], _ holding: Holds = nothing) {
        while let next = network.held.first(where: {
            $0.asker == number && nodes.contains($0.target) && !holding($0)
        }) {
            network.deliver(next)
            settle()
        }
    }

    /// Goes on with a task: what does not arrive times out.
    func end(
        _ isDone: Box<Bool>, _ number: Int, _ nodes: [Int] = everybody, holding: Holds = nothing
    ) {
        for _ in 0..<400 {
            deliver(number, nodes, holding)
            if isDone.now { return }
            network.timeOut(number)
            settle()
        }
        Issue.record("node \(number) does not end")
    }

    func go(
        _ number: Int, _ nodes: [Int], holding: Holds = nothing,
        _ body: @escaping @Sendable (ClusterNode) async throws -> Void
    ) {
        end(begin(number, nodes, holding: holding, body), number, nodes, holding: holding)
    }

    /// Lets time pass on every clock.
    func pass(_ milliseconds: UInt64) {
        for number in opened { machine(number).clock.advance(milliseconds) }
    }

    // MARK: Objects

    static let bytes = [UInt8](repeating: 7, count: Limits.chunkBytes + 5)
    static let small = [UInt8](repeating: 9, count: 500)

    static func put(_ bytes: [UInt8]) -> @Sendable (ClusterNode) async throws -> Void {
        { node in try await putting(bytes)(node) }
    }

    static func putting(
        _ bytes: [UInt8]
    ) -> @Sendable (ClusterNode) async throws(ClusterError) -> Void {
        { (node) async throws(ClusterError) in
            _ = try await node.put(
                bucket: bucket, key: key, attributes: ObjectAttributes(), condition: .none,
                idempotency: nil, body: ScriptBody(bytes))
        }
    }

    /// What a GET at this gateway gives; nil where it gives an error.
    func read(_ number: Int, _ nodes: [Int] = everybody) -> [UInt8]? {
        let found = Box<[UInt8]?>(nil)
        go(number, nodes) { node in found.set(try await Self.object(at: node)) }
        return found.now
    }

    static func object(at node: ClusterNode) async throws -> [UInt8] {
        let version = try await node.head(bucket: bucket, key: key)
        let reader = try await node.reader(for: version, bucket: bucket, key: key)
        var bytes = [UInt8](repeating: 0, count: Int(version.size))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, bytes.count), alignment: 64)
        defer { buffer.deallocate() }
        _ = try await reader.read(
            at: 0, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes.count]))
        bytes = Array(buffer[..<bytes.count])
        return bytes
    }

    /// A walk over the chunks of each of these nodes; what it tells the council is noted.
    func walk(_ numbers: [Int], reaching nodes: [Int]) {
        for number in numbers {
            go(number, nodes + [99]) { node in _ = try await node.walkChunks() }
            refreshLayout()
        }
    }

    /// Some chunk that falls there.
    func chunk(in partition: Partition) -> ChunkWrite {
        let buffer = ChunkBuffer(copying: [1, 2, 3])
        var number: UInt64 = 0
        var id: ChunkID
        repeat {
            number += 1
            id = ChunkID(blob: BlobID(high: 5, low: number), index: 0)
        } while layout.ring.partition(of: id) != partition
        return ChunkWrite(
            id: id, owner: object, receivedMilliseconds: 0,
            checksums: CRC32C.blocks(of: buffer.bytes, chunk: id), buffer: buffer)
    }

    /// Upkeep's round of collecting at each of the rows' owners.
    func collect() {
        pass(600_000)
        for owner in [1, 2, 3] { go(owner, Self.everybody) { await $0.collectOnce() } }
    }

    /// Which nodes hold a chunk of any body that is spread.
    func holders(_ numbers: [Int] = Array(1...9)) -> [Int] {
        numbers.filter { number in
            guard opened.contains(number) else { return false }
            do {
                let chunks: [StoredChunk] = try machine(number).store.chunks(after: nil, limit: 100)
                return !chunks.isEmpty
            } catch {
                Issue.record("\(error)")
                return false
            }
        }
    }
}

/// A request's body.
final class ScriptBody: BodySource {
    let expectedBytes: UInt64?
    private let rest: Box<[UInt8]>
    private let error: ClusterError?

    init(_ bytes: [UInt8], failing error: ClusterError? = nil) {
        expectedBytes = UInt64(bytes.count)
        rest = Box(bytes)
        self.error = error
    }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        var hasEnded = false
        rest.update { rest in
            let taken = rest.withUnsafeBytes { buffer.append($0) }
            rest.removeFirst(taken)
            hasEnded = rest.isEmpty
        }
        return hasEnded
    }

    func verify() throws(ClusterError) { if let error { throw error } }
}
