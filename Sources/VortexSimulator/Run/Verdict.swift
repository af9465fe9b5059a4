internal import Synchronization

/// What a run found wrong, in order.
final class Verdict: Sendable {
    /// The first ones say it.
    private static let reasonsMax = 20
    private let found = Mutex<[String]>([])

    var reasons: [String] { found.withLock { $0 } }

    func fail(_ reason: String) {
        found.withLock { found in
            if found.count < Self.reasonsMax { found.append(reason) }
        }
    }
}
