internal import Synchronization
internal import VortexCore

/// What comes of a question: for the task that waits, or, when that was cancelled, for `late`.
final class AskOutcome: Sendable {
    typealias Reply = Result<WireMessage, TransportError>
    typealias Late = @Sendable (Reply) -> Void

    private let told = Outcome<Reply>()
    private let late: Late?
    /// `late` is still to be called.
    private let isOwed = Mutex(false)

    init(late: Late?) { self.late = late }

    func value() async -> Reply { await told.value() }

    /// The first one counts.
    func settle(_ reply: Reply) {
        guard !told.settle(reply), let late else { return }
        let isFirst = isOwed.withLock { isOwed in
            defer { isOwed = false }
            return isOwed
        }
        if isFirst { late(reply) }
    }

    /// The asking task was cancelled.
    func abandon() {
        isOwed.withLock { isOwed in
            if told.settle(.failure(.cancelled)) { isOwed = late != nil }
        }
    }

    var isOpen: Bool { isOwed.withLock { $0 } }
}
