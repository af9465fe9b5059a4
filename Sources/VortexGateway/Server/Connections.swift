internal import CHttpd
internal import Glibc
internal import Synchronization

/// One connection's deadline. Whoever moves the connection on sets a new one; the reaper cuts what
/// is past its own.
final class ConnectionRecord: Sendable {
    let socket: Int32
    let peer: String
    /// With TLS nothing can be said past the library.
    private let isPlain: Bool
    /// Monotonic nanoseconds; zero while the connection waits for us and not for its client.
    private let deadline = Atomic<UInt64>(0)
    private let wasCut = Atomic<Bool>(false)
    /// The request whose body is on its way, and nothing of its answer.
    private let receiving = Mutex<String?>(nil)

    init(socket: Int32, peer: String, isPlain: Bool) {
        self.socket = socket
        self.peer = peer
        self.isPlain = isPlain
    }

    func expect(within seconds: UInt64) {
        deadline.store(SystemClock.monotonic() &+ seconds * 1_000_000_000, ordering: .relaxed)
    }
    /// The client's turn again, where it was ours.
    func expectAgain(within seconds: UInt64) {
        if deadline.load(ordering: .relaxed) == 0 { expect(within: seconds) }
    }
    func rest() { deadline.store(0, ordering: .relaxed) }
    func isLate(at now: UInt64) -> Bool {
        let limit = deadline.load(ordering: .relaxed)
        return limit != 0 && now > limit
    }
    /// A request's body is on its way: the client must not hang up.
    func expectBody(of requestID: String) { receiving.withLock { $0 = requestID } }
    /// It is over; the answer may go out.
    func endBody() { receiving.withLock { $0 = nil } }

    /// The client closed its side before its body was whole, and nothing of it is left to read.
    /// libmicrohttpd does not notice that where the end came while the connection was suspended.
    var hasHungUp: Bool {
        guard deadline.load(ordering: .relaxed) != 0, receiving.withLock({ $0 != nil }) else {
            return false
        }
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
    }
    func hangUp() { shutdown(socket, Int32(SHUT_RDWR)) }

    var isCut: Bool { wasCut.load(ordering: .relaxed) }
    func cut() {
        wasCut.store(true, ordering: .relaxed)
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Cuts a client that is too slow. libmicrohttpd cannot answer in the middle of a body, so the
    /// 408 goes past it: no byte of another answer is sent before `endBody`, which waits here.
    func timeOut() {
        receiving.withLock { requestID in
            if isPlain, let requestID {
                let answer = RequestTimeout.bytes(requestID: requestID)
                _ = send(socket, answer, answer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            cut()
        }
    }
}

/// The answer to a request whose body does not come, as it goes over the wire.
enum RequestTimeout {
    static func bytes(requestID: String) -> [UInt8] {
        let response = Problem(.requestTimeout, "The body did not come in time.")
            .response(requestID: requestID)
        var head = "HTTP/1.1 408 Request Timeout\r\n"
        for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
        guard case .bytes(let body) = response.content else {
            preconditionFailure("a problem has its content in memory")
        }
        head += "x-request-id: \(requestID)\r\nConnection: close\r\n"
        head += "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }
}

/// All open connections. A record is removed before its socket is closed, under the lock that the
/// reaper holds while it cuts: a reused descriptor is never shut.
final class Connections: Sendable {
    private let records = Mutex<[ObjectIdentifier: ConnectionRecord]>([:])
    private let cutCount = Atomic<UInt64>(0)

    var count: Int { records.withLock { $0.count } }
    var cut: UInt64 { cutCount.load(ordering: .relaxed) }

    func add(_ record: ConnectionRecord) {
        records.withLock { $0[ObjectIdentifier(record)] = record }
    }

    func remove(_ record: ConnectionRecord) {
        records.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(record)) }
    }

    /// Cuts every connection whose client is past its deadline, or has gone in the middle of a
    /// body.
    func reap() {
        let now = SystemClock.monotonic()
        records.withLock { records in
            for record in records.values {
                if record.isLate(at: now), !record.isCut {
                    record.timeOut()
                    cutCount.add(1, ordering: .relaxed)
                } else if record.hasHungUp {
                    record.hangUp()
                }
            }
        }
    }

    /// Cuts those that wait for their client's next request.
    func cutAll() {
        records.withLock { records in for record in records.values { record.cut() } }
    }
}

/// The other end's address as text; empty for a Unix socket.
func peerName(_ address: UnsafePointer<sockaddr>?) -> String {
    guard let address else { return "" }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    switch Int32(address.pointee.sa_family) {
    case AF_INET:
        address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            var host = $0.pointee.sin_addr
            inet_ntop(AF_INET, &host, &text, socklen_t(text.count))
        }
    case AF_INET6:
        address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
            var host = $0.pointee.sin6_addr
            inet_ntop(AF_INET6, &host, &text, socklen_t(text.count))
        }
    default: return ""
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
