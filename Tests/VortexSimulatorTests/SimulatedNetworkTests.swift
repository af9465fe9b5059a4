import Testing
import VortexCore

@testable import VortexSimulator

struct SimulatedNetworkTests {
    /// Two places: questions are asked from 0; 1 answers with the same head.
    private struct Site: Sendable {
        let executor: SimulatedExecutor
        let network: SimulatedNetwork
        let transport: any Transport
        let heard = Recorder<[UInt8]>()

        init(seed: UInt64, answers: Bool = true) {
            executor = SimulatedExecutor(seed: seed)
            network = SimulatedNetwork(
                executor: executor, entropy: SimulatedEntropy(seed: seed),
                trace: Trace(executor: executor, sink: nil))
            transport = network.transport(of: 0, isAlive: { true })
            let heard = heard
            network.listen(on: "one", place: 1) { question, reply in
                heard.add(question.head)
                if answers { reply(question) }
            }
        }

        func run(_ body: @escaping @Sendable (Site) async -> Void) {
            let site = self
            Task(executorPreference: executor) { await body(site) }
            #expect(executor.run(stepsMax: 1_000_000) == .idle)
        }

        func ask(_ number: UInt8, at address: String = "one") async -> TransportError? {
            do throws(TransportError) {
                let question = WireMessage(kind: 1, epoch: Epoch(number: 1), head: [number])
                let answer = try await transport.ask(
                    address, question, timeoutMilliseconds: 100)
                #expect(answer.head == [number])
            } catch { return error }
            return nil
        }
    }

    @Test func `a question is answered after a delay both ways`() {
        let site = Site(seed: 1)
        site.run { #expect(await $0.ask(1) == nil) }
        #expect(site.executor.now >= 200_000)
        #expect(site.heard.all == [[1]])
    }

    @Test func `nobody listens`() {
        let site = Site(seed: 1)
        site.run { site in
            #expect(await site.ask(1, at: "two") == .unreachable)
            site.network.close("one")
            #expect(await site.ask(1) == .unreachable)
        }
        #expect(site.heard.all.isEmpty)
    }

    @Test func `a cut loses what crosses it, one way`() {
        let site = Site(seed: 1)
        site.run { site in
            site.network.weather.cut(from: [0], to: [1])
            #expect(await site.ask(1) == .lost)
            #expect(site.heard.all.isEmpty)
            site.network.weather.heal()
            site.network.weather.cut(from: [1], to: [0])
            #expect(await site.ask(2) == .lost)
            #expect(site.heard.all == [[2]])
            site.network.weather.heal()
            #expect(await site.ask(3) == nil)
        }
    }

    @Test func `some questions and answers are lost, some questions come twice`() {
        let site = Site(seed: 3)
        site.run { site in
            site.network.weather.setLoss(perMille: 300)
            site.network.weather.setDuplication(perMille: 300)
            var lost = 0
            for number in 0..<200 as Range<UInt8> where await site.ask(number) == .lost {
                lost += 1
            }
            #expect(lost > 40 && lost < 140)
        }
        let heard = site.heard.all
        #expect(Set(heard).count < heard.count)
    }

    @Test func `questions overtake each other`() {
        let site = Site(seed: 3)
        site.run { site in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<50 as Range<UInt8> {
                    group.addTask { _ = await site.ask(number) }
                }
            }
        }
        let heard = site.heard.all.map { $0[0] }
        #expect(heard.sorted() == Array(0..<50))
        #expect(heard != heard.sorted())
    }

    @Test func `a cancelled question returns at once and still arrives`() {
        let site = Site(seed: 3, answers: false)
        site.run { site in
            await withTaskGroup(of: TransportError?.self) { group in
                group.addTask { await site.ask(9) }
                _ = await site.executor.sleep(nanoseconds: 10)
                group.cancelAll()
                #expect(await group.next() == .cancelled)
                #expect(site.executor.now == 10)
            }
        }
        #expect(site.heard.all == [[9]])
    }

    @Test func `bulk bytes are the receiver's own`() {
        let site = Site(seed: 3)
        let buffer = ChunkBuffer(copying: [1, 2, 3])
        site.run { site in
            do throws(TransportError) {
                let answer = try await site.transport.ask(
                    "one", WireMessage(kind: 1, epoch: Epoch(number: 1), bulk: buffer),
                    timeoutMilliseconds: 100)
                #expect(answer.bulk !== buffer)
                #expect(answer.bulk.map { Array($0.bytes) } == [1, 2, 3])
            } catch { Issue.record("\(error)") }
        }
    }

    @Test func `a dead node neither asks nor hears`() {
        let site = Site(seed: 3)
        let life = Life()
        let transport = site.network.transport(of: 2, isAlive: { life.isAlive })
        site.run { site in
            let question = WireMessage(kind: 1, epoch: Epoch(number: 1), head: [1])
            site.executor.schedule(nanoseconds: 1) { life.end() }
            do throws(TransportError) {
                _ = try await transport.ask("one", question, timeoutMilliseconds: 100)
                Issue.record("answered")
            } catch { #expect(error == .lost) }
            do throws(TransportError) {
                _ = try await transport.ask("one", question, timeoutMilliseconds: 100)
                Issue.record("answered")
            } catch { #expect(error == .unreachable) }
        }
        #expect(site.heard.all == [[1]])
    }
}
