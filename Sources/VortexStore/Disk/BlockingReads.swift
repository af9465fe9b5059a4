internal import CDisk
internal import Glibc
internal import VortexCore

/// Reads that would wait for the device, on threads that may: an event loop hands them over and
/// goes on with other requests.
///
/// The threads start with the first read and stay, idle, until the process ends. The queue is
/// bounded; a read that finds it full is made on the caller's own thread, which holds the caller
/// back.
///
/// `@unchecked Sendable`: the queue is touched only between `lock` and `unlock` of `mutex`, a POSIX
/// mutex because it goes with a condition.
final class BlockingReads: @unchecked Sendable {
    static let shared = BlockingReads()
    private static let threads = 4
    private static let queuedMax = 1_024
    private static let stackBytes = 256 << 10

    /// One read; `file` keeps the descriptor open until the answer is given.
    struct Order {
        let file: FileDiskFile
        let start: UInt
        let count: Int
        let offset: UInt64
        let answer: UnsafeContinuation<Result<Int, DiskError>, Never>

        func carryOut() {
            answer.resume(
                returning: file.readBlocking(address: start, count: count, at: offset))
        }
    }

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Order] = []
    private var head = 0
    private var started = false

    private init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        precondition(pthread_mutex_init(mutex, nil) == 0)
        precondition(pthread_cond_init(condition, nil) == 0)
    }

    func submit(_ order: Order) {
        pthread_mutex_lock(mutex)
        if !started {
            started = true
            start()
        }
        let accepted = queue.count - head < Self.queuedMax
        if accepted {
            queue.append(order)
            pthread_cond_signal(condition)
        }
        pthread_mutex_unlock(mutex)
        if !accepted { order.carryOut() }
    }

    private func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        for _ in 0..<Self.threads {
            var thread = pthread_t()
            let failure = pthread_create(
                &thread, &attributes,
                { _ in
                    while true { BlockingReads.shared.take().carryOut() }
                }, nil)
            precondition(failure == 0, "no thread for reads")
        }
        pthread_attr_destroy(&attributes)
    }

    private func take() -> Order {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while head == queue.count { pthread_cond_wait(condition, mutex) }
        let order = queue[head]
        head += 1
        if head == queue.count || head >= Self.queuedMax {
            queue.removeSubrange(..<head)
            head = 0
        }
        return order
    }
}
