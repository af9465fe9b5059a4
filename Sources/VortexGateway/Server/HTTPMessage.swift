public import VortexCluster

/// The header of a request in the order in which it came; names compare without regard to case.
public struct HeaderFields: Sendable, Sequence {
    public typealias Element = (name: String, value: String)
    private var fields: [Element]

    public init(_ fields: [Element]) { self.fields = fields }

    /// The first field of that name, which is given in lower case.
    public subscript(name: String) -> String? {
        for field in fields where Self.matches(field.name, name) { return field.value }
        return nil
    }

    public func all(_ name: String) -> [String] {
        var found: [String] = []
        visit(name) { found.append($0) }
        return found
    }

    /// The same without an array.
    func visit(_ name: String, _ body: (String) -> Void) {
        for field in fields where Self.matches(field.name, name) { body(field.value) }
    }

    public func makeIterator() -> IndexingIterator<[Element]> { fields.makeIterator() }

    private static func matches(_ name: String, _ lower: String) -> Bool {
        guard name.utf8.count == lower.utf8.count else { return false }
        var expected = lower.utf8.makeIterator()
        for byte in name.utf8 {
            guard let other = expected.next() else { return false }
            if byte == other { continue }
            guard (0x41...0x5a).contains(byte), byte | 0x20 == other else { return false }
        }
        return true
    }
}

public struct RequestHead: Sendable {
    public var method: String
    /// As it came: path and query, nothing decoded.
    public var target: String
    public var headers: HeaderFields
    /// Repeated in the response, in errors and in the access log.
    public var requestID: String

    public init(method: String, target: String, headers: HeaderFields, requestID: String) {
        self.method = method
        self.target = target
        self.headers = headers
        self.requestID = requestID
    }
}

/// The bytes of a response, asked for in order, as fast as the client takes them.
public protocol ContentStream: AnyObject, Sendable {
    /// Fills `buffer` from `offset` on; at least one byte. The buffer stays valid until it returns.
    /// A throw breaks the connection.
    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) async throws(ClusterError) -> Int
}

public struct Response: Sendable {
    public enum Content: Sendable {
        /// Nothing; for HEAD, with the length that GET would have sent.
        case empty(contentLength: UInt64?)
        case bytes([UInt8])
        case stream(length: UInt64, any ContentStream)
    }
    public var status: Int
    public var headers: [(String, String)]
    public var content: Content

    public init(
        status: Int, headers: [(String, String)] = [],
        content: Content = .empty(contentLength: nil)
    ) {
        self.status = status
        self.headers = headers
        self.content = content
    }
}

/// Answers requests; many at once. The body is read through the exchange, as it arrives.
public protocol RequestHandler: Sendable {
    func handle(_ exchange: Exchange) async -> Response
}
