internal import Glibc
internal import Synchronization

/// SIGINT and SIGTERM, seen by transfers: they end, clean up, and say how to go on. A second one
/// ends the process at once.
enum Interruption {
    private static let flag = Atomic<Bool>(false)

    static var isWanted: Bool { flag.load(ordering: .relaxed) }

    /// From here on a signal is asked for by `isWanted` instead of ending the process.
    static func watch() {
        _ = isWanted  // Made before a signal handler may touch it.
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interruption.flag.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }
}
