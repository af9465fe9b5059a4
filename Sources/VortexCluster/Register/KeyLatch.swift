internal import DequeModule
internal import Synchronization
internal import VortexCore

/// Lets one change of a row at a time run from this gateway: racing changes of one key queue here,
/// first come first served, instead of rejecting each other's ballots. Safe without it; fair with
/// it.
///
/// Of many that race for a row only one can win. What its winner learns about the row's value after
/// the others have come is as good as a read of their own: it is handed on with the turn.
final class KeyLatch: Sendable {
    /// What the row held at a moment when everybody with a ticket up to this one was waiting.
    struct Sight: Sendable {
        var value: RegisterValue?
        var ticketMax: UInt64
        /// The generation of the bucket's settings that it was seen under.
        var generation: UInt64?
    }
    struct Turn: Sendable {
        /// Another change had the row first.
        var hasWaited = false
        var sight: Sight?
    }
    private struct Waiter {
        var ticket: UInt64
        /// Resumed with nil: cancelled.
        var wake: CheckedContinuation<Turn?, Never>
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

    /// Everybody with a ticket up to this one is waiting, or has waited. To be taken before the
    /// question whose answer becomes a `Sight`.
    var lastTicket: UInt64 { state.withLock { $0.nextTicket } }

    /// Throws `.busy` where too many wait, `.stopped` where the task was cancelled meanwhile.
    @discardableResult
    func acquire(_ key: RowKey) async throws(ClusterError) -> Turn {
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
        case .held: return Turn()
        case .full: throw .busy
        case .wait(let ticket):
            guard let turn = await wait(key, ticket) else { throw .stopped }
            return turn
        }
    }

    /// Returns when the row is ours; nil: cancelled.
    private func wait(_ key: RowKey, _ ticket: UInt64) async -> Turn? {
        // A cancellation that comes after the row was handed over leaves its ticket behind.
        defer { if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(ticket) } } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (wake: CheckedContinuation<Turn?, Never>) in
                enum Entry { case cancelled, held, queued }
                let entry = state.withLock { state -> Entry in
                    if state.cancelled.remove(ticket) != nil {
                        state.waiting -= 1
                        return .cancelled
                    }
                    if state.held[key] == nil {
                        // Released between the two steps.
                        state.held[key] = Deque()
                        state.waiting -= 1
                        return .held
                    }
                    state.held[key]?.append(Waiter(ticket: ticket, wake: wake))
                    return .queued
                }
                switch entry {
                case .cancelled: wake.resume(returning: nil)
                case .held: wake.resume(returning: Turn(hasWaited: true))
                case .queued: break
                }
            }
        } onCancel: {
            cancel(key, ticket)
        }
    }

    private func cancel(_ key: RowKey, _ ticket: UInt64) {
        let wake = state.withLock { state -> CheckedContinuation<Turn?, Never>? in
            if let index = state.held[key]?.firstIndex(where: { $0.ticket == ticket }) {
                state.waiting -= 1
                return state.held[key]?.remove(at: index).wake
            }
            state.cancelled.insert(ticket)
            return nil
        }
        wake?.resume(returning: nil)
    }

    func release(_ key: RowKey, leaving sight: Sight? = nil) {
        let next = state.withLock { state -> Waiter? in
            guard let next = state.held[key]?.popFirst() else {
                state.held[key] = nil
                return nil
            }
            state.waiting -= 1
            return next
        }
        guard let next else { return }
        let isValid = sight.map { next.ticket <= $0.ticketMax } ?? false
        next.wake.resume(returning: Turn(hasWaited: true, sight: isValid ? sight : nil))
    }
}
