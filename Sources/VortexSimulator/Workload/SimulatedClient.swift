internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A client of the store: asks one gateway, another where that one is down, notes what it did and
/// heard, and complains about bytes that are not what was stored.
final class SimulatedClient: Sendable {
    /// What came of a request.
    enum Answer<Value: Sendable>: Sendable {
        case value(Value)
        case error(ClusterError)
        /// The connection broke or the answer never came: it may have been done, or yet be.
        case lost
        /// No gateway took the request.
        case unsent
    }

    static let timeoutNanoseconds: UInt64 = 30_000_000_000
    private static let connectAttemptsMax = 50

    let number: Int
    let entropy: SimulatedEntropy
    let history: History
    let verdict: Verdict
    let executor: SimulatedExecutor
    /// Disks may fail to read what they hold.
    let readsMayFail: Bool
    private let trace: Trace
    private let gateways: [SimulatedNode]
    private let gateway: Mutex<Int>

    init(
        number: Int, gateways: [SimulatedNode], history: History, around: Surroundings,
        readsMayFail: Bool, entropy: SimulatedEntropy
    ) {
        self.readsMayFail = readsMayFail
        self.number = number
        self.entropy = entropy
        self.history = history
        self.gateways = gateways
        verdict = around.verdict
        executor = around.executor
        trace = around.trace
        gateway = Mutex(number % gateways.count)
    }

    /// Asks a gateway that is up; waits a little for one where none is.
    func ask<Value: Sendable>(
        _ what: String,
        _ body: @escaping @Sendable (ClusterNode) async throws(ClusterError) -> Value
    ) async -> Answer<Value> {
        for _ in 0..<Self.connectAttemptsMax {
            let place = gateway.withLock { $0 }
            guard let process = gateways[place].process else {
                gateway.withLock { $0 = (place + 1) % gateways.count }
                _ = await executor.sleep(nanoseconds: entropy.within(5_000_000..<50_000_000))
                continue
            }
            trace.note(.request, UInt64(number), UInt64(place), text: what)
            let answer = await process.life.request(
                timeoutNanoseconds: Self.timeoutNanoseconds, on: executor
            ) { () -> Result<Value, ClusterError> in
                do throws(ClusterError) { return .success(try await body(process.node)) } catch {
                    return .failure(error)
                }
            }
            switch answer {
            case .success(let value):
                trace.note(.result, UInt64(number), history.last, text: what)
                return .value(value)
            case .failure(let error):
                trace.note(.result, UInt64(number), text: "\(what) \(error)")
                return .error(error)
            case nil:
                trace.note(.result, UInt64(number), text: "\(what) lost")
                gateway.withLock { $0 = (place + 1) % gateways.count }
                return .lost
            }
        }
        return .unsent
    }

    /// Goes on at another gateway, as a client does after an error of the server's.
    func moveOn() { gateway.withLock { $0 = ($0 + 1) % gateways.count } }

    /// Lets this client's requests go to that gateway first.
    func bind(to place: Int) { gateway.withLock { $0 = place } }

    /// More about an answer, for those who read the trace.
    func heard(_ what: String) { trace.note(.result, UInt64(number), text: what) }

    // MARK: Noting

    func note(
        _ place: History.Place, _ action: RegisterOperation.Action, _ condition: WriteCondition,
        _ result: RegisterOperation.Result, since start: UInt64
    ) {
        let operation = RegisterOperation(
            client: number, start: start, end: history.moment(), action: action,
            condition: RegisterOperation.Condition(condition), result: result)
        history.note(place, operation)
    }

    func noteRead(_ place: History.Place, _ found: String?, since start: UInt64) {
        note(place, .read, .none, .found(found), since: start)
    }

    /// What an answer about a key says about its bucket; nothing where buckets stay.
    func noteBucket(_ place: History.Place, isThere: Bool, since start: UInt64) {
        let bucket = History.Place(bucket: place.bucket, key: "")
        noteRead(bucket, isThere ? History.Place.present : nil, since: start)
    }
}

extension RegisterOperation.Condition {
    init(_ condition: WriteCondition) {
        self.init(
            match: condition.ifMatch.map { .init($0) },
            noneMatch: condition.ifNoneMatch.map { .init($0) })
    }
}

extension RegisterOperation.Values {
    fileprivate init(_ set: ETagSet) {
        switch set {
        case .any: self = .any
        case .tags(let tags): self = .some(tags)
        }
    }
}

extension ClusterError {
    /// Whether it is worth while to ask again for what it refused.
    var isPassing: Bool { self == .noQuorum || self == .busy || self == .uploadBusy }

    /// Whether a change that ended like this may have taken effect, or may yet.
    var leavesChangeOpen: Bool {
        switch self {
        case .outcomeUnknown, .stopped, .damaged: true
        default: false
        }
    }
}
