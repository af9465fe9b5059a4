internal import Synchronization

/// A value that arrives once, from whoever is first, and that one task waits for.
final class Outcome<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiter: UnsafeContinuation<Value, Never>?
    }
    private let state = Mutex(State())

    var isSettled: Bool { state.withLock { $0.value != nil } }

    /// The first value counts; false where it was not the first.
    @discardableResult
    func settle(_ value: Value) -> Bool {
        let (isFirst, waiter) = state.withLock { state in
            guard state.value == nil else {
                return (false, UnsafeContinuation<Value, Never>?.none)
            }
            state.value = value
            defer { state.waiter = nil }
            return (true, state.waiter)
        }
        waiter?.resume(returning: value)
        return isFirst
    }

    func value() async -> Value {
        // `settle` resumes it once and no more: nothing is left to check.
        await withUnsafeContinuation { waiter in
            let value = state.withLock { state -> Value? in
                if let value = state.value { return value }
                precondition(state.waiter == nil, "one task waits")
                state.waiter = waiter
                return nil
            }
            if let value { waiter.resume(returning: value) }
        }
    }
}
