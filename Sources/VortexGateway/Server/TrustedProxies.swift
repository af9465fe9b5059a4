internal import Glibc

/// Which peers may say who their client was (`Forwarded`, RFC 7239, and `X-Forwarded-For`):
/// addresses of configured proxies, and `unix` for whoever connects by the Unix socket. Nobody else
/// is believed.
public struct TrustedProxies: Sendable, Equatable {
    private struct Network: Sendable, Equatable {
        var bytes: [UInt8]
        var bits: Int

        func contains(_ address: [UInt8]) -> Bool {
            guard address.count == bytes.count else { return false }
            for bit in 0..<bits {
                let mask = UInt8(0x80) >> UInt8(bit % 8)
                if address[bit / 8] & mask != bytes[bit / 8] & mask { return false }
            }
            return true
        }
    }
    private var networks: [Network] = []
    private var trustsUnixSocket = false

    public init() {}

    /// A list of addresses, networks (`10.0.0.0/8`, `fd00::/8`) and `unix`, separated by commas;
    /// nil where an item is none of these.
    public init?(_ list: String) {
        for item in list.split(separator: ",") {
            let text = String(item.filter { $0 != " " })
            if text == "unix" {
                trustsUnixSocket = true
                continue
            }
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard let bytes = Self.address(parts[0]) else { return nil }
            let bits = parts.count == 1 ? bytes.count * 8 : Int(parts[1]) ?? -1
            guard (0...bytes.count * 8).contains(bits) else { return nil }
            networks.append(Network(bytes: bytes, bits: bits))
        }
    }

    /// The client's address: the connection's peer or, where that is a trusted proxy, the nearest
    /// address before the trusted ones in the header.
    func client(peer: String, _ headers: HeaderFields) -> String {
        guard isTrusted(peer) else { return peer }
        var chain = headers.all("x-forwarded-for").flatMap { $0.split(separator: ",") }
            .map(String.init)
        if chain.isEmpty {
            chain = headers.all("forwarded").flatMap { $0.split(separator: ",") }
                .compactMap { Self.forwarded(String($0), "for") }
        }
        for hop in chain.reversed() {
            let name = Self.host(hop)
            guard Self.address(name) != nil else { return peer }
            if !isTrusted(name) { return name }
        }
        return peer
    }

    /// The host that the client asked a trusted proxy for (`X-Forwarded-Host`, or `host=` of the
    /// first element of `Forwarded`); nil where none is told.
    func host(peer: String, _ headers: HeaderFields) -> String? {
        guard isTrusted(peer) else { return nil }
        let told =
            headers.all("x-forwarded-host").first
            ?? headers.all("forwarded").first
            .flatMap { Self.forwarded(String($0.prefix { $0 != "," }), "host") }
        let bare = told?.prefix { $0 != "," }.filter { $0 != " " && $0 != "\"" }
        return bare.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether the client came to a trusted proxy by TLS (`X-Forwarded-Proto`, or `proto=` of the
    /// first element of `Forwarded`); nil where none tells.
    func isSecure(peer: String, _ headers: HeaderFields) -> Bool? {
        guard isTrusted(peer) else { return nil }
        let told =
            headers.all("x-forwarded-proto").first
            ?? headers.all("forwarded").first
            .flatMap { Self.forwarded(String($0.prefix { $0 != "," }), "proto") }
        return told.map { $0.filter { $0 != " " && $0 != "\"" }.lowercased() == "https" }
    }

    private func isTrusted(_ peer: String) -> Bool {
        if peer.isEmpty { return trustsUnixSocket }
        guard let address = Self.address(peer) else { return false }
        return networks.contains { $0.contains(address) }
    }

    /// The value of a parameter in one element of `Forwarded`.
    private static func forwarded(_ element: String, _ name: String) -> String? {
        for pair in element.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2, parts[0].filter({ $0 != " " }).lowercased() == name {
                return parts[1]
            }
        }
        return nil
    }

    /// An address without quotes, brackets and port.
    private static func host(_ text: String) -> String {
        let bare = text.filter { $0 != " " && $0 != "\"" }
        if bare.hasPrefix("["), let end = bare.firstIndex(of: "]") {
            return String(bare[bare.index(after: bare.startIndex)..<end])
        }
        let colons = bare.filter { $0 == ":" }.count
        return colons == 1 ? String(bare.prefix { $0 != ":" }) : bare
    }

    private static func address(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        return nil
    }
}
