internal import Synchronization
internal import VortexGateway

/// Does the same for many things on a few threads, each with a connection of its own. The first
/// failure ends it; what was begun is finished.
enum Workers {
    static let count = 4

    static func run(
        _ items: [String], _ client: HTTPClient,
        _ body: @escaping @Sendable (String, HTTPClient) throws(ClientError) -> Void
    ) throws(ClientError) {
        let shared = Shared()
        let clients = (0..<min(count, items.count)).map { _ in client.another() }
        LoopThread().wait {
            await withTaskGroup(of: Void.self) { group in
                for client in clients {
                    group.addTask(executorPreference: LoopThread()) {
                        while let place = shared.take(below: items.count) {
                            do throws(ClientError) { try body(items[place], client) } catch {
                                shared.fail(error)
                            }
                        }
                    }
                }
            }
        }
        if let error = shared.failed { throw error }
    }

    private final class Shared: Sendable {
        private let next = Mutex(0)
        private let failure = Mutex<ClientError?>(nil)

        func take(below count: Int) -> Int? {
            guard failed == nil else { return nil }
            return next.withLock { next in
                guard next < count else { return nil }
                defer { next += 1 }
                return next
            }
        }
        var failed: ClientError? { failure.withLock { $0 } }
        func fail(_ error: ClientError) { failure.withLock { $0 = $0 ?? error } }
    }
}
