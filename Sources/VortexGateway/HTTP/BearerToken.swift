/// RFC 6750: the secret that every request carries where the server has one.
public struct BearerToken: Sendable {
    private let secret: [UInt8]

    public init(_ secret: [UInt8]) { self.secret = secret }

    /// Takes time that depends on the length of what was given, not on where it differs.
    public func admits(_ authorization: String?) -> Bool {
        guard let authorization else { return false }
        var scanner = FieldScanner(authorization)
        guard scanner.take(ignoringCase: "bearer "), !secret.isEmpty else { return false }
        scanner.skipWhitespace()
        var difference: UInt8 = 0
        var count = 0
        while let byte = scanner.next() {
            difference |= byte ^ secret[count % secret.count]
            count += 1
        }
        return difference == 0 && count == secret.count
    }
}
