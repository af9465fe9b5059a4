internal import NIOCore
internal import Synchronization
internal import VortexCore

/// A question and who waits for its answer. Finished once, by whoever comes first: the answer, the
/// deadline, a broken connection, or the asking task's cancellation from any thread.
final class Ask: Sendable {
    typealias Outcome = Result<WireMessage, TransportError>

    private enum State {
        case new
        case waiting(CheckedContinuation<Outcome, Never>)
        case finished(Outcome)
    }

    let id: UInt64
    let question: WireMessage
    let deadline: NIODeadline
    private let state = Mutex(State.new)

    init(id: UInt64, question: WireMessage, deadline: NIODeadline) {
        self.id = id
        self.question = question
        self.deadline = deadline
    }

    var bytes: Int { FrameWriter.bytes(of: question) }

    var isFinished: Bool {
        state.withLock { state in
            if case .finished = state { return true }
            return false
        }
    }

    /// `continuation` resumes with the outcome; at once where there is one already.
    func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
        let outcome = state.withLock { state -> Outcome? in
            if case .finished(let outcome) = state { return outcome }
            state = .waiting(continuation)
            return nil
        }
        if let outcome { continuation.resume(returning: outcome) }
    }

    func finish(_ outcome: Outcome) {
        let waiting = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            switch state {
            case .finished: return nil
            case .new:
                state = .finished(outcome)
                return nil
            case .waiting(let continuation):
                state = .finished(outcome)
                return continuation
            }
        }
        waiting?.resume(returning: outcome)
    }

    func fail(_ error: TransportError) { finish(.failure(error)) }
}
