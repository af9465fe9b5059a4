internal import Glibc

/// Why a request of the load generator was not answered with success.
enum LoadFailure: Error {
    case connect(errno: Int32)
    case send(errno: Int32)
    case receive(errno: Int32)
    /// The server closed the connection before the answer was complete.
    case closed
    /// The answer is not HTTP/1.1 with a Content-Length, or more came than was announced.
    case malformed
    case status(Int)
}

/// Where the load goes: this machine, and nowhere else.
enum Endpoint {
    /// An address in 127.0.0.0/8, in network byte order.
    case ipv4(UInt32, port: UInt16)
    /// ::1
    case ipv6(port: UInt16)
    case unix(path: String)

    /// Bytes of `sockaddr_un.sun_path`, with its NUL.
    static let unixPathBytesMax = 108

    /// `http://127.0.0.1:7070`, `http://localhost:7070`, `http://[::1]:7070`; nil of all else.
    init?(url: String) {
        guard url.hasPrefix("http://") else { return nil }
        var authority = url.dropFirst("http://".count)
        if authority.hasSuffix("/") { authority.removeLast() }
        var port: UInt16 = 80
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else {
                return nil
            }
            port = number
            authority = authority[..<colon]
        }
        var address = in_addr()
        if authority == "[::1]" {
            self = .ipv6(port: port)
            return
        }
        let name = authority == "localhost" ? "127.0.0.1" : String(authority)
        if inet_pton(AF_INET, name, &address) == 1,
            UInt32(bigEndian: address.s_addr) >> 24 == 127
        {
            self = .ipv4(address.s_addr, port: port)
        } else {
            return nil
        }
    }
}

/// A blocking connection, closed with its owner.
struct LoadSocket: ~Copyable {
    /// A server that is silent for this long has failed.
    private static let silenceSecondsMax = 60

    private let descriptor: Int32

    init(to endpoint: Endpoint) throws(LoadFailure) {
        let family =
            switch endpoint {
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw .connect(errno: errno) }
        var patience = timeval(tv_sec: Self.silenceSecondsMax, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size) == 0,
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size) == 0
        else { throw .connect(errno: errno) }
        if family != AF_UNIX {
            var on: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            guard setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) == 0 else {
                throw .connect(errno: errno)
            }
        }
        guard Self.connect(descriptor, to: endpoint) == 0 else { throw .connect(errno: errno) }
    }

    deinit {
        // Nothing is lost with a connection; -1 is one that was never made.
        if descriptor >= 0 { close(descriptor) }
    }

    private static func connect(_ descriptor: Int32, to endpoint: Endpoint) -> Int32 {
        switch endpoint {
        case .ipv4(let address, let port):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = address
            return withUnsafeBytes(of: &name) { connect(descriptor, $0) }
        case .ipv6(let port):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            name.sin6_addr = in6addr_loopback
            return withUnsafeBytes(of: &name) { connect(descriptor, $0) }
        case .unix(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            precondition(path.utf8.count < Endpoint.unixPathBytesMax)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
            return withUnsafeBytes(of: &name) { connect(descriptor, $0) }
        }
    }
    private static func connect(_ descriptor: Int32, _ name: UnsafeRawBufferPointer) -> Int32 {
        Glibc.connect(
            descriptor, name.baseAddress?.assumingMemoryBound(to: sockaddr.self),
            socklen_t(name.count))
    }

    /// Sends all of both, in one call where the socket's buffer has room.
    func send(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer
    ) throws(LoadFailure) {
        var sent = 0
        while sent < head.count {
            var pieces = (
                iovec(iov_base: .init(mutating: head.baseAddress), iov_len: head.count),
                iovec(iov_base: .init(mutating: body.baseAddress), iov_len: body.count)
            )
            pieces.0.iov_base = pieces.0.iov_base.map { $0 + sent }
            pieces.0.iov_len -= sent
            let count = withUnsafePointer(to: &pieces) {
                $0.withMemoryRebound(to: iovec.self, capacity: 2) {
                    writev(descriptor, $0, body.isEmpty ? 1 : 2)
                }
            }
            if count < 0 {
                guard errno == EINTR else { throw .send(errno: errno) }
                continue
            }
            sent += count
        }
        while sent < head.count + body.count {
            let rest = UnsafeRawBufferPointer(rebasing: body[(sent - head.count)...])
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, 0)
            if count < 0 {
                guard errno == EINTR else { throw .send(errno: errno) }
                continue
            }
            sent += count
        }
    }

    /// At least one byte.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(LoadFailure) -> Int {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return count }
            if count == 0 { throw .closed }
            guard errno == EINTR else { throw .receive(errno: errno) }
        }
    }
}
