internal import Glibc

/// Makes the listening socket: TCP with the address reused, or a Unix socket whose stale file is
/// removed.
enum ListenSocket {
    static func open(_ address: HTTPServerOptions.Address) throws(ServerError) -> Int32 {
        switch address {
        case .tcp(let host, let port): try tcp(host, port)
        case .unix(let path): try unix(path)
        }
    }

    private static func tcp(_ host: String, _ port: UInt16) throws(ServerError) -> Int32 {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let info = found else {
            throw .address(host)
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(
            info.pointee.ai_family, info.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .socket(errno: errno) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else {
            return try fail(descriptor)
        }
        return try listening(descriptor)
    }

    private static func unix(_ path: String) throws(ServerError) -> Int32 {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else { throw .address(path) }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .socket(errno: errno) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isAlive = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size) == 0
            }
        }
        guard !isAlive else {
            errno = EADDRINUSE
            return try fail(descriptor)
        }
        if errno == ECONNREFUSED { unlink(path) }
        let isBound = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0
            }
        }
        guard isBound else { return try fail(descriptor) }
        return try listening(descriptor)
    }

    private static func listening(_ descriptor: Int32) throws(ServerError) -> Int32 {
        guard listen(descriptor, ServerLimits.listenBacklog) == 0 else {
            return try fail(descriptor)
        }
        return descriptor
    }

    private static func fail(_ descriptor: Int32) throws(ServerError) -> Int32 {
        let failure = errno
        close(descriptor)
        throw .socket(errno: failure)
    }

    /// The port that a socket was bound to, where zero was asked for.
    static func port(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            let answer = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &size)
            }
            guard answer == 0 else { return 0 }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_port.bigEndian
            }
        }
    }
}
