internal import CProcess
internal import Glibc
internal import Logging
internal import VortexCluster
internal import VortexCore
internal import VortexGateway
internal import VortexNet
internal import VortexStore

/// The daemon's wiring: the threads, the parts on them, the order in which they start and stop.
///
///     main thread        waits for signals and ticks the server once a second
///     journal thread     the journal's writer; blocks on the disk
///     background thread  recovery, compaction, expiry, collecting, and jobs of requests whose
///                        connection waits for its client
///     HTTP threads       libmicrohttpd's, one per core; requests run there
///     network threads    SwiftNIO's; peers' questions are answered there
func serve(_ configuration: Configuration) {
    process_prepare()
    let level = configuration.logLevel
    LoggingSystem.bootstrap { label in
        var handler = StreamLogHandler.standardError(label: label)
        handler.logLevel = level
        return handler
    }
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM] { sigaddset(&signals, signal) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)

    do throws(ServeFailure) { try run(configuration, until: &signals) } catch {
        end("Error: \(error)")
    }
}

private func run(
    _ configuration: Configuration, until signals: inout sigset_t
) throws(ServeFailure) {
    let daemon = try Daemon(configuration)
    guard try daemon.enter(until: &signals) else { return daemon.stop(&signals) }
    try daemon.start()
    if let failure = daemon.run(until: &signals) {
        // After a failed write or sync nothing more may be written, not even a clean end.
        end("vortex: \(failure)")
    }
    daemon.stop(&signals)
}

/// Past all exit handlers: they would take away what the index's threads still use.
private func end(_ reason: String) -> Never {
    printError(reason)
    _exit(1)
}

func printError(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

/// Why the daemon did not start, or ended by itself.
enum ServeFailure: Error, CustomStringConvertible {
    case store(StoreError)
    case disk(DiskError, path: String)
    case index(IndexError)
    case cluster(ClusterError)
    case server(ServerError)
    case secret(SecretFailure, path: String)
    case network(NetworkError, address: String)
    case join(TransportError, address: String)

    var description: String {
        switch self {
        case .disk(let error, let path) where error.operation == .lock:
            "\(path) is in use by another process (\(text(error)))."
        case .disk(let error, let path): "\(path): \(text(error))."
        case .store(.disk(let error)): "The data directory: \(text(error))."
        case .store(.refused(let refusal)): "The data directory is refused: \(refusal)."
        case .store(.full):
            "The disk is full: nothing can be written to the data directory. "
                + "Make room on it and start again; nothing is lost."
        case .store(let error): "The store: \(error)."
        case .index(let error): "The index: \(error)."
        case .cluster(.outdatedDisk):
            "The data directory is an older copy of what the cluster last saw of this node. "
                + "Move it away and start again with the same command and --join: "
                + "a new node takes the old one's places, and gets its copies from the others."
        case .cluster(.replaced):
            "Another node has taken this one's places in the cluster: its disk counted as lost. "
                + "Move the data directory away; with an empty one a new node joins, "
                + "at an address of its own."
        case .cluster(let error): "The node: \(error)."
        case .secret(let failure, let path): "\(path): \(failure)."
        case .network(.addressInUse, let address): "Cannot listen on \(address): in use."
        case .network(.invalidAddress, let address):
            "Cannot listen on \(address): not an address of this machine."
        case .network(let error, let address): "Cannot listen on \(address): \(error)."
        case .join(.refused, let address):
            "\(address) refused this node: another secret, another cluster, or another version."
        case .join(_, let address): "Nobody answers on \(address)."
        case .server(.socket(let errno)):
            "Cannot listen: \(String(cString: strerror(errno)))."
        case .server(.address(let text)):
            "Cannot listen on \(text): not an address of this machine."
        case .server(.start): "The HTTP server did not start; are certificate and key in order?"
        }
    }

    private func text(_ error: DiskError) -> String {
        "\(error.operation): \(String(cString: strerror(error.errno)))"
    }
}
