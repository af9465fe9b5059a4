internal import Synchronization

/// Everything that happens in a run, in order, as one number: runs with the same number were the
/// same. With a sink, also a line for each event.
public final class Trace: Sendable {
    public typealias Sink = @Sendable (String) -> Void

    fileprivate struct State {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var events: UInt64 = 0
    }
    private let state = Mutex(State())
    private let sink: Sink?
    private let executor: SimulatedExecutor

    init(executor: SimulatedExecutor, sink: Sink?) {
        self.executor = executor
        self.sink = sink
    }

    public var hash: UInt64 { state.withLock { $0.hash } }
    public var events: UInt64 { state.withLock { $0.events } }

    /// `text` counts; `told` is only for those who read the lines.
    func note(
        _ event: Event, _ first: UInt64 = 0, _ second: UInt64 = 0, _ third: UInt64 = 0,
        text: String = "", told: @autoclosure () -> String = ""
    ) {
        let now = executor.now
        state.withLock { state in
            state.events += 1
            state.mix(now)
            state.mix(UInt64(event.rawValue))
            state.mix(first)
            state.mix(second)
            state.mix(third)
            for byte in text.utf8 { state.mix(UInt64(byte)) }
        }
        guard let sink else { return }
        sink("\(Self.milliseconds(now)) \(event) \(first) \(second) \(third) \(text)\(told())")
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1_000 % 1_000)
        let zeros = String(repeating: "0", count: 3 - fraction.count)
        return "\(nanoseconds / 1_000_000).\(zeros)\(fraction)"
    }

    enum Event: UInt8 {
        case asked, delivered, answered, arrived, lost
        case disk, started, entered, ended, replaced, fault, request, result, check
    }
}

extension Trace.State {
    /// FNV-1a over words, with a rotation that carries high bits back down.
    fileprivate mutating func mix(_ number: UInt64) {
        hash = (hash ^ number) &* 0x0000_0100_0000_01B3
        hash = hash << 29 | hash >> 35
    }
}
