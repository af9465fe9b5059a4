internal import VortexGateway

/// JSON as clients get it: from a server that they trust, but may not be the one that they mean.
extension JSONValue {
    private static let depthMax = 32
    /// A page of a thousand entries, each of a thousand values.
    private static let valuesMax = 1_000_000

    /// What the server sends, and what logs of it have.
    static func read(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
        try parse(bytes, depthMax: depthMax, valuesMax: valuesMax)
    }
}
