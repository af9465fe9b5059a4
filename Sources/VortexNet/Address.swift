internal import NIOCore

/// host:port, the host a name, an IPv4 address or an IPv6 address in brackets.
struct Address: Equatable, Sendable {
    var host: String
    var port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = Int(port)
    }
    /// What a connection takes without asking the resolver; nil for a name.
    var numeric: SocketAddress? {
        do { return try SocketAddress(ipAddress: host, port: port) } catch { return nil }
    }
}
