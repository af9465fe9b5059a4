internal import DequeModule
internal import Synchronization
internal import VortexCore

/// What waits for the writer. Whoever submits is suspended until its records are durable and
/// applied; how many can wait is bounded by whoever admits requests and by the buffer pool.
final class JournalQueue: Sendable {
    /// Records that become durable together or not at all.
    struct Submission: Sendable {
        struct Item: Sendable {
            var record: Record
            var data: ChunkBuffer?
            /// Of a copy: the position that it keeps.
            var position: UInt64?
        }
        var items: [Item]
        /// Run on the index behind the items.
        var commands: [IndexCommand]
        /// Lets go of space (or is small): accepted also when the disk is nearly full.
        var isPrivileged: Bool
        var bytes: Int
        fileprivate(set) var done: CheckedContinuation<StoreError?, Never>?
    }

    private struct State {
        var waiting: Deque<Submission> = []
        var writer: CheckedContinuation<Void, Never>?
        var stopped = false
    }
    private let state = Mutex(State())

    var count: Int { state.withLock { $0.waiting.count } }

    /// Returns when the items are durable and readable.
    func submit(
        _ items: [Submission.Item], commands: [IndexCommand] = [], isPrivileged: Bool
    ) async throws(StoreError) {
        // A head is at most twice its row's content; the sum only guides how batches are cut.
        let bytes = items.reduce(0) { $0 + ($1.data?.count ?? 0) + $1.record.headEstimate }
        let error = await withCheckedContinuation { done in
            let (refused, writer) = state.withLock { state in
                guard !state.stopped else {
                    return (true, CheckedContinuation<Void, Never>?.none)
                }
                state.waiting.append(
                    Submission(
                        items: items, commands: commands, isPrivileged: isPrivileged,
                        bytes: bytes, done: done))
                defer { state.writer = nil }
                return (false, state.writer)
            }
            if refused { done.resume(returning: StoreError.stopped) }
            writer?.resume()
        }
        if let error { throw error }
    }

    /// Takes what waits, up to about `bytes`, at least one; waits where there is none. Empty once
    /// the queue is stopped and drained.
    func take(bytes limit: Int) async -> [Submission] {
        while true {
            let (taken, isStopped) = state.withLock { state in
                var taken: [Submission] = []
                var bytes = 0
                while let first = state.waiting.first,
                    taken.isEmpty || bytes + first.bytes <= limit
                {
                    bytes += first.bytes
                    taken.append(first)
                    state.waiting.removeFirst()
                }
                return (taken, state.stopped)
            }
            if !taken.isEmpty || isStopped { return taken }
            await withCheckedContinuation { wake in
                let isReady = state.withLock { state in
                    if state.waiting.isEmpty, !state.stopped {
                        state.writer = wake
                        return false
                    }
                    return true
                }
                if isReady { wake.resume() }
            }
        }
    }

    func finish(_ submission: Submission, _ error: StoreError?) {
        submission.done?.resume(returning: error)
    }

    /// Nothing more is taken in. What waits is still written, unless `failing` says why it cannot
    /// be.
    func stop(failing error: StoreError? = nil) {
        let (writer, failed) = state.withLock { state in
            state.stopped = true
            var failed: [Submission] = []
            if error != nil {
                failed = Array(state.waiting)
                state.waiting.removeAll()
            }
            defer { state.writer = nil }
            return (state.writer, failed)
        }
        writer?.resume()
        for submission in failed { finish(submission, error) }
    }
}

extension Record {
    /// About what the record's head will take.
    var headEstimate: Int {
        switch self {
        case .row(let key, let row, let effects):
            256 + key.key.count + row.value.content.count + 16 * row.value.bodies.count
                + 16 * effects.unnamed.count
        case .note(let name, let value): 64 + name.utf8.count + value.count
        case .chunk(_, let owner, _, let checksums): 160 + owner.key.count + 4 * checksums.count
        case .purge(let key, _, _, _): 160 + key.key.count
        case .delete: 96
        }
    }
}
