internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A request's body: libmicrohttpd's pieces are copied once, into the buffer that the handler is
/// filling. Where nobody is filling one the connection is suspended, and so the client is held
/// back.
final class RequestBody: BodySource {
    private struct State {
        var expected: UInt64?
        var received: UInt64 = 0
        var hasEnded = false
        var failure: ClusterError?
        var waiting: (buffer: ChunkBuffer, wake: CheckedContinuation<Void, Never>)?
        var wasAsked = false
    }
    private let state = Mutex(State())

    var expectedBytes: UInt64? { state.withLock { $0.expected } }
    var receivedBytes: UInt64 { state.withLock { $0.received } }
    /// The handler has begun to read: the client may send.
    var wasAsked: Bool { state.withLock { $0.wasAsked } }
    var isWanted: Bool { state.withLock { $0.waiting != nil } }

    /// Sets what the head says; nil for chunked coding.
    func expect(_ bytes: UInt64?) {
        state.withLock {
            $0.expected = bytes
            $0.hasEnded = bytes == 0
        }
    }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        await withCheckedContinuation { wake in
            let isOver = state.withLock { state in
                state.wasAsked = true
                if state.hasEnded || state.failure != nil || buffer.isFull { return true }
                precondition(state.waiting == nil, "one task reads a body")
                state.waiting = (buffer, wake)
                return false
            }
            if isOver { wake.resume() }
        }
        let (failure, hasEnded) = state.withLock { ($0.failure, $0.hasEnded) }
        if let failure { throw failure }
        return hasEnded
    }

    func verify() throws(ClusterError) {}

    /// Copies what is wanted of a piece; returns how much that was.
    func deliver(_ piece: UnsafeRawBufferPointer) -> Int {
        let (taken, wake) = state.withLock { state in
            guard let waiting = state.waiting else {
                return (0, CheckedContinuation<Void, Never>?.none)
            }
            let taken = waiting.buffer.append(piece)
            state.received += UInt64(taken)
            if state.received == state.expected { state.hasEnded = true }
            guard waiting.buffer.isFull || state.hasEnded else { return (taken, nil) }
            state.waiting = nil
            return (taken, waiting.wake)
        }
        wake?.resume()
        return taken
    }

    /// The last piece has been delivered.
    func end() { finish(nil) }

    func abort(_ failure: ClusterError) { finish(failure) }

    private func finish(_ failure: ClusterError?) {
        let wake = state.withLock { state in
            if let failure {
                if !state.hasEnded { state.failure = failure }
            } else {
                state.hasEnded = true
            }
            defer { state.waiting = nil }
            return state.waiting?.wake
        }
        wake?.resume()
    }
}
