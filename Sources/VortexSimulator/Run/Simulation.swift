internal import VortexCluster
package import VortexCore

/// One run: a cluster, its clients, its faults, and the judgement at the end; all of it follows
/// from the settings.
public struct Simulation: Sendable {
    public struct Settings: Equatable, Sendable {
        public var seed: UInt64
        public var nodes: Int
        public var operations: Int
        public var faults: FaultProfile
        /// Of all nodes, for tests that look for the seed that shows a rule to be needed.
        package var omitted: Omissions = []
        public init(seed: UInt64, nodes: Int, operations: Int, faults: FaultProfile) {
            self.seed = seed
            self.nodes = nodes
            self.operations = operations
            self.faults = faults
        }

        private static let sizes = [1, 3, 3, 4, 5, 6, 7]

        /// What is not given follows from the seed: half of the runs have all faults, the others
        /// one kind.
        public static func drawn(
            seed: UInt64, nodes: Int?, operations: Int, faults: FaultProfile?
        ) -> Settings {
            let entropy = SimulatedEntropy(seed: seed)
            let size = sizes[entropy.below(sizes.count)]
            let kinds = FaultProfile.allCases
            let kind = entropy.happens(perMille: 500) ? kinds[entropy.below(kinds.count)] : nil
            return Settings(
                seed: seed, nodes: nodes ?? size, operations: operations,
                faults: faults ?? kind ?? .everything)
        }
    }

    public struct Report: Equatable, Sendable {
        /// What went wrong; empty where nothing did.
        public var reasons: [String]
        /// Of everything that happened.
        public var traceHash: UInt64
        public var events: UInt64
        public var steps: UInt64
        /// Virtual time.
        public var milliseconds: UInt64
    }

    private static let clients = 4
    /// Besides, of the bucket that keeps versions.
    private static let versionClients = 2
    /// Few, so that walks over all of them are short, and more than there are nodes.
    private static let partitionBits: UInt8 = 4
    /// Far more than a run takes; what spins ends here.
    private static let stepsPerOperationMax: UInt64 = 400_000

    private let settings: Settings
    private let executor: SimulatedExecutor
    private let trace: Trace
    private let sink: Trace.Sink?
    private let verdict = Verdict()
    private let history = History()

    private init(_ settings: Settings, _ sink: Trace.Sink?) {
        precondition(settings.nodes > 0)
        self.settings = settings
        self.sink = sink
        executor = SimulatedExecutor(seed: settings.seed)
        trace = Trace(executor: executor, sink: sink)
    }

    /// Runs on the calling thread. `sink` takes a line for each event.
    public static func run(_ settings: Settings, sink: Trace.Sink? = nil) -> Report {
        let simulation = Simulation(settings, sink)
        let executor = simulation.executor
        let finished = Outcome<Bool>()
        Task(executorPreference: executor) {
            await simulation.runAll()
            finished.settle(true)
        }
        let stepsMax = stepsPerOperationMax * UInt64(settings.operations + 200)
        let ending = executor.run(stepsMax: stepsMax)
        if !finished.isSettled {
            simulation.verdict.fail(
                ending == .stepLimit ? "it never ends" : "it is stuck: somebody waits for ever")
        }
        executor.clear()
        return Report(
            reasons: simulation.verdict.reasons, traceHash: simulation.trace.hash,
            events: simulation.trace.events, steps: executor.steps,
            milliseconds: executor.now / 1_000_000)
    }

    private func runAll() async {
        let entropy = SimulatedEntropy(seed: settings.seed ^ 0x5EED_0F_A11)
        let around = surroundings(entropy)
        let cast = Cast(
            nodes: settings.nodes, faults: settings.faults, entropy: entropy.fork())
        let nodes = cast.startsAt.enumerated().map { place, startsAt in
            SimulatedNode(
                place: place, of: settings.nodes,
                joining: place == 0 ? [] : Array(0..<(startsAt == 0 ? 1 : cast.initial)),
                startsAt: startsAt, entropy: entropy.fork(), around: around)
        }
        let storm = Storm(
            profile: settings.faults, cast: cast, nodes: nodes, entropy: entropy.fork(),
            around: around)
        let judge = client(Self.clients, nodes, entropy, around)
        await withTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { await node.run() } }
            let checks = FinalChecks(
                nodes: nodes, rotting: storm.rotting, awaitsGarbage: cast.awaitsGarbage,
                client: judge, around: around)
            if await checks.allUp(Array(nodes.prefix(cast.initial))) {
                await judge.createBucket(Workload.bucket)
                await judge.createBucket(VersionWorkload.bucket)
                await work(nodes, storm, entropy, around)
                storm.heal()
                await checks.run()
            }
            for node in nodes { node.close() }
            await group.waitForAll()
        }
        for reason in history.violations(telling: sink) { verdict.fail(reason) }
    }

    private func surroundings(_ entropy: SimulatedEntropy) -> Surroundings {
        var options = ClusterOptions(
            bufferBytes: 32 << 20,
            collectDelayMilliseconds: FinalChecks.collectDelayMilliseconds,
            uploadIdleMilliseconds: FinalChecks.uploadIdleMilliseconds)
        options.partitionBits = Self.partitionBits
        options.omitted = settings.omitted
        return Surroundings(
            executor: executor,
            network: SimulatedNetwork(
                executor: executor, entropy: entropy.fork(), trace: trace),
            trace: trace, verdict: verdict, options: options)
    }

    private func client(
        _ number: Int, _ nodes: [SimulatedNode], _ entropy: SimulatedEntropy,
        _ around: Surroundings
    ) -> SimulatedClient {
        SimulatedClient(
            number: number, gateways: nodes, history: history, around: around,
            readsMayFail: settings.faults.touchesDisks, entropy: entropy.fork())
    }

    /// The clients work, in the storm, until each has done its share.
    private func work(
        _ nodes: [SimulatedNode], _ storm: Storm, _ entropy: SimulatedEntropy,
        _ around: Surroundings
    ) async {
        let share = (settings.operations + Self.clients - 1) / Self.clients
        await withTaskGroup(of: Void.self) { group in
            let workloads = (0..<Self.clients).map { number in
                Workload(
                    client: client(number, nodes, entropy, around), entropy: entropy.fork())
            }
            let keepers = (0..<Self.versionClients).map { number in
                VersionWorkload(
                    client: client(Self.clients + 1 + number, nodes, entropy, around),
                    entropy: entropy.fork(), enablesBehind: number == 0 ? share / 8 : nil)
            }
            await withTaskGroup(of: Void.self) { clients in
                group.addTask { await storm.run() }
                for workload in workloads {
                    clients.addTask { await workload.run(operations: share) }
                }
                for keeper in keepers {
                    clients.addTask { await keeper.run(operations: share) }
                }
                await clients.waitForAll()
            }
            group.cancelAll()
        }
    }
}
