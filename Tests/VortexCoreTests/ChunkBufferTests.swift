import Synchronization
import Testing
import VortexCore

struct ChunkBufferTests {
    @Test func `a buffer takes what fits and says how much`() async {
        let pool = BufferPool(limitBytes: 10)
        let buffer = await pool.take(4)
        let taken = [UInt8](1...6).withUnsafeBytes { buffer.append($0) }
        #expect(taken == 4)
        #expect(buffer.isFull)
        #expect(Array(buffer.bytes) == [1, 2, 3, 4])
        #expect(buffer.unfilled.count == 0)
    }

    @Test func `the part advanced over counts as filled`() {
        let buffer = ChunkBuffer(copying: [1, 2, 3])
        #expect(Array(buffer.bytes) == [1, 2, 3])
        #expect(buffer.isFull)
        #expect(ChunkBuffer(copying: []).bytes.isEmpty)
    }

    @Test func `bytes return to the pool with the last reference`() async {
        let pool = BufferPool(limitBytes: 10)
        do {
            let buffer = await pool.take(7)
            #expect(pool.usedBytes == 7)
            _ = buffer.count
        }
        #expect(pool.usedBytes == 0)
    }

    /// Holds buffers until told to drop them.
    private final class Holder: Sendable {
        private let held = Mutex<[ChunkBuffer]>([])
        let order = Mutex<[Int]>([])
        let mostUsed = Mutex(0)
        func hold(_ buffer: ChunkBuffer) { held.withLock { $0.append(buffer) } }
        func drop() { held.withLock { $0.removeAll() } }
    }

    @Test func `whoever came first is served first, also where a later one would fit`() async {
        let pool = BufferPool(limitBytes: 10)
        let holder = Holder()
        holder.hold(await pool.take(6))
        await withTaskGroup(of: Void.self) { group in
            // 8 does not fit beside 6, and 2 would, but it came later.
            for (number, capacity) in [8, 2].enumerated() {
                group.addTask {
                    let buffer = await pool.take(capacity)
                    holder.order.withLock { $0.append(number) }
                    withExtendedLifetime(buffer) {}
                }
                while pool.waiting <= number { await Task.yield() }
            }
            #expect(pool.usedBytes == 6)
            #expect(holder.order.withLock { $0 } == [])
            holder.drop()
        }
        #expect(holder.order.withLock { $0.sorted() } == [0, 1])
        #expect(pool.usedBytes == 0)
    }

    @Test func `the limit holds and everyone is served, however many come`() async {
        let pool = BufferPool(limitBytes: 100)
        let holder = Holder()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let buffer = await pool.take(1 + number * 37 % 100)
                    holder.mostUsed.withLock { $0 = max($0, pool.usedBytes) }
                    await Task.yield()
                    withExtendedLifetime(buffer) {}
                }
            }
        }
        #expect(holder.mostUsed.withLock { $0 } <= 100)
        #expect(pool.usedBytes == 0)
        #expect(pool.waiting == 0)
    }
}
