import Logging
import Synchronization
import VortexCore

@testable import VortexNet

/// SplitMix64 (Steele et al., 2014).
final class SeededEntropy: Entropy {
    private let state: Mutex<UInt64>
    init(seed: UInt64) { state = Mutex(seed) }
    func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }
    func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

struct Answers: PeerResponder {
    var body: @Sendable (WireMessage) async -> WireMessage
    init(_ body: @escaping @Sendable (WireMessage) async -> WireMessage) { self.body = body }
    func answer(_ question: WireMessage) async -> WireMessage { await body(question) }

    static let echo = Answers { $0 }
    /// Never answers; ends where its task is cancelled.
    static let silence = Answers { question in
        await Gate().wait()
        return question
    }
}

/// What waits here goes on when it is opened, or cancelled.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var nextID = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }
    private let state = Mutex(State())

    var waiting: Int { state.withLock { $0.waiting.count } }

    func wait() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }
}

struct Node {
    static let secret = Array("the secret of the tests".utf8)
    static let cluster = ClusterID(high: 7, low: 7)

    var network: PeerNetwork
    var address: String

    static func options(
        listen: String = "127.0.0.1:0", secret: [UInt8] = secret, cluster: ClusterID = cluster,
        version: UInt16 = FrameHeader.version
    ) -> PeerNetworkOptions {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var options = PeerNetworkOptions(
            listen: listen, secret: secret, threads: 1,
            identity: PeerIdentity(node: NodeID(1), cluster: cluster),
            entropy: SeededEntropy(seed: 1), logger: logger)
        options.version = version
        return options
    }

    static func start(_ options: PeerNetworkOptions, _ service: any PeerResponder) async throws
        -> Node
    {
        let network = try PeerNetwork(options: options)
        do { try await network.start(service: service) } catch {
            await network.stop()
            throw error
        }
        return Node(network: network, address: "127.0.0.1:\(network.boundPort ?? 0)")
    }
}

/// A node that asks and one that answers, both stopped at the end whatever happens.
func withPair<Value: Sendable>(
    _ service: any PeerResponder, asking: PeerNetworkOptions = Node.options(listen: ""),
    answering: PeerNetworkOptions = Node.options(),
    _ body: @Sendable (_ asker: PeerNetwork, _ address: String) async throws -> Value
) async throws -> Value {
    let answerer = try await Node.start(answering, service)
    let asker = try await Node.start(asking, Answers.echo)
    do {
        let value = try await body(asker.network, answerer.address)
        await asker.network.stop()
        await answerer.network.stop()
        return value
    } catch {
        await asker.network.stop()
        await answerer.network.stop()
        throw error
    }
}

func message(_ kind: UInt8 = 1, head: [UInt8] = [], bulk: [UInt8]? = nil) -> WireMessage {
    WireMessage(
        kind: kind, epoch: Epoch(generation: 2, number: 3), head: head,
        bulk: bulk.map { ChunkBuffer(copying: $0) })
}

extension WireMessage {
    var bulkBytes: [UInt8]? { bulk.map { Array($0.bytes) } }
}

extension PeerNetwork {
    func outcome(_ address: String, _ question: WireMessage, timeout: UInt64 = 60_000) async
        -> Result<WireMessage, TransportError>
    {
        do { return .success(try await ask(address, question, timeoutMilliseconds: timeout)) } catch
        { return .failure(error) }
    }

    func failure(_ address: String, _ question: WireMessage = message(), timeout: UInt64 = 60_000)
        async -> TransportError?
    {
        if case .failure(let error) = await outcome(address, question, timeout: timeout) {
            return error
        }
        return nil
    }
}

/// What was heard late.
final class Told: Sendable {
    private let outcomes = Mutex<[Result<WireMessage, TransportError>]>([])
    let first = Gate()

    func add(_ outcome: Result<WireMessage, TransportError>) {
        outcomes.withLock { $0.append(outcome) }
        first.open()
    }

    var count: Int { outcomes.withLock { $0.count } }
    /// nil for a failure.
    var heads: [[UInt8]?] {
        outcomes.withLock { outcomes in
            outcomes.map { if case .success(let message) = $0 { message.head } else { nil } }
        }
    }
}
