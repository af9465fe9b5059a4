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
        /// Nobody waits, and `late` wants to know.
        case abandoned(Late)
        case finished(Outcome)
    }

    let id: UInt64
    let question: WireMessage
    let deadline: NIODeadline
    typealias Late = @Sendable (Outcome) -> Void
    private let late: Late?
    private let state = Mutex(State.new)

    init(id: UInt64, question: WireMessage, deadline: NIODeadline, late: Late? = nil) {
        self.late = late
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
            switch state {
            case .finished(let outcome): return outcome
            case .abandoned: return .failure(.cancelled)
            case .new, .waiting:
                state = .waiting(continuation)
                return nil
            }
        }
        if let outcome { continuation.resume(returning: outcome) }
    }

    func finish(_ outcome: Outcome) {
        let former = state.withLock { state -> State in
            defer { if case .finished = state {} else { state = .finished(outcome) } }
            return state
        }
        switch former {
        case .new, .finished: break
        case .waiting(let continuation): continuation.resume(returning: outcome)
        case .abandoned(let late): late(outcome)
        }
    }

    /// The asking task was cancelled. False where the question is on its way for good.
    func abandon() -> Bool {
        guard let late else {
            fail(.cancelled)
            return true
        }
        let former = state.withLock { state -> State in
            let former = state
            switch state {
            case .new, .waiting: state = .abandoned(late)
            case .abandoned, .finished: break
            }
            return former
        }
        if case .waiting(let continuation) = former {
            continuation.resume(returning: .failure(.cancelled))
        }
        return false
    }

    func fail(_ error: TransportError) { finish(.failure(error)) }
}
