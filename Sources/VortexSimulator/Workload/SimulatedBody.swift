internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A request's body on its way from a client: comes in pieces, takes its time, and may break off.
final class SimulatedBody: BodySource {
    let expectedBytes: UInt64?
    private let content: Content
    private let breakAt: Int?
    private let executor: SimulatedExecutor
    private let pauseNanoseconds: UInt64
    private let position = Mutex(0)

    /// `breakAt`: the client goes away behind so many bytes.
    init(
        _ content: Content, hasLength: Bool, breakAt: Int?, pauseNanoseconds: UInt64,
        executor: SimulatedExecutor
    ) {
        self.content = content
        self.breakAt = breakAt
        self.executor = executor
        self.pauseNanoseconds = pauseNanoseconds
        expectedBytes = hasLength ? UInt64(content.bytes) : nil
    }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        guard await executor.sleep(nanoseconds: pauseNanoseconds) else { throw .bodyAborted }
        let place = position.withLock { $0 }
        let end = breakAt ?? content.bytes
        let count = min(end - place, buffer.capacity - buffer.count)
        if count > 0 {
            content.fill(
                UnsafeMutableRawBufferPointer(rebasing: buffer.unfilled[..<count]), at: place)
            buffer.advance(by: count)
        }
        position.withLock { $0 = place + count }
        if breakAt == place + count, !buffer.isFull { throw .bodyAborted }
        guard expectedBytes == nil else { return place + count == content.bytes }
        // The end of a chunked body shows only where there was room for more.
        return place + count == content.bytes && !buffer.isFull
    }

    func verify() throws(ClusterError) {}
}
