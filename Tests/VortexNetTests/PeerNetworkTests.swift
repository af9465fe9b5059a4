import NIOCore
import Synchronization
import Testing
import VortexCore

@testable import VortexNet

struct PeerNetworkTests {
    @Test(arguments: [nil, 0, 1, 64 << 10, 1 << 20])
    func `an answer brings back what was asked, byte for byte`(bulkBytes: Int?) async throws {
        let bulk = bulkBytes.map { SeededEntropy(seed: 3).bytes($0) }
        try await withPair(Answers.echo) { asker, address in
            for round in 0..<3 {
                let head = SeededEntropy(seed: UInt64(round)).bytes(round * 1_000)
                let question = message(UInt8(round), head: head, bulk: bulk)
                let answer = try await asker.ask(address, question, timeoutMilliseconds: 60_000)
                #expect(answer.kind == question.kind)
                #expect(answer.epoch == question.epoch)
                #expect(answer.head == head)
                #expect(answer.bulkBytes == bulk)
            }
        }
    }

    @Test func `the largest head and bulk there are go through`() async throws {
        let head = [UInt8](repeating: 7, count: Limits.wireHeadBytesMax)
        let bulk = [UInt8](repeating: 9, count: Limits.chunkBytes)
        try await withPair(Answers.echo) { asker, address in
            let answer = try await asker.ask(
                address, message(head: head, bulk: bulk), timeoutMilliseconds: 60_000)
            #expect(answer.head == head)
            #expect(answer.bulkBytes == bulk)
        }
    }

    @Test func `200 questions in flight are each answered by their own answer`() async throws {
        let count = 200
        let gates = (0..<count).map { _ in Gate() }
        let arrived = Mutex(0)
        // The last to arrive lets the one before it go, and so on: answers go out backwards.
        let service = Answers { question in
            let number = Int(question.head[0])
            let isLast = arrived.withLock { arrived in
                arrived += 1
                return arrived == count
            }
            if isLast { gates[count - 1].open() }
            await gates[number].wait()
            if number > 0 { gates[number - 1].open() }
            return question
        }
        try await withPair(service) { asker, address in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<count {
                    group.addTask {
                        let bulk = [UInt8](repeating: UInt8(number), count: number * 37)
                        let question = message(head: [UInt8(number)], bulk: bulk)
                        let answer = try await asker.ask(
                            address, question, timeoutMilliseconds: 60_000)
                        #expect(answer.head == [UInt8(number)])
                        #expect(answer.bulkBytes == bulk)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `many chunks at once are each their own`() async throws {
        var answering = Node.options()
        // Less than what is on its way: the listener has to hold its readers back.
        answering.receiveBytes = 2 << 20
        try await withPair(Answers.echo, answering: answering) { asker, address in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let bulk = [UInt8](repeating: UInt8(number), count: 1 << 20)
                        let answer = try await asker.ask(
                            address, message(bulk: bulk), timeoutMilliseconds: 60_000)
                        #expect(answer.bulkBytes == bulk)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `a listener without room for chunks still answers what has none`() async throws {
        let arrived = Gate()
        let gate = Gate()
        let service = Answers { question in
            guard question.bulk != nil else { return question }
            arrived.open()
            await gate.wait()
            return message()
        }
        var answering = Node.options()
        answering.receiveBytes = 1 << 20
        try await withPair(service, answering: answering) { asker, address in
            let chunk = message(bulk: [UInt8](repeating: 1, count: 1 << 20))
            await withTaskGroup(of: TransportError?.self) { group in
                for _ in 0..<4 { group.addTask { await asker.failure(address, chunk) } }
                await arrived.wait()
                #expect(await asker.failure(address) == nil)
                gate.open()
                for await failure in group { #expect(failure == nil) }
            }
        }
    }

    @Test func `a cancelled question returns at once, and the connection goes on`() async throws {
        let arrived = Gate()
        let service = Answers { question in
            guard question.kind == 2 else { return question }
            arrived.open()
            return await Answers.silence.answer(question)
        }
        try await withPair(service) { asker, address in
            let asking = Task { await asker.failure(address, message(2)) }
            await arrived.wait()
            asking.cancel()
            #expect(await asking.value == .cancelled)
            #expect(await asker.failure(address, message(1)) == nil)
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func `who goes on hears late of what came of a question, once`(isAnswered: Bool) async throws {
        let gate = Gate()
        let arrived = Gate()
        let service = Answers { question in
            arrived.open()
            await gate.wait()
            return question
        }
        let told = Told()
        try await withPair(service) { asker, address in
            let asking = Task { () -> TransportError? in
                do throws(TransportError) {
                    _ = try await asker.ask(
                        address, message(head: [5]), timeoutMilliseconds: 60_000,
                        late: { told.add($0) })
                    return nil
                } catch { return error }
            }
            await arrived.wait()
            asking.cancel()
            #expect(await asking.value == .cancelled)
            #expect(told.count == 0)
            if isAnswered { gate.open() } else { await asker.stop() }
            await told.first.wait()
            gate.open()
            // A second question comes behind all that the first one brought.
            if isAnswered { #expect(await asker.failure(address) == nil) }
        }
        #expect(told.count == 1)
        #expect(told.heads == [isAnswered ? [5] : nil])
    }

    @Test func `whoever has its answer hears nothing late`() async throws {
        let told = Told()
        try await withPair(Answers.echo) { asker, address in
            _ = try await asker.ask(
                address, message(), timeoutMilliseconds: 60_000, late: { told.add($0) })
        }
        #expect(told.count == 0)
    }

    @Test func `a task that is cancelled already asks nothing`() async throws {
        try await withPair(Answers.silence) { asker, address in
            let asking = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await asker.failure(address)
            }
            #expect(await asking.value == .cancelled)
        }
    }

    @Test func `no answer in time is lost, and forgotten when it comes late`() async throws {
        let gate = Gate()
        let service = Answers { question in
            if question.kind == 2 { await gate.wait() }
            return question
        }
        try await withPair(service) { asker, address in
            let question = message(2, bulk: [1, 2, 3])
            #expect(await asker.failure(address, question, timeout: 20) == .lost)
            gate.open()
            let answer = try await asker.ask(address, message(1), timeoutMilliseconds: 60_000)
            #expect(answer.kind == 1)
        }
    }

    @Test func `questions to a peer that dies are lost, and it is found again`() async throws {
        let arrived = Gate()
        let silent = Answers { question in
            arrived.open()
            return await Answers.silence.answer(question)
        }
        let first = try await Node.start(Node.options(), silent)
        let asker = try await Node.start(Node.options(listen: ""), Answers.echo)
        async let lost = asker.network.failure(first.address)
        await arrived.wait()
        await first.network.stop()
        #expect(await lost == .lost)
        #expect(await asker.network.failure(first.address) == .unreachable)
        let again = try await Node.start(Node.options(listen: first.address), Answers.echo)
        var failures: Set<TransportError> = []
        while let failure = await asker.network.failure(first.address) {
            failures.insert(failure)
            await Task.yield()
        }
        #expect(failures.isSubset(of: [.unreachable]))
        await asker.network.stop()
        await again.network.stop()
    }

    @Test func `where nobody listens, a peer is unreachable`() async throws {
        let gone = try await Node.start(Node.options(), Answers.echo)
        await gone.network.stop()
        let asker = try await Node.start(Node.options(listen: ""), Answers.echo)
        for address in [gone.address, "", "no port", "127.0.0.1:99999", "::1:80"] {
            #expect(await asker.network.failure(address) == .unreachable)
            #expect(await asker.network.failure(address) == .unreachable)
        }
        await asker.network.stop()
        #expect(await asker.network.failure(gone.address) == .unreachable)
    }

    @Test func `more questions than a peer may have are not sent`() async throws {
        let arrived = Atomic<Int>(0)
        let full = Gate()
        let service = Answers { question in
            let count = arrived.wrappingAdd(1, ordering: .relaxed).newValue
            if count == Bounds.answersPerConnectionMax { full.open() }
            return await Answers.silence.answer(question)
        }
        try await withPair(service) { asker, address in
            await withTaskGroup(of: TransportError?.self) { group in
                for _ in 0..<Bounds.questionsPerLinkMax + 10 {
                    group.addTask { await asker.failure(address) }
                }
                for _ in 0..<10 { #expect(await group.next() == .some(.busy)) }
                await full.wait()
                #expect(arrived.load(ordering: .relaxed) == Bounds.answersPerConnectionMax)
                group.cancelAll()
                for await failure in group { #expect(failure == .cancelled) }
            }
        }
    }

    @Test func `more bytes than a peer may have unsent are not sent`() async throws {
        // Accepts and never reads: what the sockets' buffers do not take stays here.
        let deaf = try await DeafPeer.start()
        var asking = Node.options(listen: "")
        asking.helloTimeout = .hours(1)
        let asker = try await Node.start(asking, Answers.echo)
        let chunk = message(bulk: [UInt8](repeating: 1, count: 1 << 20))
        await withTaskGroup(of: TransportError?.self) { group in
            for _ in 0..<64 { group.addTask { await asker.network.failure(deaf.address, chunk) } }
            #expect(await group.next() == .some(.busy))
            group.cancelAll()
            for await failure in group { #expect(failure == .cancelled) }
        }
        await asker.network.stop()
        await deaf.stop()
    }

    @Test func `a stopped network answers no more and can be stopped again`() async throws {
        let node = try await Node.start(Node.options(), Answers.echo)
        await node.network.stop()
        await node.network.stop()
        #expect(await node.network.failure(node.address) == .unreachable)
        await #expect(throws: NetworkError.alreadyStarted) {
            try await node.network.start(service: Answers.echo)
        }
    }

    @Test func `what cannot be listened on says why`() async throws {
        let node = try await Node.start(Node.options(), Answers.echo)
        await #expect(throws: NetworkError.addressInUse) {
            _ = try await Node.start(Node.options(listen: node.address), Answers.echo)
        }
        for address in ["no port", "192.0.2.1:0", "::1:0"] {
            await #expect(throws: NetworkError.invalidAddress) {
                _ = try await Node.start(Node.options(listen: address), Answers.echo)
            }
        }
        #expect(throws: NetworkError.secretEmpty) {
            _ = try PeerNetwork(options: Node.options(secret: []))
        }
        await node.network.stop()
    }

    @Test func `a question is answered on the thread that read it`() async throws {
        let service = Answers { question in
            let isOnLoop = withUnsafeCurrentTask { $0?.unownedTaskExecutor != nil }
            return message(isOnLoop ? 1 : 0)
        }
        try await withPair(service) { asker, address in
            let answer = try await asker.ask(address, message(), timeoutMilliseconds: 60_000)
            #expect(answer.kind == 1)
        }
    }
}
