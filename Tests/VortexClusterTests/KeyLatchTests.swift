import Testing
import VortexCore

@testable import VortexCluster

/// On the main actor: a task that waits has come to its place in the queue when another one runs.
@MainActor @Suite struct KeyLatchTests {
    private let latch = KeyLatch()
    private let key = RowKey(bucket: .zero, key: [1])

    private func queue(_ place: Int) async -> Task<KeyLatch.Turn, any Error> {
        let task = Task { try await latch.acquire(key) }
        while latch.waiting < place { await Task.yield() }
        return task
    }

    /// What holds before a request came is no answer to it: another gateway may have changed the
    /// row, and told so, in between.
    @Test func `what is seen is for those who waited before, and for nobody else`() async throws {
        #expect(try await !latch.acquire(key).hasWaited)
        let early = await [queue(1), queue(2)]
        let ticket = latch.lastTicket
        let late = await queue(3)
        var sight: KeyLatch.Sight? = KeyLatch.Sight(value: nil, ticketMax: ticket, generation: 7)
        for task in early {
            latch.release(key, leaving: sight)
            let turn = try await task.value
            #expect(turn.hasWaited && turn.sight?.generation == 7)
            sight = turn.sight
        }
        latch.release(key, leaving: sight)
        let turn = try await late.value
        #expect(turn.hasWaited && turn.sight == nil)
        latch.release(key)
        #expect(try await !latch.acquire(key).hasWaited)
    }

    @Test func `who is cancelled gets no turn, and hands none on`() async throws {
        try await latch.acquire(key)
        let first = await queue(1)
        let second = await queue(2)
        first.cancel()
        await #expect(throws: ClusterError.stopped) { try await first.value }
        latch.release(key)
        #expect(try await second.value.hasWaited)
        #expect(latch.waiting == 0)
    }
}
