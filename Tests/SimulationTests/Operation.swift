import Synchronization

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// One operation of a client upon one register, and what came of it.
final class Operation: Sendable {
    enum Kind: Sendable {
        case put, get, delete
        /// Under the condition that the register holds what that operation put; nil: nothing.
        case putIf(Int?), deleteIf(Int?)
    }
    private struct Ended {
        var moment: UInt64
        var result: RegisterOperation.Result
    }
    let number: Int
    let key: Int
    let kind: Kind
    let start: UInt64
    private let ended = Mutex<Ended?>(nil)
    private let hasFailed = Mutex(false)

    init(number: Int, key: Int, kind: Kind, start: UInt64) {
        self.number = number
        self.key = key
        self.kind = kind
        self.start = start
    }

    /// The register numbered so: a part's row, of which nothing is asked but that it is kept.
    static func row(_ key: Int) -> RowKey {
        RowKey(
            bucket: BucketID(high: 1, low: 1), key: [UInt8(key)],
            kind: .part(UploadID(high: 1, low: 1), UInt32(key)))
    }

    private var content: RowContent {
        .part(
            PartRow(
                extent: Extent(blob: BlobID(high: 2, low: UInt64(number)), length: 1), digest: nil,
                changedMilliseconds: UInt64(number)))
    }

    private static func number(_ content: RowContent) -> Int? {
        if case .part(let row) = content { Int(row.changedMilliseconds) } else { nil }
    }

    func run(at node: ClusterNode) async -> Result<RegisterOperation.Result, ClusterError> {
        do throws(ClusterError) {
            if case .get = kind {
                let found = Self.number(try await node.coordinator.read(Self.row(key)))
                return .success(.found(found.map { "\($0)" }))
            }
            let change = Coordinator.Change(key: Self.row(key), id: node.newChange())
            try await node.coordinator.change(change) {
                (found) throws(ClusterError) -> Coordinator.Computed<Void> in
                let found = Self.number(found)
                switch kind {
                case .putIf(let expected), .deleteIf(let expected):
                    guard found == expected else { throw .preconditionFailed }
                default: break
                }
                switch kind {
                case .put, .putIf: return .write(content, bodies: [], ())
                default:
                    return found == nil
                        ? .nothing(.success(())) : .write(.nothing, bodies: [], ())
                }
            }
            return .success(.done(existed: nil))
        } catch .preconditionFailed {
            return .success(.conditionFailed)
        } catch { return .failure(error) }
    }

    func end(_ result: Result<RegisterOperation.Result, ClusterError>, _ moments: Moments) {
        switch result {
        case .success(let result):
            ended.withLock { $0 = Ended(moment: moments.next(), result: result) }
        case .failure(.outcomeUnknown): break
        case .failure: hasFailed.withLock { $0 = true }
        }
    }

    /// What it means for the history; nil: nothing.
    var entry: RegisterOperation? {
        if hasFailed.withLock({ $0 }) { return nil }
        let ended = ended.withLock { $0 }
        if case .get = kind, ended == nil { return nil }
        let action: RegisterOperation.Action =
            switch kind {
            case .get: .read
            case .put, .putIf: .put("\(number)")
            case .delete, .deleteIf: .delete
            }
        var condition = RegisterOperation.Condition()
        switch kind {
        case .putIf(nil), .deleteIf(nil): condition.noneMatch = .any
        case .putIf(let expected?), .deleteIf(let expected?):
            condition.match = .some(["\(expected)"])
        case .put, .get, .delete: break
        }
        return RegisterOperation(
            client: number, start: start, end: ended?.moment ?? .max, action: action,
            condition: condition, result: ended?.result ?? .unknown)
    }
}

/// Moments of a history: each number once.
final class Moments: Sendable {
    private let state = Mutex<UInt64>(0)
    var last: UInt64 { state.withLock { $0 } }
    func next() -> UInt64 {
        state.withLock {
            $0 += 1
            return $0
        }
    }
}

/// A value that tasks share with the script.
final class Box<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    var now: Value { value.withLock { $0 } }
    func set(_ new: Value) { value.withLock { $0 = new } }
    func update(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
}

/// Holds up disks while it is closed.
final class Gate: Sendable {
    private struct State {
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())
    func close() { state.withLock { $0.isClosed = true } }
    func open() {
        let waiting = state.withLock { state in
            defer { state = State() }
            return state.waiting
        }
        for wake in waiting { wake.resume() }
    }
    func pass() async {
        guard state.withLock({ $0.isClosed }) else { return }
        await withCheckedContinuation { wake in
            let isOpen = state.withLock { state in
                if state.isClosed { state.waiting.append(wake) }
                return !state.isClosed
            }
            if isOpen { wake.resume() }
        }
    }
}

/// A wall clock that stands where the script sets it: ballots show it. Sleeping is virtual.
final class ScriptClock: Clock {
    private static let zero: UInt64 = 1_800_000_000_000
    private let executor: SimulatedExecutor
    private let milliseconds = Mutex<UInt64>(0)
    init(executor: SimulatedExecutor) { self.executor = executor }
    var wallMilliseconds: UInt64 { Self.zero + milliseconds.withLock { $0 } }
    var monotonicNanoseconds: UInt64 { executor.now }
    func sleep(milliseconds: UInt64) async throws(CancellationError) {
        guard await executor.sleep(nanoseconds: milliseconds * 1_000_000) else {
            throw CancellationError()
        }
    }
    func set(_ value: UInt64) { milliseconds.withLock { $0 = value } }
    func advance(_ value: UInt64) { milliseconds.withLock { $0 += value } }
}

/// The first number becomes the node's id.
final class ScriptEntropy: Entropy {
    private let first: Mutex<UInt64?>
    private let rest: SimulatedEntropy
    init(first: UInt64, seed: UInt64) {
        self.first = Mutex(first)
        rest = SimulatedEntropy(seed: first << 8 | seed)
    }
    func next() -> UInt64 { first.withLock { $0.take() } ?? rest.next() }
}
