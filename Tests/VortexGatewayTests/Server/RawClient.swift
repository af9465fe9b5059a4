import Glibc

/// A plain blocking socket to a server under test; a read that gets nothing for ten seconds fails.
final class RawClient {
    private let descriptor: Int32
    private var buffered: [UInt8] = []

    init(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let answer = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size)
            }
        }
        precondition(answer == 0, "no connection to the server under test")
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// False once the server has closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Closes with a reset instead of an orderly end.
    func resetOnClose() {
        var choice = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &choice, socklen_t(MemoryLayout<linger>.size))
    }

    /// Nil at the end of the stream, and after ten seconds without a byte.
    private func receive() -> [UInt8]? {
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &piece, piece.count, 0)
        return count > 0 ? Array(piece.prefix(count)) : nil
    }

    struct Answer: Equatable {
        var status: Int
        var body: [UInt8]
        var closes: Bool
        /// Fewer bytes came than Content-Length said.
        var isBroken: Bool
    }

    /// Reads one response; nil where the connection ended before its header did.
    func answer(to method: String = "GET") -> Answer? {
        var end = headEnd()
        while end == nil {
            guard let piece = receive() else { return nil }
            buffered += piece
            end = headEnd()
        }
        guard let end else { return nil }
        let lines = String(decoding: buffered[..<end], as: UTF8.self).split(separator: "\r\n")
        buffered.removeFirst(end + 4)
        let status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        func value(_ name: String) -> String? {
            lines.first { $0.lowercased().hasPrefix(name + ":") }.map {
                String($0.drop { $0 != ":" }.dropFirst().drop { $0 == " " })
            }
        }
        let hasNone = method == "HEAD" || status < 200 || status == 204
        let length = hasNone ? 0 : Int(value("content-length") ?? "") ?? 0
        while buffered.count < length, let piece = receive() { buffered += piece }
        let body = Array(buffered.prefix(length))
        buffered.removeFirst(body.count)
        return Answer(
            status: status, body: body, closes: value("connection")?.lowercased() == "close",
            isBroken: body.count < length)
    }

    /// The server has closed, and nothing more came.
    var isEnded: Bool {
        guard buffered.isEmpty else { return false }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        return count == 0 || (count < 0 && errno == ECONNRESET)
    }

    private func headEnd() -> Int? {
        guard buffered.count >= 4 else { return nil }
        return (0...buffered.count - 4).first {
            buffered[$0] == 13 && buffered[$0 + 1] == 10 && buffered[$0 + 2] == 13
                && buffered[$0 + 3] == 10
        }
    }
}
