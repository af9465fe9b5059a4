public import VortexCluster
public import VortexCore

/// One port, two APIs: `/v1` and everything else that is no bucket's name goes to REST, what begins
/// with a bucket's name (or a host that names one) to S3.
public final class Gateway: RequestHandler {
    private let rest: RESTHandler
    private let s3: S3Handler
    private let domain: String?

    /// `domain`: hosts below it name buckets; nil for path style alone.
    public init(
        node: ClusterNode, metrics: Metrics, clock: any Clock, entropy: any Entropy,
        authenticator: Authenticator, keys: KeyRing, domain: String?, digestThreads: Int
    ) {
        rest = RESTHandler(
            node: node, metrics: metrics, clock: clock, entropy: entropy,
            authenticator: authenticator, keys: keys)
        s3 = S3Handler(
            node: node, clock: clock, authenticator: authenticator, domain: domain,
            lanes: DigestLanes(count: digestThreads))
        self.domain = domain
        metrics.add {
            [
                Metrics.Sample(
                    "vortex_auth_failures_total",
                    "Requests with a key, secret or signature that is wrong.", isCounter: true,
                    Double(authenticator.failures.total.count)),
                Metrics.Sample(
                    "vortex_auth_refused_total",
                    "Requests refused unseen, after too many failures from their address.",
                    isCounter: true, Double(authenticator.failures.refused.count)),
            ]
        }
    }

    /// From now on `/v1/health/ready` says 503, so that proxies send their requests elsewhere.
    public func beginDraining() { rest.beginDraining() }

    public func handle(_ exchange: Exchange) async -> Response {
        await respond(to: exchange.head, body: exchange.body, from: exchange.origin)
    }

    func respond(
        to head: RequestHead, body: any BodySource, from origin: Authenticator.Origin
    ) async -> Response {
        let host = origin.forwardedHost ?? head.headers["host"]
        return Self.isS3(head.target, host: host, domain: domain)
            ? await s3.respond(to: head, body: body, from: origin)
            : await rest.respond(to: head, body: body, from: origin)
    }

    /// Buckets' names have three characters and more; what is reserved has fewer.
    static func isS3(_ target: String, host: String?, domain: String?) -> Bool {
        if let domain, let host,
            host.prefix(while: { $0 != ":" }).lowercased().hasSuffix("." + domain)
        {
            return true
        }
        let path = target.utf8.dropFirst().prefix { $0 != UInt8(ascii: "?") }
        let segment = path.prefix { $0 != UInt8(ascii: "/") }
        return path.isEmpty || segment.count >= Limits.bucketNameBytes.lowerBound
    }
}

extension Exchange {
    /// The client, as the connection and trusted proxies tell.
    var origin: Authenticator.Origin {
        let proxies = server.options.trustedProxies
        return Authenticator.Origin(
            address: proxies.client(peer: record.peer, head.headers),
            forwardedHost: proxies.host(peer: record.peer, head.headers),
            isSecure: proxies.isSecure(peer: record.peer, head.headers)
                ?? (server.options.certificate != nil))
    }
}
