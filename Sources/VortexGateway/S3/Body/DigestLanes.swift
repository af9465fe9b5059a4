internal import Synchronization
internal import VortexCore

/// Threads on which bodies are digested. MD5 makes half a GiB a second: on a connection's own
/// thread it would hold up all other connections there. A body keeps to one lane, so that its
/// pieces are digested in their order.
final class DigestLanes: Sendable {
    private let lanes: [LoopThread]
    private let next = Atomic<Int>(0)

    /// Less is digested faster than it is handed over and back.
    static let inlineBytesMax = 16 << 10

    init(count: Int) { lanes = (0..<max(1, count)).map { _ in LoopThread() } }

    func lane() -> LoopThread {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return lanes[Int(UInt(bitPattern: number) % UInt(lanes.count))]
    }
}

/// What is digested of a body, together.
struct BodyDigests: Sendable {
    var md5: MD5Digest?
    var sha256: SHA256Digest?
    var checksum: StreamChecksum?

    var isEmpty: Bool { md5 == nil && sha256 == nil && checksum == nil }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        md5?.update(bytes)
        sha256?.update(bytes)
        checksum?.update(bytes)
    }
}

/// Digests one body on its lane, chunk by chunk, while the next chunk is arriving.
final class BodyDigester: Sendable {
    private let digests: Mutex<BodyDigests>
    private let lane: LoopThread
    private let isIdle: Bool
    /// Chunks handed to the lane, oldest first. The one task that reads the body touches it.
    private let pending = Mutex<[Task<Void, Never>]>([])

    /// Chunks of one body that wait for its lane: each holds a chunk's memory.
    private static let pendingMax = 2

    init(_ digests: BodyDigests, on lane: LoopThread) {
        isIdle = digests.isEmpty
        self.digests = Mutex(digests)
        self.lane = lane
    }

    /// The bytes of a buffer from `start` on, which nobody changes any more.
    func add(_ buffer: ChunkBuffer, from start: Int) async {
        guard !isIdle, buffer.count > start else { return }
        if buffer.count - start <= DigestLanes.inlineBytesMax, pending.withLock({ $0.isEmpty }) {
            return update(buffer, start)
        }
        if let oldest = pending.withLock({ $0.count < Self.pendingMax ? nil : $0.removeFirst() }) {
            await oldest.value
        }
        let task = Task(executorPreference: lane) { self.update(buffer, start) }
        pending.withLock { $0.append(task) }
    }

    private func update(_ buffer: ChunkBuffer, _ start: Int) {
        digests.withLock {
            $0.update(UnsafeRawBufferPointer(rebasing: buffer.bytes[start...]))
        }
    }

    /// Over all that was added.
    func finish() async -> BodyDigests {
        for task in pending.withLock({ $0 }) { await task.value }
        return digests.withLock { $0 }
    }
}
