internal import Synchronization
public import VortexCore

/// A network in which nothing moves by itself: questions are held until a script delivers them, in
/// its order, late, or never. So a test tells the very schedule that it is about.
///
///     ask -> held -> deliver -> the target answers -> asker, if it still waits
///
/// Nothing times out but by `timeOut`: the asker hears nothing then, while its question stays held
/// and may arrive after all.
public final class HeldNetwork: Sendable {
    public struct Question: Sendable {
        public var number: UInt64
        public var asker: Int
        public var target: Int
        public var message: WireMessage
    }
    private struct Wait {
        var question: Question
        var outcome: AskOutcome
    }
    private struct State {
        var last: UInt64 = 0
        var held: [Question] = []
        /// Whoever waits for an answer, by number of the question.
        var waits: [UInt64: Wait] = [:]
        var responders: [Int: any PeerResponder] = [:]
        var isClosed = false
    }
    private let executor: SimulatedExecutor
    private let state = Mutex(State())

    public init(executor: SimulatedExecutor) { self.executor = executor }

    public static func address(of node: Int) -> String { "node\(node):7480" }

    public func listen(_ node: Int, _ responder: any PeerResponder) {
        state.withLock { $0.responders[node] = responder }
    }

    public func transport(of node: Int) -> any Transport {
        HeldTransport(network: self, node: node)
    }

    /// Questions that were not delivered, in the order in which they were asked.
    public var held: [Question] { state.withLock { $0.held } }

    /// `answering` false: the answer is lost on its way.
    public func deliver(_ question: Question, answering: Bool = true) {
        let (responder, wait) = state.withLock { state in
            state.held.removeAll { $0.number == question.number }
            let wait = answering ? state.waits.removeValue(forKey: question.number) : nil
            return (state.responders[question.target], wait)
        }
        guard let responder else { return }
        Task(executorPreference: executor) {
            let answer = await responder.answer(question.message)
            wait?.outcome.settle(.success(answer))
        }
    }

    /// The target answers now; the asker hears of it when the script calls what this returns.
    public func answer(_ question: Question) -> () -> Void {
        let (responder, wait) = state.withLock { state in
            state.held.removeAll { $0.number == question.number }
            return (
                state.responders[question.target],
                state.waits.removeValue(forKey: question.number)
            )
        }
        let late = Outcome<WireMessage>()
        Task(executorPreference: executor) {
            if let responder { late.settle(await responder.answer(question.message)) }
        }
        let executor = executor
        return {
            Task(executorPreference: executor) {
                let answer = await late.value()
                wait?.outcome.settle(.success(answer))
            }
        }
    }

    /// Never arrives.
    public func drop(_ question: Question) {
        state.withLock { $0.held.removeAll { $0.number == question.number } }
    }

    /// Whoever at this node waits for an answer gives up; false where nobody does.
    @discardableResult
    public func timeOut(_ node: Int) -> Bool {
        let over = state.withLock { state in
            let over = state.waits.values.filter { $0.question.asker == node }
            for wait in over { state.waits[wait.question.number] = nil }
            return over.sorted { $0.question.number < $1.question.number }
        }
        for wait in over { wait.outcome.settle(.failure(.lost)) }
        return !over.isEmpty
    }

    /// Nobody is reached any more, and nobody waits.
    public func close() {
        let waits = state.withLock { state in
            defer { state.waits = [:] }
            state.isClosed = true
            return state.waits.values.sorted { $0.question.number < $1.question.number }
        }
        for wait in waits { wait.outcome.settle(.failure(.unreachable)) }
    }

    fileprivate func ask(
        _ message: WireMessage, from asker: Int, at address: String, late: AskOutcome.Late?
    ) async throws(TransportError) -> WireMessage {
        let outcome = AskOutcome(late: late)
        let entered = state.withLock { state in
            let target = state.responders.keys.first { Self.address(of: $0) == address }
            guard !state.isClosed, let target else { return false }
            state.last += 1
            let question = Question(
                number: state.last, asker: asker, target: target, message: message)
            state.held.append(question)
            state.waits[state.last] = Wait(question: question, outcome: outcome)
            return true
        }
        guard entered else { throw .unreachable }
        let answer = await withTaskCancellationHandler {
            await outcome.value()
        } onCancel: {
            outcome.abandon()
        }
        return try answer.get()
    }
}

private struct HeldTransport: Transport {
    let network: HeldNetwork
    let node: Int

    func ask(
        _ address: String, _ question: WireMessage, timeoutMilliseconds: UInt64, late: Late?
    ) async throws(TransportError) -> WireMessage {
        try await network.ask(question, from: node, at: address, late: late)
    }
}
