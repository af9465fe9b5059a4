import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// Where production differed from the protocol: schedules that went wrong in it.
struct FoundByModelTests {
    @Test func `a reject that may be that of a second copy leaves the outcome open`() throws {
        let all = [1, 2, 3]
        let script = Script(owners: all, omitted: [])
        script.put(91, all, accept: [], at: 10)
        let copy = try #require(
            script.network.held.first { question in
                question.target == 2 && question.message.kind == WireKind.accept.rawValue
            })
        script.network.deliver(copy, answering: false)
        script.settle()
        script.operation(.get, 92, all, accept: [])
        // All three answers are rejects, and come together.
        script.network.deliver(copy)
        for question in script.network.held where question.asker == 91 {
            script.network.deliver(question)
        }
        script.settle()
        for _ in 0..<20 { script.wake(91, [:]) }
        script.flow(92, [.accept: all])
        script.get(93, all)
        #expect(script.problem == nil, "\(script.story)")
        script.close()
    }

    @Test func `a node with a body that no row names is not empty`() {
        let script = Script.bodies(omitting: [])
        _ = script.begin(95, [1, 2, 3], holding: Script.kind(.putChunk), Script.put(Script.bytes))
        script.deliver(95, [1, 2], Script.kind(.prepare))  // Two chunks are there; it dies.
        let key = script.object
        script.go(96, [1, 2, 3]) { node in
            for upload in try await node.readObject(key).openUploads {
                try await node.closeUpload(upload.kind, key)
            }
        }
        script.moveChunks(to: [4, 5, 6])
        #expect(script.holders([1, 2]) == [1, 2])
        script.walk([1, 2], reaching: [1, 2, 3])
        let sources = Set(script.chunkPartitions.flatMap { script.layout.sources(of: $0) })
        #expect(sources.isSuperset(of: [1, 2].map { Script.id($0) }))
        script.close()
    }

    /// An accept waits for another one of its row; meanwhile the owner adopts a joint epoch, and is
    /// asked for its rows at that.
    @Test(arguments: 1...40)
    func `nothing begun at an older epoch comes after a page of the joint one`(seed: Int) {
        let script = Script(owners: [1, 2, 3], omitted: [], seed: UInt64(seed))
        let owner = script.node(1).coordinator.owner
        let (book, store) = (script.node(1).book, script.machine(1).store)
        let epoch = script.node(1).view[Script.partition].epoch
        var next = script.layout.advanced()
        next.move(Script.partition, to: [1, 4, 5].map { Script.id($0) })
        let joint = next
        let listed = Box<[Ballot]>([])
        script.gate.close()
        _ = script.start {
            await withTaskGroup(of: Void.self) { group in
                // The journal is busy, so that what follows becomes durable together.
                group.addTask { await Script.expecting { try await store.setNote("busy", []) } }
                for clock in [10, 20] as [UInt64] {
                    group.addTask {
                        _ = await owner.accept(Script.request(clock: clock), epoch: epoch)
                    }
                }
                group.addTask {
                    await Script.expecting { try await book.adopt(joint) }
                    let page = await owner.settledPage(of: Script.partition, after: nil, limit: 9)
                    if case .success(let page) = page { listed.set(page.rows.map(\.accepted)) }
                }
            }
        }
        script.gate.open()
        script.settle()
        #expect(listed.now == Script.stored(owner).map { [$0.accepted] } ?? [])
        script.close()
    }
}

extension Script {
    static func stored(_ owner: LocalOwner) -> StoredRow? {
        do { return try owner.stored(Operation.row(0)) } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    static func request(clock: UInt64) -> AcceptRequest {
        AcceptRequest(
            key: Operation.row(0), ballot: Ballot(clock: clock << 16, node: id(91), boot: 1),
            value: RegisterValue(
                change: ChangeID(high: 0, low: clock), base: .none, over: [], isTombstone: true,
                bodies: [], content: []),
            bodies: [], generation: nil, milliseconds: clock)
    }
}
