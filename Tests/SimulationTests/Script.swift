import Synchronization
import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// The schedules of ../shared/model, told to real nodes: owners with disks in memory, coordinators
/// started by the script, a network in which only that is delivered which the script names. All
/// keys lie in the one partition of the ring. Owners are 1 to 9, gateways 90 and up.
final class Script {
    typealias Flow = [WireKind: [Int]]

    let executor: SimulatedExecutor
    /// Of all disks.
    let gate = Gate()
    let bucketID = Box(BucketID.zero)
    let network: HeldNetwork
    let omitted: Omissions
    let bits: UInt8
    private(set) var layout: Layout
    private var nodes: [Int: Machine] = [:]
    private var operations: [Operation] = []
    private let moments = Moments()

    static let everybody = Array(1...9) + Array(90...99)
    static let cluster = ClusterID(high: 7, low: 7)
    static let partition = Partition(0)

    /// What one number of the script stands for, through all its lives.
    struct Machine {
        var disk: MemoryDisk
        var index: MemoryIndex
        var clock: ScriptClock
        var boot: UInt32
        var store: Store
        var node: ClusterNode
    }

    init(owners: [Int], omitted: Omissions, bits: UInt8 = 0, seed: UInt64 = 1) {
        executor = SimulatedExecutor(seed: seed)
        self.omitted = omitted
        self.bits = bits
        network = HeldNetwork(executor: executor)
        let members = Self.everybody.map { number in
            Member(
                id: Self.id(number), address: HeldNetwork.address(of: number), zone: "",
                host: "\(number)", weightBytes: 1)
        }
        var first = Layout(
            cluster: Self.cluster, members: members, ring: Ring(bits: bits), replicas: 3)
        first.council = [Self.id(99)]
        for partition in first.ring.partitions {
            first.setOwners(
                owners.map { Layout.Holder(node: Self.id($0), since: first.epoch) }, of: partition)
        }
        layout = first
        for owner in owners + (bits == 0 ? [] : [99]) { _ = machine(owner) }
    }

    static func id(_ number: Int) -> NodeID { NodeID(UInt64(number) * 2 + 1) }
    static func number(_ id: NodeID) -> Int { Int(id.value / 2) }

    // MARK: Running

    /// Runs until nothing moves but what the script delivers.
    func settle() { #expect(executor.run(stepsMax: 2_000_000) == .idle) }

    func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let result = Box<Value?>(nil)
        Task(executorPreference: executor) { result.set(await body()) }
        settle()
        guard let value = result.now else {
            preconditionFailure("it waits for what the script holds back")
        }
        return value
    }

    /// Something that goes on while the script delivers; true once it has ended.
    func start(_ body: @escaping @Sendable () async -> Void) -> Box<Bool> {
        let isDone = Box(false)
        Task(executorPreference: executor) {
            await body()
            isDone.set(true)
        }
        settle()
        return isDone
    }

    func close() {
        network.close()
        settle()
        for number in nodes.keys.sorted() { nodes[number]?.store.stop() }
        settle()
        executor.clear()
    }

    // MARK: Machines

    func machine(_ number: Int) -> Machine {
        if let machine = nodes[number] { return machine }
        let clock = ScriptClock(executor: executor)
        let gate = gate
        let disk = MemoryDisk(capacityBytes: 1 << 32) { _ in await gate.pass() }
        let machine = open(number, disk, MemoryIndex(), clock, boot: 1)
        let (node, layout) = (machine.node, layout)
        run { await Self.expecting { try await node.book.note(layout) } }
        nodes[number] = machine
        return machine
    }

    func node(_ number: Int) -> ClusterNode { machine(number).node }

    var opened: [Int] { nodes.keys.sorted() }

    /// The newest layout that any node knows: one of them may have changed it.
    func refreshLayout() {
        for machine in nodes.values where machine.node.layout.epoch > layout.epoch {
            layout = machine.node.layout
        }
    }

    private func open(
        _ number: Int, _ disk: MemoryDisk, _ index: MemoryIndex, _ clock: ScriptClock,
        boot: UInt32
    ) -> Machine {
        let entropy = ScriptEntropy(first: Self.id(number).value, seed: UInt64(boot))
        let transport = network.transport(of: number)
        var options = ClusterOptions(collectDelayMilliseconds: 0)
        options.omitted = omitted
        options.partitionBits = bits
        let (chosen, executor) = (options, executor)
        let machine = run { () -> Machine? in
            do {
                let store = try await Store(
                    disk: disk, index: index,
                    options: StoreOptions(
                        reserveBytes: 0, segmentBytes: 16 << 20, cluster: Self.cluster),
                    clock: clock, entropy: entropy)
                Task(executorPreference: executor) {
                    // A restart takes the old life's disk away.
                    do { try await store.runWriter() } catch is StoreError { return }
                }
                let node = try await ClusterNode.open(
                    store: store, clock: clock, entropy: entropy, options: chosen,
                    place: MemberPlace(
                        address: HeldNetwork.address(of: number), weightBytes: 1),
                    transport: transport)
                node.coordinator.boot = boot
                node.council.remembersVotes.store(true, ordering: .releasing)
                node.answers.isOpen.store(true, ordering: .releasing)
                return Machine(
                    disk: disk, index: index, clock: clock, boot: boot, store: store, node: node)
            } catch {
                Issue.record("node \(number) does not open: \(error)")
                return nil
            }
        }
        guard let machine else { preconditionFailure("no node \(number)") }
        network.listen(number, machine.node.service)
        return machine
    }

    /// The process is killed and started again: what was only in memory is gone.
    func restart(_ number: Int) {
        let old = machine(number)
        nodes[number] = open(
            number, old.disk.restart(), old.index.crash(), old.clock, boot: old.boot + 1)
    }

    static func expecting(_ body: () async throws -> Void) async {
        do { try await body() } catch { Issue.record("\(error)") }
    }

    // MARK: Messages

    /// Delivers the questions of `asker` that `flow` names, kind by kind and target by target, and
    /// what they lead to, until none is left.
    func flow(_ asker: Int, _ flow: Flow) {
        var allowed = flow
        allowed[.offerLayout] = Self.everybody
        allowed[.layout] = Self.everybody
        while true {
            let next = network.held.filter { question in
                guard question.asker == asker,
                    let kind = WireKind(rawValue: question.message.kind)
                else { return false }
                return allowed[kind]?.contains(question.target) ?? false
            }.min { ($0.target, $0.number) < ($1.target, $1.number) }
            guard let next else { return }
            network.deliver(next)
            settle()
        }
    }

    /// The same; whatever else the asker waits for times out, again and again, until it has ended.
    func flow(_ asker: Int, _ allowed: Flow, until isDone: Box<Bool>) {
        for _ in 0..<200 {
            flow(asker, allowed)
            if isDone.now { return }
            network.timeOut(asker)
            settle()
        }
        Issue.record("node \(asker) does not end")
    }

    /// The asker hears nothing of all that it waits for, and tries again.
    func wake(_ asker: Int, at milliseconds: UInt64 = 500, _ allowed: Flow) {
        machine(asker).clock.set(milliseconds)
        network.timeOut(asker)
        settle()
        flow(asker, allowed)
    }

    /// What is on its way never arrives.
    func lose(_ isLost: (HeldNetwork.Question) -> Bool = { _ in true }) {
        for question in network.held where isLost(question) { network.drop(question) }
    }

    // MARK: Layouts

    private func publish(_ next: Layout, _ know: [Int]) {
        layout = next
        for number in know where nodes[number] != nil {
            let node = node(number)
            run { await Self.expecting { try await node.book.adopt(next) } }
        }
    }

    /// The joint epoch towards these owners, or back where they are the previous ones.
    func move(to owners: [Int], know: [Int] = everybody, partitions: [Partition]? = nil) {
        for owner in owners { _ = machine(owner) }
        var next = layout.advanced()
        for partition in partitions ?? Array(layout.ring.partitions) {
            next.move(partition, to: owners.map { Self.id($0) }, omitted: omitted)
        }
        publish(next, know)
    }

    /// The final epoch, whether or not anybody has synced.
    func settleLayout(know: [Int] = everybody) {
        guard let next = layout.finishing(layout.migrating) else { return }
        publish(next, know)
    }

    /// The final epoch, where production finds everybody ready.
    func finish() {
        let ready = layout.synced(omitted) { id in
            node(Self.number(id)).answers.synced.withLock { $0 }
        }
        if ready != nil { settleLayout() }
    }

    /// Takes over a layout that the script made itself.
    func take(_ next: Layout, know: [Int] = everybody) { publish(next, know) }

    /// The owner brings itself up to date from these of the previous owners alone.
    func sync(_ owner: Int, from sources: [Int]) {
        let node = node(owner)
        machine(owner).clock.set(100 + moments.last)
        let isDone = start {
            // Not everybody needs to succeed: who does not has not synced.
            do throws(ClusterError) { try await node.syncOnce() } catch .noQuorum { return } catch {
                Issue.record("\(error)")
            }
        }
        let owners = Array(1...9)
        flow(
            owner,
            [
                .generations: owners, .partition: sources, .read: owners, .prepare: owners,
                .accept: owners, .getChunk: owners, .findChunks: owners,
            ], until: isDone)
    }

    // MARK: Clients

    /// Begins an operation at a gateway, whose clock shows `ballot`, and lets it reach these
    /// owners.
    @discardableResult
    func operation(
        _ kind: Operation.Kind, _ gateway: Int, _ prepare: [Int], accept: [Int]? = nil,
        at ballot: UInt64? = nil, key: Int = 0
    ) -> Operation {
        let operation = Operation(
            number: operations.count + 1, key: key, kind: kind, start: moments.next())
        operations.append(operation)
        machine(gateway).clock.set(ballot ?? 10_000 + moments.last)
        let node = node(gateway)
        let moments = moments
        Task(executorPreference: executor) {
            let result = await operation.run(at: node)
            operation.end(result, moments)
        }
        settle()
        flow(gateway, [.read: prepare, .prepare: prepare, .accept: accept ?? prepare])
        return operation
    }

    @discardableResult
    func put(
        _ gateway: Int, _ prepare: [Int], accept: [Int]? = nil, at ballot: UInt64, key: Int = 0
    ) -> Operation {
        operation(.put, gateway, prepare, accept: accept, at: ballot, key: key)
    }

    func delete(
        _ gateway: Int, _ prepare: [Int], accept: [Int]? = nil, at ballot: UInt64, key: Int = 0
    ) {
        operation(.delete, gateway, prepare, accept: accept, at: ballot, key: key)
    }

    /// A put under the condition that the key holds what that operation put, or nothing.
    @discardableResult
    func putIf(
        _ expected: Operation? = nil, _ gateway: Int, _ prepare: [Int], accept: [Int]? = nil,
        at ballot: UInt64
    ) -> Operation {
        operation(.putIf(expected?.number), gateway, prepare, accept: accept, at: ballot)
    }

    func get(_ gateway: Int, _ nodes: [Int], key: Int = 0) {
        operation(.get, gateway, nodes, key: key)
    }

    func purge(_ coordinator: Int, reading: [Int], purging: [Int], key: Int = 0, waits: Bool = true)
    {
        let node = node(coordinator)
        machine(coordinator).clock.set(100 + moments.last)
        let row = Operation.row(key)
        let isDone = start {
            do throws(ClusterError) {
                _ = try await node.coordinator.purge(row) { _ in true }
            } catch { return }
        }
        flow(
            coordinator,
            [.read: reading, .prepare: reading, .accept: reading, .purge: purging])
        if waits { flow(coordinator, [.purge: purging], until: isDone) }
    }

    func repair(_ coordinator: Int, reading: [Int], installing: [Int] = []) {
        let node = node(coordinator)
        let row = Operation.row(0)
        _ = start {
            do throws(ClusterError) { _ = try await node.coordinator.settle(row) } catch { return }
        }
        flow(coordinator, [.read: reading, .install: installing])
    }

    // MARK: Judging

    /// The history, for whoever reads a failure.
    var story: String {
        operations.map { operation in
            operation.entry.map { "\($0)" } ?? "client \(operation.number): nothing"
        }.joined(separator: "; ")
    }

    /// Why the history is not linearizable; nil where it is.
    var problem: String? {
        for key in Set(operations.map(\.key)).sorted() {
            let history = operations.filter { $0.key == key }.compactMap(\.entry)
            if let reason = LinearizabilityChecker.check(history).reason { return reason }
        }
        return nil
    }

}
