internal import Glibc
internal import Logging
internal import Synchronization
internal import VortexCluster
internal import VortexCore
internal import VortexGateway
internal import VortexNet
internal import VortexStore

/// A node and its gateway, put together on their threads.
final class Daemon: Sendable {
    /// How the journal's writer ended.
    private final class Ending: Sendable {
        let failure = Mutex<ServeFailure?>(nil)
        let isOver = Atomic<Bool>(false)
    }

    /// Requests in flight get so long to finish when the daemon is told to stop.
    private static let drainSecondsMax = 30

    /// How entering the cluster ended.
    private final class Entering: Sendable {
        let outcome = Mutex<Result<Void, ClusterError>?>(nil)
    }

    private static let networkThreads = 2

    private let configuration: Configuration
    private let index: RocksIndex
    private let store: Store
    private let network: PeerNetwork?
    private let node: ClusterNode
    private let handler: Gateway
    private let keys: KeyRing
    private let server: HTTPServer
    private let background: LoopThread
    private let ending = Ending()
    private let upkeep = Mutex<Task<Void, Never>?>(nil)

    init(_ configuration: Configuration) throws(ServeFailure) {
        self.configuration = configuration
        background = LoopThread()
        let (background, ending) = (background, ending)
        let clock = SystemClock(loop: background)
        let disk = try Self.openDisk(configuration.data, background)
        let network = try configuration.peer.map { (peer) throws(ServeFailure) in
            try Self.network(peer)
        }
        self.network = network
        var options = StoreOptions(reserveBytes: configuration.reserveBytes)
        if let network, let join = configuration.peer?.join, Self.isNew(configuration.data) {
            options.cluster = try Self.invitation(from: join, network, background)
        }
        let index = try Self.openIndex(configuration.data + "/index")
        self.index = index
        let storeOptions = options
        let store = try background.wait { () async throws(ServeFailure) in
            do throws(StoreError) {
                return try await Store(
                    disk: disk, index: index, options: storeOptions, clock: clock,
                    entropy: SystemEntropy())
            } catch { throw ServeFailure.store(error) }
        }
        self.store = store
        Task(executorPreference: LoopThread()) {
            do throws(StoreError) { try await store.runWriter() } catch {
                ending.failure.withLock { $0 = .store(error) }
            }
            ending.isOver.store(true, ordering: .releasing)
        }
        let nodeOptions = ClusterOptions(
            bufferBytes: configuration.bufferBytes, makeSHA256: { SHA256Digest() })
        let place = MemberPlace(
            address: configuration.peer?.address ?? "", zone: configuration.peer?.zone ?? "",
            host: configuration.peer?.host ?? "", weightBytes: max(1, store.usage.totalBytes))
        node = try background.wait { () async throws(ServeFailure) in
            do throws(ClusterError) {
                return try await ClusterNode.open(
                    store: store, clock: clock, entropy: SystemEntropy(), options: nodeOptions,
                    place: place, transport: network)
            } catch { throw ServeFailure.cluster(error) }
        }
        let metrics = Metrics()
        keys = KeyRing(
            node: node, clusterSecret: try Self.keySecret(configuration), clock: clock)
        handler = Gateway(
            node: node, metrics: metrics, clock: clock, entropy: SystemEntropy(),
            authenticator: Authenticator(
                keys: keys, token: configuration.token, isOpen: configuration.isOpen,
                clock: clock),
            keys: keys, domain: configuration.s3Domain, digestThreads: configuration.threads)
        do throws(ServerError) {
            var options = HTTPServerOptions(
                address: configuration.address, threads: configuration.threads,
                certificate: configuration.certificate, key: configuration.key)
            options.trustedProxies = configuration.trustedProxies
            server = try HTTPServer(
                options: options,
                handler: handler, metrics: metrics, log: AccessLog(configuration.accessLog),
                background: background)
        } catch { throw .server(error) }
    }

    private static func openDisk(
        _ path: String, _ background: LoopThread
    ) throws(ServeFailure) -> FileDisk {
        let disk: FileDisk
        do throws(DiskError) { disk = try FileDisk(path: path) } catch {
            throw .disk(error, path: path)
        }
        let space = try background.wait { () async throws(ServeFailure) in
            do throws(DiskError) { return try await disk.space() } catch {
                throw ServeFailure.disk(error, path: path)
            }
        }
        guard space.availableBytes >= Limits.startBytesMin else {
            throw .store(.full(availableBytes: space.availableBytes))
        }
        return disk
    }

    /// What access keys' secrets are sealed with: the cluster's secret; of a node that is alone, a
    /// file of its own beside the data.
    private static func keySecret(_ configuration: Configuration) throws(ServeFailure) -> [UInt8] {
        let path = configuration.peer?.secretFile ?? configuration.data + "/key-secret"
        do throws(SecretFailure) {
            return try ClusterSecret.read(path, makesMissing: true)
        } catch { throw .secret(error, path: path) }
    }

    private static func network(
        _ peer: Configuration.Peer
    ) throws(ServeFailure) -> PeerNetwork {
        let secret: [UInt8]
        do throws(SecretFailure) {
            secret = try ClusterSecret.read(peer.secretFile, makesMissing: peer.join == nil)
        } catch { throw .secret(error, path: peer.secretFile) }
        do throws(NetworkError) {
            return try PeerNetwork(
                options: PeerNetworkOptions(
                    listen: peer.address, secret: secret, threads: networkThreads,
                    identity: PeerIdentity(node: NodeID(0), cluster: .zero),
                    entropy: SystemEntropy(), logger: Logger(label: "vortex.net")))
        } catch { throw .network(error, address: peer.address) }
    }

    /// A directory without an identity: the node's first start.
    private static func isNew(_ data: String) -> Bool {
        access(data + "/" + DataIdentity.fileName, F_OK) != 0
    }

    private static let invitationSecondsMax: UInt64 = 60

    /// Waits a while for a member that is only just starting, and not at all for one that refuses.
    private static func invitation(
        from address: String, _ network: PeerNetwork, _ background: LoopThread
    ) throws(ServeFailure) -> ClusterID {
        try background.wait { () async throws(ServeFailure) in
            let end = SystemClock.monotonic() + invitationSecondsMax * 1_000_000_000
            while true {
                do throws(TransportError) {
                    return try await ClusterNode.invitation(from: address, over: network)
                } catch {
                    guard error != .refused, SystemClock.monotonic() < end else {
                        throw ServeFailure.join(error, address: address)
                    }
                }
                do throws(CancellationError) {
                    try await SystemClock(loop: background).sleep(milliseconds: 200)
                } catch { throw ServeFailure.cluster(.stopped) }
            }
        }
    }

    /// Becomes a member with a boot number of its own; false where a signal came first.
    func enter(until signals: inout sigset_t) throws(ServeFailure) -> Bool {
        let (node, network, entering) = (node, network, Entering())
        if let network, let peer = configuration.peer {
            network.identify(
                PeerIdentity(node: store.identity.node, cluster: store.identity.cluster))
            try background.wait { () async throws(ServeFailure) in
                do throws(NetworkError) { try await network.start(service: node.service) } catch {
                    throw ServeFailure.network(error, address: peer.address)
                }
            }
        }
        let joining = configuration.peer?.join.map { [$0] } ?? []
        let task = Task(executorPreference: background) {
            let outcome: Result<Void, ClusterError>
            do throws(ClusterError) {
                try await node.enter(joining: joining)
                outcome = .success(())
            } catch { outcome = .failure(error) }
            entering.outcome.withLock { $0 = outcome }
        }
        while true {
            if let outcome = entering.outcome.withLock({ $0 }) {
                do throws(ClusterError) { try outcome.get() } catch { throw .cluster(error) }
                return true
            }
            if let failure = ending.failure.withLock({ $0 }) { throw failure }
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            if sigtimedwait(&signals, nil, &pause) > 0 {
                task.cancel()
                return false
            }
        }
    }

    /// A damaged index is made again from the journal.
    private static func openIndex(_ path: String) throws(ServeFailure) -> RocksIndex {
        do throws(IndexError) { return try RocksIndex(path: path) } catch .damaged {
            printError("vortex: the index is damaged; it is made again from the journal")
            do throws(IndexError) {
                try RocksIndex.remove(at: path)
                return try RocksIndex(path: path)
            } catch { throw .index(error) }
        } catch { throw .index(error) }
    }

    func start() throws(ServeFailure) {
        do throws(ServerError) { try server.start() } catch { throw .server(error) }
        let (node, store, ending) = (node, store, ending)
        let firstKey = configuration.peer?.join == nil ? FirstKey(keys, on: background) : nil
        let task = Task(executorPreference: background) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await node.run() }
                group.addTask { await firstKey?.make() }
                group.addTask { await Self.compact(store, ending) }
            }
        }
        upkeep.withLock { $0 = task }
        let scheme = configuration.certificate == nil ? "http" : "https"
        switch configuration.address {
        case .tcp(let host, _):
            let name = host.contains(":") ? "[\(host)]" : host
            print("ready on \(scheme)://\(name):\(server.boundPort)")
        case .unix(let path): print("ready on unix:\(path)")
        }
    }

    private static func compact(_ store: Store, _ ending: Ending) async {
        do throws(StoreError) { try await store.runCompaction() } catch {
            ending.failure.withLock { $0 = .store(error) }
        }
    }

    /// Ticks once a second until a signal comes, or the journal's writer fails.
    func run(until signals: inout sigset_t) -> ServeFailure? {
        while true {
            var second = timespec(tv_sec: 1, tv_nsec: 0)
            let signal = sigtimedwait(&signals, nil, &second)
            server.tick()
            if let failure = ending.failure.withLock({ $0 }) { return failure }
            if signal > 0 { return nil }
        }
    }

    /// Lets requests finish, then closes; a second signal cuts that short.
    func stop(_ signals: inout sigset_t) {
        handler.beginDraining()
        server.quiesce()
        upkeep.withLock { $0 }?.cancel()
        let end = SystemClock.monotonic() + UInt64(Self.drainSecondsMax) * 1_000_000_000
        while server.requestsInFlight > 0, SystemClock.monotonic() < end {
            var pause = timespec(tv_sec: 0, tv_nsec: 20_000_000)
            if sigtimedwait(&signals, nil, &pause) > 0 { break }
        }
        // A request that is still waiting for us keeps its connection suspended, and libmicrohttpd
        // must not be stopped then.
        if server.requestsInFlight == 0 { server.stop() }
        if let network { background.wait { () async in await network.stop() } }
        store.stop()
        while !ending.isOver.load(ordering: .acquiring) {
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
        index.close()
    }
}
