/// Why a node cannot listen for its peers.
public enum NetworkError: Error, Equatable, Sendable {
    /// Another process listens there.
    case addressInUse
    /// Not host:port, or a host that this machine does not have or know.
    case invalidAddress
    /// The system refused to listen there: its `errno`, 0 where it gave none.
    case cannotListen(errno: Int32)
    /// The cluster's secret has no bytes.
    case secretEmpty
    /// Keys or certificates could not be made.
    case tls
    /// Started twice, or after `stop()`.
    case alreadyStarted
}
