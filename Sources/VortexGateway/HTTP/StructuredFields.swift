/// As much of structured fields (RFC 9651) as digest fields and `Upload-Complete` need: a
/// dictionary is parsed whole, so that what follows an unknown member is still found, and a
/// malformed one refused.
struct StructuredFields {
    enum Value: Hashable {
        case bytes([UInt8])
        case boolean(Bool)
        /// Numbers, strings, tokens, dates, inner lists: nothing of ours has one.
        case other
    }

    /// The members in order, a repeated key with its last value; nil for what is not a dictionary.
    static func dictionary(_ lines: [String]) -> [(key: [UInt8], value: Value)]? {
        var scanner = FieldScanner(lines: lines)
        var members: [(key: [UInt8], value: Value)] = []
        scanner.skipWhitespace()
        while !scanner.isAtEnd {
            guard let key = key(&scanner) else { return nil }
            var value = Value.boolean(true)
            if scanner.take("=") {
                guard let given = itemOrList(&scanner) else { return nil }
                value = given
            }
            guard parameters(&scanner) else { return nil }
            members.removeAll { $0.key == key }
            members.append((key, value))
            scanner.skipWhitespace()
            if scanner.isAtEnd { break }
            guard scanner.take(",") else { return nil }
            scanner.skipWhitespace()
            if scanner.isAtEnd { return nil }
        }
        return members
    }

    /// `?0` or `?1`, with parameters that nobody reads.
    static func boolean(_ text: String) -> Bool? {
        var scanner = FieldScanner(text)
        scanner.skipWhitespace()
        guard case .boolean(let value)? = bareItem(&scanner), parameters(&scanner) else {
            return nil
        }
        scanner.skipWhitespace()
        return scanner.isAtEnd ? value : nil
    }

    private static func key(_ scanner: inout FieldScanner) -> [UInt8]? {
        let start = scanner.peek.map { (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "*") }
        guard start == true else { return nil }
        return Array(
            scanner.take {
                (0x61...0x7a).contains($0) || isDigit($0) || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                    || $0 == UInt8(ascii: "*")
            })
    }

    private static func itemOrList(_ scanner: inout FieldScanner) -> Value? {
        guard scanner.take("(") else { return bareItem(&scanner) }
        while true {
            _ = scanner.take { $0 == 0x20 }
            if scanner.take(")") { return .other }
            guard bareItem(&scanner) != nil, parameters(&scanner) else { return nil }
            guard scanner.peek == 0x20 || scanner.peek == UInt8(ascii: ")") else { return nil }
        }
    }

    private static func parameters(_ scanner: inout FieldScanner) -> Bool {
        while scanner.take(";") {
            _ = scanner.take { $0 == 0x20 }
            guard key(&scanner) != nil else { return false }
            if scanner.take("="), bareItem(&scanner) == nil { return false }
        }
        return true
    }

    private static func bareItem(_ scanner: inout FieldScanner) -> Value? {
        guard let first = scanner.next() else { return nil }
        switch first {
        case UInt8(ascii: ":"):
            let text = scanner.take { $0 != UInt8(ascii: ":") }
            guard scanner.take(":") else { return nil }
            return Base64.decode(text).map { .bytes($0) }
        case UInt8(ascii: "?"):
            if scanner.take("1") { return .boolean(true) }
            return scanner.take("0") ? .boolean(false) : nil
        case UInt8(ascii: "\""):
            return string(&scanner)
        case UInt8(ascii: "@"), UInt8(ascii: "-"), 0x30...0x39:
            let rest = scanner.take { isDigit($0) || $0 == UInt8(ascii: ".") }
            return isDigit(first) || !rest.isEmpty ? .other : nil
        case 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "*"):
            _ = scanner.take {
                isTokenByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/")
            }
            return .other
        default:
            return nil
        }
    }

    private static func string(_ scanner: inout FieldScanner) -> Value? {
        while let byte = scanner.next() {
            switch byte {
            case UInt8(ascii: "\""): return .other
            case UInt8(ascii: "\\"):
                guard let escaped = scanner.next(),
                    escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { return nil }
            case 0x20...0x7e: continue
            default: return nil
            }
        }
        return nil
    }
}
