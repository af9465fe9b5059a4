internal import Logging
internal import NIOCore
internal import Synchronization

/// Why a connection was turned away.
enum Refusal: String, CaseIterable, Sendable {
    case tls = "not of this cluster's secret"
    case version = "another protocol version"
    case cluster = "another cluster"
    case malformed = "not a frame of ours"
    case late = "no hello in time"
    case crowded = "too many connections"
}

/// Says who was turned away, at most once a minute for each reason: a stranger that knocks all day
/// must not fill the log.
struct RefusalCounts {
    static let interval = TimeAmount.minutes(1)
    private var unsaid: [Int] = Array(repeating: 0, count: Refusal.allCases.count)
    private var quietUntil: [NIODeadline?] = Array(repeating: nil, count: Refusal.allCases.count)

    /// How many to speak of now, this one among them; nil while it is too early.
    mutating func count(_ refusal: Refusal, now: NIODeadline) -> Int? {
        guard let place = Refusal.allCases.firstIndex(of: refusal) else { return nil }
        unsaid[place] += 1
        if let until = quietUntil[place], now < until { return nil }
        quietUntil[place] = now + Self.interval
        defer { unsaid[place] = 0 }
        return unsaid[place]
    }
}

/// The one log of what all connections refuse.
final class RefusalLog: Sendable {
    private let counts = Mutex(RefusalCounts())
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func refused(_ refusal: Refusal, _ address: SocketAddress?) {
        let count = counts.withLock { $0.count(refusal, now: .now()) }
        guard let count else { return }
        logger.warning(
            "turned a peer away",
            metadata: [
                "reason": "\(refusal.rawValue)", "count": "\(count)",
                "address": "\(address.map(String.init(describing:)) ?? "unknown")",
            ])
    }
}
