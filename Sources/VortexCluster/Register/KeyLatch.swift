internal import DequeModule
internal import Synchronization
internal import VortexCore

/// Lets one change of a row at a time run from this gateway: racing changes of one key queue here,
/// first come first served, instead of rejecting each other's ballots. Safe without it; fair with
/// it.
final class KeyLatch: Sendable {
    private struct Waiter {
        var ticket: UInt64
        var wake: CheckedContinuation<Bool, Never>
    }
    private struct State {
        /// Rows that a change holds, and who waits for each.
        var held: [RowKey: Deque<Waiter>] = [:]
        var waiting = 0
        var nextTicket: UInt64 = 0
        /// Cancelled before their continuation was there.
        var cancelled: Set<UInt64> = []
    }
    private let state = Mutex(State())
    static let waitersMax = 4_096

    var waiting: Int { state.withLock { $0.waiting } }

    /// True where another change had the row first. Throws `.busy` where too many wait, `.stopped`
    /// where the task was cancelled meanwhile.
    @discardableResult
    func acquire(_ key: RowKey) async throws(ClusterError) -> Bool {
        enum Entry { case held, full, wait(UInt64) }
        let entry = state.withLock { state -> Entry in
            guard state.held[key] != nil else {
                state.held[key] = Deque()
                return .held
            }
            guard state.waiting < Self.waitersMax else { return .full }
            state.waiting += 1
            state.nextTicket += 1
            return .wait(state.nextTicket)
        }
        switch entry {
        case .held: return false
        case .full: throw .busy
        case .wait(let ticket):
            guard await wait(key, ticket) else { throw .stopped }
            return true
        }
    }

    /// True when the row is ours.
    private func wait(_ key: RowKey, _ ticket: UInt64) async -> Bool {
        // A cancellation that comes after the row was handed over leaves its ticket behind.
        defer { if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(ticket) } } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (wake: CheckedContinuation<Bool, Never>) in
                let answer = state.withLock { state -> Bool? in
                    if state.cancelled.remove(ticket) != nil {
                        state.waiting -= 1
                        return false
                    }
                    if state.held[key] == nil {
                        // Released between the two steps.
                        state.held[key] = Deque()
                        state.waiting -= 1
                        return true
                    }
                    state.held[key]?.append(Waiter(ticket: ticket, wake: wake))
                    return nil
                }
                if let answer { wake.resume(returning: answer) }
            }
        } onCancel: {
            cancel(key, ticket)
        }
    }

    private func cancel(_ key: RowKey, _ ticket: UInt64) {
        let wake = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            if let index = state.held[key]?.firstIndex(where: { $0.ticket == ticket }) {
                state.waiting -= 1
                return state.held[key]?.remove(at: index).wake
            }
            state.cancelled.insert(ticket)
            return nil
        }
        wake?.resume(returning: false)
    }

    func release(_ key: RowKey) {
        let wake = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let next = state.held[key]?.popFirst() else {
                state.held[key] = nil
                return nil
            }
            state.waiting -= 1
            return next.wake
        }
        wake?.resume(returning: true)
    }
}
