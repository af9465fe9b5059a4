import Synchronization
import Testing

@testable import VortexSimulator

final class Recorder<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    var all: [Element] { elements.withLock { $0 } }
    func add(_ element: Element) { elements.withLock { $0.append(element) } }
}

struct SimulatedExecutorTests {
    @Test func `virtual time jumps to the next timer`() {
        let executor = SimulatedExecutor(seed: 1)
        let order = Recorder<UInt64>()
        executor.schedule(nanoseconds: 3_000_000_000_000) { order.add(3) }
        executor.schedule(nanoseconds: 1) { order.add(1) }
        let cancelled = executor.schedule(nanoseconds: 2) { order.add(2) }
        executor.cancel(cancelled)
        #expect(executor.run(stepsMax: 10) == .idle)
        #expect(order.all == [1, 3])
        #expect(executor.now == 3_000_000_000_000)
    }

    @Test func `a sleep ends at once where its task is cancelled`() {
        let executor = SimulatedExecutor(seed: 1)
        let slept = Recorder<Bool>()
        Task(executorPreference: executor) {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask { await executor.sleep(nanoseconds: 1_000_000_000) }
                group.addTask { await executor.sleep(nanoseconds: 10) }
                if let first = await group.next() { slept.add(first) }
                group.cancelAll()
                if let second = await group.next() { slept.add(second) }
            }
        }
        #expect(executor.run(stepsMax: 100) == .idle)
        #expect(slept.all == [true, false])
        #expect(executor.now == 10)
    }

    @Test func `what spins is stopped`() {
        let executor = SimulatedExecutor(seed: 1)
        let isOver = Recorder<Bool>()
        Task(executorPreference: executor) {
            while isOver.all.isEmpty { await Task.yield() }
        }
        #expect(executor.run(stepsMax: 1_000) == .stepLimit)
        isOver.add(true)
        #expect(executor.run(stepsMax: 1_000) == .idle)
    }

    @Test func `jobs that are ready together run in the seed's order`() {
        func order(seed: UInt64) -> [Int] {
            let executor = SimulatedExecutor(seed: seed)
            let order = Recorder<Int>()
            Task(executorPreference: executor) {
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask { order.add(number) }
                    }
                }
            }
            #expect(executor.run(stepsMax: 1_000) == .idle)
            return order.all
        }
        #expect(order(seed: 7) == order(seed: 7))
        #expect(Set((0..<20).map { order(seed: $0) }).count > 10)
    }
}
