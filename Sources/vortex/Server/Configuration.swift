internal import ArgumentParser
internal import Glibc
internal import Logging
internal import VortexGateway

/// The server's settings from three places that say the same things: flags, the environment
/// (`VORTEX_HTTP` for `--http`), and a file of `name = value` lines. A flag wins over the
/// environment, the environment over the file, the file over the default.
struct Configuration: Equatable {
    /// Every setting: its name as in flags and file, and its default.
    static let settings: [(name: String, value: String?)] = [
        ("data", nil), ("http", "127.0.0.1:8080"), ("token-file", nil), ("auth", nil),
        ("s3-domain", ""), ("tls-cert", nil),
        ("tls-key", nil), ("trusted-proxy", ""), ("access-log", "common"),
        ("threads", nil), ("buffer-mib", "96"), ("reserve-mib", "256"),
        ("node", nil), ("secret-file", nil), ("join", nil), ("zone", ""), ("host", nil),
        ("log-level", "notice"),
    ]

    enum Failure: Error, Equatable, CustomStringConvertible {
        case missing(String)
        case unknown(String, line: Int)
        case malformedLine(Int)
        case invalid(name: String, value: String, expected: String)
        case unreadable(path: String, errno: Int32)
        case openBeyondLoopback(String)

        var description: String {
            switch self {
            case .missing(let name): "--\(name) is required."
            case .unknown(let name, let line): "Line \(line): there is no setting '\(name)'."
            case .malformedLine(let line): "Line \(line) is not 'name = value'."
            case .invalid(let name, let value, let expected):
                "--\(name) \(value): expected \(expected)."
            case .unreadable(let path, let errno):
                "\(path): \(String(cString: strerror(errno)))."
            case .openBeyondLoopback(let host):
                "Listening on \(host), beyond loopback, is not possible with --auth open: whoever "
                    + "reaches the port could read and delete everything."
            }
        }
    }

    var data: String
    var address: HTTPServerOptions.Address
    var token: [UInt8]?
    /// Whoever does not say who they are may do everything.
    var isOpen: Bool
    /// Hosts below it name buckets; nil: only paths do.
    var s3Domain: String?
    var certificate: String?
    var key: String?
    var trustedProxies: TrustedProxies
    var accessLog: AccessLog.Format
    var threads: Int
    var bufferBytes: Int
    var reserveBytes: UInt64
    /// How this node speaks to others; nil: it is a cluster of one that talks to nobody.
    var peer: Peer?
    var logLevel: Logger.Level

    struct Peer: Equatable {
        /// host:port, as the others reach it.
        var address: String
        var secretFile: String
        /// A member of the cluster to join; nil makes a new one.
        var join: String?
        var zone: String
        var host: String
    }

    /// Resolves the settings; `environment` gives the value of a variable.
    init(
        flags: [String: String], file: String?, environment: (String) -> String?
    ) throws(Failure) {
        let fromFile = try file.map(Self.parse) ?? [:]
        func value(_ name: String) -> String? {
            let variable =
                "VORTEX_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
            return flags[name] ?? environment(variable) ?? fromFile[name]
                ?? Self.settings.first { $0.name == name }?.value
        }
        guard let data = value("data"), !data.isEmpty else { throw .missing("data") }
        self.data = data
        address = try Self.address(value("http") ?? "")
        token = try value("token-file").map(Self.token)
        isOpen = try Self.isOpen(value("auth"), address, hasToken: token != nil)
        s3Domain = value("s3-domain").flatMap { $0.isEmpty ? nil : $0.lowercased() }
        certificate = try value("tls-cert").map(Self.text)
        key = try value("tls-key").map(Self.text)
        if certificate == nil, key != nil { throw .missing("tls-cert") }
        if key == nil, certificate != nil { throw .missing("tls-key") }
        let proxies = value("trusted-proxy") ?? ""
        guard let trustedProxies = TrustedProxies(proxies) else {
            throw .invalid(
                name: "trusted-proxy", value: proxies,
                expected: "addresses, networks or 'unix', separated by commas")
        }
        self.trustedProxies = trustedProxies
        let format = value("access-log") ?? ""
        guard let accessLog = AccessLog.Format(rawValue: format) else {
            throw .invalid(name: "access-log", value: format, expected: "off, common or json")
        }
        self.accessLog = accessLog
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        threads = try Self.number("threads", value("threads") ?? String(cores), 1...cores)
        bufferBytes =
            try Self.number("buffer-mib", value("buffer-mib") ?? "", 8...65_536) << 20
        reserveBytes =
            UInt64(try Self.number("reserve-mib", value("reserve-mib") ?? "", 0...1_048_576)) << 20
        let level = value("log-level") ?? ""
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw .invalid(
                name: "log-level", value: level,
                expected: "trace, debug, info, notice, warning, error or critical")
        }
        self.logLevel = logLevel
        peer = try Self.peer(value)
    }

    /// Without a word about it: open on loopback and on a Unix socket, unless there is a token.
    private static func isOpen(
        _ auth: String?, _ address: HTTPServerOptions.Address, hasToken: Bool
    ) throws(Failure) -> Bool {
        var farHost: String?
        if case .tcp(let host, _) = address, !isLoopback(host) { farHost = host }
        switch auth {
        case nil, "": return farHost == nil && !hasToken
        case "keys": return false
        case "open":
            if let farHost { throw .openBeyondLoopback(farHost) }
            guard !hasToken else { throw .missing("auth keys, with --token-file,") }
            return true
        case .some(let text): throw .invalid(name: "auth", value: text, expected: "open or keys")
        }
    }

    private static func peer(_ value: (String) -> String?) throws(Failure) -> Peer? {
        guard let node = value("node"), !node.isEmpty else {
            for name in ["join", "secret-file"] where value(name) != nil { throw .missing("node") }
            return nil
        }
        guard let secretFile = value("secret-file"), !secretFile.isEmpty else {
            throw .missing("secret-file")
        }
        try checkPeer("node", node)
        let join = value("join").flatMap { $0.isEmpty || $0 == node ? nil : $0 }
        if let join { try checkPeer("join", join) }
        let peer = Peer(
            address: node, secretFile: secretFile, join: join, zone: value("zone") ?? "",
            host: value("host") ?? hostName())
        for (name, text) in [("node", node), ("zone", peer.zone), ("host", peer.host)]
        where text.utf8.count > 255 {
            throw .invalid(name: name, value: text, expected: "at most 255 bytes")
        }
        return peer
    }

    private static func checkPeer(_ name: String, _ text: String) throws(Failure) {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            UInt16(text[text.index(after: colon)...]) ?? 0 > 0
        else { throw .invalid(name: name, value: text, expected: "HOST:PORT") }
    }

    private static func hostName() -> String {
        var name = [UInt8](repeating: 0, count: 256)
        let failure = name.withUnsafeMutableBytes {
            gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count - 1)
        }
        return failure == 0 ? String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) : ""
    }

    /// Lines of `name = value`; `#` begins a comment line.
    static func parse(_ text: String) throws(Failure) -> [String: String] {
        var values: [String: String] = [:]
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (place, line) in lines.enumerated() {
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else { throw .malformedLine(place + 1) }
            let name = trimmed(line[..<equals])
            guard settings.contains(where: { $0.name == name }) else {
                throw .unknown(name, line: place + 1)
            }
            values[name] = trimmed(line[line.index(after: equals)...])
        }
        return values
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var bytes = Array(text.utf8)[...]
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0d {
            bytes.removeLast()
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func address(_ text: String) throws(Failure) -> HTTPServerOptions.Address {
        if text.hasPrefix("unix:"), text.utf8.count > 5 {
            return .unix(path: String(text.dropFirst(5)))
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), colon > text.startIndex
        else { throw .invalid(name: "http", value: text, expected: "HOST:PORT or unix:PATH") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return .tcp(host: host, port: port)
    }

    /// Numbers and `localhost` only: a name that begins with 127. may lead anywhere.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        var address = in_addr()
        return host.hasPrefix("127.") && inet_pton(AF_INET, host, &address) == 1
    }

    private static func number(
        _ name: String, _ text: String, _ range: ClosedRange<Int>
    ) throws(Failure) -> Int {
        guard let value = Int(text), range.contains(value) else {
            throw .invalid(
                name: name, value: text,
                expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// The token: the file's first line.
    static func token(_ path: String) throws(Failure) -> [UInt8] {
        let line = try text(path).split(separator: "\n").first.map { trimmed($0) } ?? ""
        guard line.utf8.count >= 16 else {
            throw .invalid(
                name: "token-file", value: path, expected: "a first line of 16 characters or more")
        }
        return Array(line.utf8)
    }

    /// A small text file's content.
    static func text(_ path: String) throws(Failure) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress! + filled, $0.count - filled)
            }
            guard count >= 0 else { throw .unreadable(path: path, errno: errno) }
            if count == 0 { break }
            filled += count
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }
}
