internal import Glibc
internal import VortexCluster
internal import VortexCore
internal import VortexGateway

/// The cluster's first access key, which may do everything: made by the node that made the cluster,
/// where there is no key, and told once on standard output. `VORTEX_ACCESS_KEY` and
/// `VORTEX_SECRET_KEY` say what it is to be; else it is made at random.
struct FirstKey: Sendable {
    private let keys: KeyRing
    private let clock: SystemClock

    init(_ keys: KeyRing, on loop: LoopThread) {
        self.keys = keys
        clock = SystemClock(loop: loop)
    }

    /// Comes again until the cluster has a quorum to ask.
    func make() async {
        let id = getenv("VORTEX_ACCESS_KEY").map { String(cString: $0) }
        let secret = getenv("VORTEX_SECRET_KEY").map { Array(String(cString: $0).utf8) }
        let isGiven = id != nil && secret != nil
        while !Task.isCancelled {
            do throws(ClusterError) {
                let made = try await keys.createFirst(
                    id: isGiven ? id : nil, secret: isGiven ? secret : nil)
                if let made { Self.tell(made, withSecret: !isGiven) }
                return
            } catch {
                do throws(CancellationError) { try await clock.sleep(milliseconds: 1_000) } catch {
                    return
                }
            }
        }
    }

    private static func tell(_ made: KeyRing.Made, withSecret: Bool) {
        let secret = withSecret ? ", secret \(made.secret) (told this once)" : ""
        print("access key \(made.id)\(secret)")
    }
}
