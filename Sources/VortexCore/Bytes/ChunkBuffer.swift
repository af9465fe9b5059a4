internal import Glibc
internal import Synchronization

/// Memory for one chunk, filled once, read by everyone after that: from the client's socket into
/// here, from here into the journal. Gives its bytes back to the pool when the last reference goes.
///
/// Unchecked: one task fills it (`append`), and only then shares it.
public final class ChunkBuffer: @unchecked Sendable {
    public let capacity: Int
    public private(set) var count = 0
    private let base: UnsafeMutableRawPointer
    private let pool: BufferPool?

    fileprivate init(capacity: Int, pool: BufferPool?, memory: SpareMemory? = nil) {
        self.capacity = capacity
        self.pool = pool
        base =
            memory?.start
            ?? UnsafeMutableRawPointer.allocate(byteCount: max(capacity, 1), alignment: 4096)
    }

    /// An empty buffer of no pool.
    public convenience init(capacity: Int) { self.init(capacity: capacity, pool: nil) }

    /// A buffer of no pool, with these bytes.
    public convenience init(copying bytes: [UInt8]) {
        self.init(capacity: bytes.count, pool: nil)
        bytes.withUnsafeBytes { _ = append($0) }
    }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    public var isFull: Bool { count == capacity }
    /// The part not yet filled; `advance` tells how much of it was.
    public var unfilled: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    }
    public func advance(by filled: Int) {
        precondition(filled >= 0 && filled <= capacity - count)
        count += filled
    }

    /// Takes what fits and returns how much that was.
    public func append(_ source: UnsafeRawBufferPointer) -> Int {
        let taken = min(source.count, capacity - count)
        if taken > 0 { memcpy(base + count, source.baseAddress!, taken) }
        count += taken
        return taken
    }

    deinit {
        guard let pool else { return base.deallocate() }
        pool.give(back: capacity, SpareMemory(start: base))
    }
}

/// A whole chunk's memory that nobody uses.
///
/// Unchecked: it has one holder at a time.
private struct SpareMemory: @unchecked Sendable {
    var start: UnsafeMutableRawPointer
}

/// Bounds the memory of all bodies in flight together. A request takes a whole chunk's room before
/// it reads the chunk's first byte, and never waits for more while it holds a part: so no two
/// requests can wait for each other.
public final class BufferPool: Sendable {
    private struct Waiter {
        var capacity: Int
        var wake: CheckedContinuation<Void, Never>
    }
    private struct State {
        var availableBytes: Int
        var waiters: [Waiter] = []
        /// Whole chunks, kept: fresh memory costs a page fault for every 4 KiB.
        var spares: [SpareMemory] = []
    }
    private static let sparesMax = 8
    private let state: Mutex<State>
    public let limitBytes: Int

    public init(limitBytes: Int) {
        self.limitBytes = limitBytes
        state = Mutex(State(availableBytes: limitBytes))
    }

    public var usedBytes: Int { limitBytes - state.withLock { $0.availableBytes } }
    public var waiting: Int { state.withLock { $0.waiters.count } }

    /// Waits, first come first served, until there is room. `capacity` is at most the limit.
    public func take(_ capacity: Int) async -> ChunkBuffer {
        precondition(capacity <= limitBytes)
        if !takeNow(capacity) {
            await withCheckedContinuation { wake in
                let granted = state.withLock { state in
                    if state.waiters.isEmpty, state.availableBytes >= capacity {
                        state.availableBytes -= capacity
                        return true
                    }
                    state.waiters.append(Waiter(capacity: capacity, wake: wake))
                    return false
                }
                if granted { wake.resume() }
            }
        }
        return granted(capacity)
    }

    /// A buffer where there is room and nobody waits, nil otherwise; never waits.
    public func takeIfRoom(_ capacity: Int) -> ChunkBuffer? {
        takeNow(capacity) ? granted(capacity) : nil
    }

    private func granted(_ capacity: Int) -> ChunkBuffer {
        guard capacity == Limits.chunkBytes else {
            return ChunkBuffer(capacity: capacity, pool: self)
        }
        let spare = state.withLock { $0.spares.popLast() }
        return ChunkBuffer(capacity: capacity, pool: self, memory: spare)
    }

    private func takeNow(_ capacity: Int) -> Bool {
        state.withLock { state in
            guard state.waiters.isEmpty, state.availableBytes >= capacity else { return false }
            state.availableBytes -= capacity
            return true
        }
    }

    fileprivate func give(back capacity: Int, _ memory: SpareMemory) {
        let (isKept, woken) = state.withLock { state in
            state.availableBytes += capacity
            let isKept = capacity == Limits.chunkBytes && state.spares.count < Self.sparesMax
            if isKept { state.spares.append(memory) }
            var woken: [CheckedContinuation<Void, Never>] = []
            while let first = state.waiters.first, first.capacity <= state.availableBytes {
                state.availableBytes -= first.capacity
                woken.append(first.wake)
                state.waiters.removeFirst()
            }
            return (isKept, woken)
        }
        if !isKept { memory.start.deallocate() }
        for wake in woken { wake.resume() }
    }

    deinit {
        for spare in state.withLock({ $0.spares }) { spare.start.deallocate() }
    }
}
