import Synchronization
import Testing

@testable import VortexGateway

@Suite struct LoopThreadTests {
    private final class Record: Sendable {
        let woken = Mutex<[UInt64]>([])
        let count = Atomic<Int>(0)
    }

    @Test func `sleepers wake in the order of their deadlines`() {
        let loop = LoopThread()
        let record = Record()
        // However late the thread is, and whichever sleep began first.
        let start = SystemClock.monotonic()
        loop.wait {
            await withTaskGroup(of: Void.self) { group in
                for milliseconds: UInt64 in [30, 10, 20, 0] {
                    group.addTask {
                        do throws(CancellationError) {
                            try await loop.sleep(until: start + milliseconds * 1_000_000)
                        } catch { return }
                        record.woken.withLock { $0.append(milliseconds) }
                    }
                }
            }
        }
        #expect(record.woken.withLock { $0 } == [0, 10, 20, 30])
    }

    @Test func `sleepers that are due together wake in the order of their deadlines`() {
        let loop = LoopThread()
        let record = Record()
        loop.wait {
            await withTaskGroup(of: Void.self) { group in
                for deadline: UInt64 in [3, 1, 2, 0] {
                    group.addTask {
                        do throws(CancellationError) { try await loop.sleep(until: deadline) } catch
                        { return }
                        record.woken.withLock { $0.append(deadline) }
                    }
                }
            }
        }
        #expect(record.woken.withLock { $0 } == [0, 1, 2, 3])
    }

    @Test func `a cancelled sleep ends at once`() {
        let loop = LoopThread()
        let clock = SystemClock(loop: loop)
        let wasCancelled = loop.wait {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    do throws(CancellationError) {
                        try await clock.sleep(milliseconds: 3_600_000)
                    } catch { return true }
                    return false
                }
                group.cancelAll()
                return await group.next() ?? false
            }
        }
        #expect(wasCancelled)
    }

    @Test func `jobs from many threads all run`() {
        let loop = LoopThread()
        let record = Record()
        loop.wait {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10_000 { group.addTask { record.count.add(1, ordering: .relaxed) } }
            }
        }
        #expect(record.count.load(ordering: .relaxed) == 10_000)
    }
}
