internal import Synchronization
public import VortexCore

/// The network of a run: carries questions and answers between nodes with delays drawn from the
/// seed, loses, doubles and reorders them.
///
///     ask -> [delay, cut?, lost?] -> host answers -> [delay, cut?, lost?] -> asker, if it waits
///
/// What is lost is not reported to anybody: the asker's time-out is. A question to an address at
/// which nobody listens is answered `unreachable`, unless the way there is cut.
public final class SimulatedNetwork: Sendable {
    /// Whoever listens on an address: takes a question and gives back its answer, later, or never.
    public typealias Host =
        @Sendable (_ question: WireMessage, _ reply: @escaping @Sendable (WireMessage) -> Void)
        -> Void

    private struct Port {
        var place: Int
        var host: Host?
    }
    private struct State {
        var ports: [String: Port] = [:]
        var lastMessage: UInt64 = 0
        /// Questions of each node that are not settled yet, by node.
        var asking: [Int] = []
    }

    /// A node's questions on their way together; one more is `busy`.
    static let askingMax = 4_096

    public let weather = NetworkWeather()
    private let executor: SimulatedExecutor
    private let entropy: SimulatedEntropy
    private let trace: Trace
    private let state: Mutex<State>

    public init(executor: SimulatedExecutor, entropy: SimulatedEntropy, trace: Trace) {
        self.executor = executor
        self.entropy = entropy
        self.trace = trace
        state = Mutex(State())
    }

    /// The node numbered `place` listens there.
    public func listen(on address: String, place: Int, _ host: @escaping Host) {
        state.withLock { $0.ports[address] = Port(place: place, host: host) }
    }

    /// Nobody listens there any more.
    public func close(_ address: String) { state.withLock { $0.ports[address]?.host = nil } }

    /// What the node numbered `place` asks through, for as long as `isAlive`.
    public func transport(
        of place: Int, isAlive: @escaping @Sendable () -> Bool
    ) -> any Transport {
        state.withLock { state in
            while state.asking.count <= place { state.asking.append(0) }
        }
        return SimulatedTransport(network: self, place: place, isAlive: isAlive)
    }

    // MARK: Asking

    fileprivate func ask(
        _ question: WireMessage, from place: Int, at address: String, timeoutMilliseconds: UInt64,
        late: AskOutcome.Late?
    ) async throws(TransportError) -> WireMessage {
        guard enter(place) else { throw .busy }
        let waiting = AskOutcome(late: late)
        let message = state.withLock { state in
            state.lastMessage += 1
            return state.lastMessage
        }
        let copied = question.copied
        trace.note(.asked, message, UInt64(place), UInt64(question.kind), told: address)
        send(copied, message, from: place, to: address, waiting)
        if weather.doubles(entropy) { send(copied, message, from: place, to: address, waiting) }
        let timer = executor.schedule(nanoseconds: timeoutMilliseconds * 1_000_000) {
            waiting.settle(.failure(.lost))
        }
        let reply = await withTaskCancellationHandler {
            await waiting.value()
        } onCancel: {
            waiting.abandon()
        }
        if !waiting.isOpen { executor.cancel(timer) }
        state.withLock { $0.asking[place] -= 1 }
        trace.note(.arrived, message, UInt64(place))
        return try reply.get()
    }

    private func enter(_ place: Int) -> Bool {
        state.withLock { state in
            guard state.asking[place] < Self.askingMax else { return false }
            state.asking[place] += 1
            return true
        }
    }

    private func send(
        _ question: WireMessage, _ message: UInt64, from place: Int, to address: String,
        _ waiting: AskOutcome
    ) {
        let isLost = weather.loses(entropy)
        executor.schedule(nanoseconds: weather.delay(entropy)) { [self] in
            let port = state.withLock { $0.ports[address] }
            if let port, weather.isCut(from: place, to: port.place) { return lose(message) }
            if isLost { return lose(message) }
            guard let port, let host = port.host else {
                waiting.settle(.failure(.unreachable))
                return
            }
            trace.note(.delivered, message, UInt64(port.place))
            host(question) { [self] answer in
                giveBack(answer.copied, message, from: port.place, to: place, waiting)
            }
        }
    }

    private func giveBack(
        _ answer: WireMessage, _ message: UInt64, from place: Int, to asker: Int,
        _ waiting: AskOutcome
    ) {
        trace.note(.answered, message, UInt64(place), UInt64(answer.kind))
        let isLost = weather.loses(entropy)
        executor.schedule(nanoseconds: weather.delay(entropy)) { [self] in
            if isLost || weather.isCut(from: place, to: asker) { return lose(message) }
            waiting.settle(.success(answer))
        }
    }

    private func lose(_ message: UInt64) { trace.note(.lost, message) }
}

/// One node's side of the network, for one life of it.
private struct SimulatedTransport: Transport {
    let network: SimulatedNetwork
    let place: Int
    let isAlive: @Sendable () -> Bool

    func ask(
        _ address: String, _ question: WireMessage, timeoutMilliseconds: UInt64, late: Late?
    ) async throws(TransportError) -> WireMessage {
        guard isAlive() else { throw .unreachable }
        var told: Late?
        if let late { told = { [isAlive] in if isAlive() { late($0) } } }
        let answer = try await network.ask(
            question, from: place, at: address, timeoutMilliseconds: timeoutMilliseconds,
            late: told)
        guard isAlive() else { throw .lost }
        return answer
    }
}

extension WireMessage {
    /// With bulk bytes of its own: nodes share no memory.
    fileprivate var copied: WireMessage {
        var message = self
        message.bulk = bulk.map { bulk in
            let copy = ChunkBuffer(capacity: bulk.count)
            _ = copy.append(bulk.bytes)
            return copy
        }
        return message
    }
}
