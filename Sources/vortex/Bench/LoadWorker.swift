internal import Glibc
internal import VortexGateway

/// What every connection does, and for how long.
struct LoadPlan {
    enum Operation { case get, put, list }
    let operation: Operation
    let endpoint: Endpoint
    let connections: Int
    /// The target around the key's number; a target without a number has no `afterNumber`.
    let beforeNumber: [UInt8]
    let afterNumber: [UInt8]?
    let keySpace: UInt64
    /// From the target to the empty line.
    let headEnd: [UInt8]
    /// Of each PUT; lives as long as the process.
    let body: UnsafeRawBufferPointer
    /// On the monotonic clock.
    let deadlineNanoseconds: UInt64?
    /// Of all connections together.
    let requests: UInt64?
}

/// What came of it. `latencies` holds the requests that succeeded, `errors` counts the others.
struct LoadResult {
    var latencies = Latencies()
    var errors: UInt64 = 0
    var bodyBytes: UInt64 = 0
    var keys: UInt64 = 0
    var firstFailure: LoadFailure?

    mutating func add(_ other: LoadResult) {
        latencies.add(other.latencies)
        errors += other.errors
        bodyBytes += other.bodyBytes
        keys += other.keys
        firstFailure = firstFailure ?? other.firstFailure
    }
}

/// One connection and its thread. Nothing is allocated for a request: its head is written over the
/// last one's, its answer is received into the same 256 KiB again and again.
final class LoadWorker {
    private static let bufferBytes = 256 << 10
    /// A connection that fails this often in a row gives up: the server is not there.
    private static let failuresInARowMax = 16

    private let plan: LoadPlan
    private let number: UInt64
    private let buffer: UnsafeMutableRawBufferPointer
    private var head: [UInt8] = []
    /// The body of a page; the other bodies are not kept.
    private var page: [UInt8] = []
    private var after: [UInt8] = []
    private var sent: UInt64 = 0
    private(set) var result = LoadResult()

    init(plan: LoadPlan, number: Int) {
        self.plan = plan
        self.number = UInt64(number)
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 64)
        head.reserveCapacity(4_096)
    }
    deinit { buffer.deallocate() }

    /// Starts a thread per connection and waits for them all; the seconds that they took.
    static func run(_ plan: LoadPlan) -> (result: LoadResult, seconds: Double) {
        let workers = (0..<plan.connections).map { LoadWorker(plan: plan, number: $0) }
        let begin = SystemClock.monotonic()
        let threads = workers.map { worker in
            var thread = pthread_t()
            let context = Unmanaged.passRetained(worker).toOpaque()
            let failure = pthread_create(&thread, nil, loadWorkerMain, context)
            precondition(failure == 0, "no thread could be started")
            return thread
        }
        for thread in threads {
            let failure = pthread_join(thread, nil)
            precondition(failure == 0, "a thread that cannot be waited for")
        }
        let seconds = Double(SystemClock.monotonic() - begin) / 1e9
        var result = LoadResult()
        for worker in workers { result.add(worker.result) }
        return (result, seconds)
    }

    fileprivate func run() {
        var failuresInARow = 0
        while !isDone, failuresInARow < Self.failuresInARowMax {
            let before = result.latencies.count
            do throws(LoadFailure) {
                let socket = try LoadSocket(to: plan.endpoint)
                while !isDone, try exchange(over: socket) {}
            } catch {
                result.errors += 1
                result.firstFailure = result.firstFailure ?? error
                failuresInARow = result.latencies.count > before ? 1 : failuresInARow + 1
            }
        }
    }

    private var isDone: Bool {
        if let deadline = plan.deadlineNanoseconds { return SystemClock.monotonic() >= deadline }
        let connections = UInt64(plan.connections)
        if let all = plan.requests {
            return sent >= all / connections + (number < all % connections ? 1 : 0)
        }
        return sent > 0 && after.isEmpty
    }

    /// One request and its whole answer. False when the server will close the connection.
    private func exchange(over socket: borrowing LoadSocket) throws(LoadFailure) -> Bool {
        writeHead()
        sent += 1
        let begin = SystemClock.monotonic()
        do throws(LoadFailure) {
            try head.span.bytes.withUnsafeBytes { (head) throws(LoadFailure) in
                try socket.send(head, plan.body)
            }
        } catch {
            // A server that refuses a body answers before it closes.
            try receiveRefusal(over: socket, else: error)
        }
        let answer = try receive(over: socket)
        let nanoseconds = SystemClock.monotonic() - begin
        guard (200..<300).contains(answer.status) else {
            result.errors += 1
            result.firstFailure = result.firstFailure ?? .status(answer.status)
            after.removeAll(keepingCapacity: true)
            return !answer.closes
        }
        if plan.operation == .list { try turnPage() }
        result.latencies.record(nanoseconds)
        result.bodyBytes += UInt64(plan.operation == .put ? plan.body.count : answer.contentLength)
        return !answer.closes
    }

    private func receiveRefusal(
        over socket: borrowing LoadSocket, else failure: LoadFailure
    ) throws(LoadFailure) -> Never {
        let count: Int
        do throws(LoadFailure) { count = try socket.receive(into: buffer) } catch { throw failure }
        guard let answer = try LoadAnswer(parsing: received(count)) else { throw failure }
        throw .status(answer.status)
    }

    private func writeHead() {
        head.removeAll(keepingCapacity: true)
        head += plan.beforeNumber
        if plan.operation == .list {
            if !after.isEmpty {
                head += "&after=".utf8
                head += after
            }
        } else if let afterNumber = plan.afterNumber {
            append((number + sent * UInt64(plan.connections)) % plan.keySpace)
            head += afterNumber
        }
        head += plan.headEnd
    }
    private func append(_ number: UInt64) {
        let start = head.count
        var rest = number
        repeat {
            head.append(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        head[start...].reverse()
    }

    private func receive(over socket: borrowing LoadSocket) throws(LoadFailure) -> LoadAnswer {
        var count = 0
        while true {
            guard count < buffer.count else { throw .malformed }
            count += try socket.receive(into: .init(rebasing: buffer[count...]))
            guard let answer = try LoadAnswer(parsing: received(count)) else { continue }
            guard answer.status >= 200 else { throw .malformed }
            var rest = answer.contentLength - (count - answer.headBytes)
            guard rest >= 0 else { throw .malformed }
            let keeps = plan.operation == .list
            page.removeAll(keepingCapacity: true)
            if keeps { page += buffer[answer.headBytes..<count] }
            while rest > 0 {
                let piece = try socket.receive(into: buffer)
                if keeps { page += buffer[..<piece] }
                rest -= piece
            }
            guard rest == 0 else { throw .malformed }
            return answer
        }
    }
    private func received(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    /// After the last page the listing begins again.
    private func turnPage() throws(LoadFailure) {
        let body = self.page
        let page = try body.span.bytes.withUnsafeBytes { (bytes) throws(LoadFailure) in
            try ListPage(parsing: bytes)
        }
        result.keys += UInt64(page.keys)
        after = page.next ?? []
    }
}

private func loadWorkerMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its connection") }
    Unmanaged<LoadWorker>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
