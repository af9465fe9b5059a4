internal import VortexCore

/// The request target as the client sent it, taken apart by us: libmicrohttpd's own unescaping cuts
/// at `%00` and merges `%2F`.
///
///     /v1/objects/photos/2026//a%2Fb/../c?x=1
///     └ pieces ────────┘ └ key ─────────┘      2026//a/b/../c
///
/// Nothing is normalised away: the bytes of a key are the client's, `..`, `//` and a trailing slash
/// too. The path is split at its raw slashes first, and decoded after that.
public struct RequestTarget: Sendable, Hashable {
    /// Begins with a slash; not decoded.
    let path: [UInt8]
    public let query: Query

    /// origin-form, or the absolute-form that every server must accept (RFC 9112, 3.2.2).
    public init(_ raw: String) throws(RequestError) {
        var bytes = Array(raw.utf8)
        for byte in bytes where byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: "#") {
            throw .malformed(.target)
        }
        if bytes.first != UInt8(ascii: "/") { bytes = try Self.originForm(of: bytes) }
        if let mark = bytes.firstIndex(of: UInt8(ascii: "?")) {
            path = Array(bytes[..<mark])
            query = try Query(bytes[(mark + 1)...])
        } else {
            path = bytes
            query = Query()
        }
    }

    private static func originForm(of bytes: [UInt8]) throws(RequestError) -> [UInt8] {
        let head = bytes.prefix(8).map(lower)
        let schemeBytes: Int
        if head.starts(with: "http://".utf8) {
            schemeBytes = 7
        } else if head.starts(with: "https://".utf8) {
            schemeBytes = 8
        } else {
            throw .malformed(.target)
        }
        let rest = bytes[schemeBytes...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        guard end != rest.startIndex, !rest.isEmpty else { throw .malformed(.target) }
        guard let end else { return [UInt8(ascii: "/")] }
        return rest[end] == UInt8(ascii: "/")
            ? Array(rest[end...]) : [UInt8(ascii: "/")] + Array(rest[end...])
    }

    /// The path cut at its first `count - 1` slashes behind the leading one, each piece decoded;
    /// the last piece keeps all that follows. Nil where it has fewer pieces than `count`.
    public func pieces(_ count: Int) throws(RequestError) -> [[UInt8]]? {
        var pieces: [[UInt8]] = []
        var start = 1
        while pieces.count < count - 1 {
            guard let slash = path[start...].firstIndex(of: UInt8(ascii: "/")) else { return nil }
            pieces.append(try PercentCoding.decode(path[start..<slash], plusIsSpace: false))
            start = slash + 1
        }
        pieces.append(try PercentCoding.decode(path[start...], plusIsSpace: false))
        return pieces
    }

    /// How many pieces the path has at its raw slashes.
    public var pieceCount: Int { path.count { $0 == UInt8(ascii: "/") } }
}

/// The parameters behind the question mark, decoded as forms are: `+` is a space. A name may stand
/// there once only; what a repeated one would mean differs from server to server.
public struct Query: Sendable, Hashable {
    public struct Parameter: Sendable, Hashable {
        public var name: [UInt8]
        public var value: [UInt8]
    }
    public let parameters: [Parameter]

    public init() { parameters = [] }

    public init(_ raw: ArraySlice<UInt8>) throws(RequestError) {
        var parameters: [Parameter] = []
        for pair in raw.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try PercentCoding.decode(pair[..<equals], plusIsSpace: true)
            let value = try PercentCoding.decode(
                equals == pair.endIndex ? [] : pair[(equals + 1)...], plusIsSpace: true)
            guard !parameters.contains(where: { $0.name == name }) else { throw .duplicate(.query) }
            parameters.append(Parameter(name: name, value: value))
            guard parameters.count <= Self.parametersMax else { throw .tooLarge(.query) }
        }
        self.parameters = parameters
    }

    /// No route has more than five.
    static let parametersMax = 32

    public subscript(name: String) -> [UInt8]? {
        parameters.first { $0.name.elementsEqual(name.utf8) }?.value
    }

    /// Refuses what the route does not have: ignored, it would be a misunderstanding.
    public func allow(only names: [String]) throws(RequestError) {
        for parameter in parameters
        where !names.contains(where: { parameter.name.elementsEqual($0.utf8) }) {
            throw .unknownParameter
        }
    }

    /// The value as UTF-8 text.
    public func text(_ name: String, _ part: RequestPart) throws(RequestError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = String(validating: value, as: UTF8.self) else { throw .malformed(part) }
        return text
    }
}

/// RFC 3986, 2.1.
public enum PercentCoding {
    public static func decode(
        _ raw: ArraySlice<UInt8>, plusIsSpace: Bool
    ) throws(RequestError) -> [UInt8] {
        let percent = UInt8(ascii: "%")
        let plus = UInt8(ascii: "+")
        guard raw.contains(where: { $0 == percent || $0 == plus }) else { return Array(raw) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            let byte = raw[index]
            if byte == percent {
                guard raw.endIndex - index > 2, let high = Hex.digit(raw[index + 1]),
                    let low = Hex.digit(raw[index + 2])
                else { throw .malformed(.target) }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(byte == plus && plusIsSpace ? 0x20 : byte)
                index += 1
            }
        }
        return decoded
    }
}
