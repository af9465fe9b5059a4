internal import CHttpd
internal import Glibc
internal import Synchronization

/// Accepts connections and deals them out to libmicrohttpd's threads in turn.
///
/// Left to itself every thread of the library's pool waits on the listening socket, and whichever
/// wakes first takes all that are there: of eight connections often all eight went to one thread,
/// and the other core was idle (1,100 instead of 2,300 GETs of 1 MiB a second on two cores). The
/// library deals a connection that it is given to the thread whose number is the descriptor's,
/// modulo their count, and descriptors are handed out in sequence.
///
/// Unchecked: libmicrohttpd's own locks guard a daemon.
final class Listener: @unchecked Sendable {
    private let socket: Int32
    private let daemon: OpaquePointer
    private let connections: Connections
    private let connectionsMax: Int
    private let thread: Mutex<pthread_t?>

    /// Between two tries while no descriptor, no memory or no place is to be had.
    private static let pauseNanoseconds = 20_000_000

    /// Starts the thread; `stop` ends it, and must be called before the daemon is stopped.
    init(
        socket: Int32, daemon: OpaquePointer, connections: Connections, connectionsMax: Int
    ) {
        self.socket = socket
        self.daemon = daemon
        self.connections = connections
        self.connectionsMax = connectionsMax
        thread = Mutex(nil)
        var started = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let failure = pthread_create(&started, nil, listenerMain, context)
        precondition(failure == 0, "no thread could be started")
        thread.withLock { $0 = started }
    }

    /// No further connection is accepted once this returns.
    func stop() {
        guard let running = thread.withLock({ $0.take() }) else { return }
        shutdown(socket, Int32(SHUT_RDWR))
        pthread_join(running, nil)
    }

    fileprivate func run() {
        while true {
            // Those beyond wait in the system's queue, and are not turned away.
            while connections.count >= connectionsMax {
                if isShut { return }
                pause()
            }
            var address = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                    let descriptor = accept(socket, name, &size)
                    // The library closes what it does not take, and sets the descriptor's flags.
                    if descriptor >= 0 { _ = MHD_add_connection(daemon, descriptor, name, size) }
                    return descriptor
                }
            }
            guard accepted < 0 else { continue }
            switch errno {
            case EINVAL, EBADF: return
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: pause()
            // A connection that was gone before it was accepted, or a signal.
            default: continue
            }
        }
    }

    private var isShut: Bool { thread.withLock { $0 == nil } }

    private func pause() {
        var time = timespec(tv_sec: 0, tv_nsec: Self.pauseNanoseconds)
        nanosleep(&time, nil)
    }
}

private func listenerMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    Unmanaged<Listener>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
