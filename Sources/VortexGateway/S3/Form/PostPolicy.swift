internal import VortexCore

/// What the maker of a form allows to whoever sends it: a JSON document, signed.
///
///     {"expiration": "2030-01-01T00:00:00Z", "conditions": [
///         {"bucket": "photos"}, ["starts-with", "$key", "2026/"],
///         ["eq", "$success_action_status", "201"], ["content-length-range", 0, 1048576]]}
///
/// Every field of the form must be in some condition, so that nobody adds one: all but those that
/// carry the policy itself, and those that begin with `x-ignore-`.
struct PostPolicy: Hashable, Sendable {
    enum Condition: Hashable, Sendable {
        case equals(field: String, value: String)
        case begins(field: String, prefix: String)
    }
    let expirationSeconds: Int64
    let conditions: [Condition]
    /// Of the file.
    let bytes: ClosedRange<UInt64>

    private static let depthMax = 4
    private static let valuesMax = 1_000
    private static let conditionsMax = 200
    private static let unconditioned: Set<String> = [
        "policy", "x-amz-signature", "file", "awsaccesskeyid", "signature",
    ]

    /// `text` is the field, base64.
    init(_ text: String) throws(S3Error) {
        guard let bytes = Base64.decode(text.utf8.filter { $0 > 0x20 }) else {
            throw Self.invalid("Not base64.")
        }
        let document: JSONValue
        do throws(JSONValue.Malformed) {
            document = try JSONValue.parse(
                bytes, depthMax: Self.depthMax, valuesMax: Self.valuesMax)
        } catch { throw Self.invalid("Not JSON, or too deep or too long.") }
        guard case .object(let members) = document else { throw Self.invalid("Not an object.") }
        var expiration: Int64?
        var given: [JSONValue]?
        for member in members {
            switch (member.name, member.value) {
            case ("expiration", .string(let text)): expiration = Self.seconds(text)
            case ("conditions", .array(let values)): given = values
            default: throw Self.invalid("Unexpected: '\(Self.shown(member.name))'")
            }
        }
        guard let expiration else { throw Self.invalid("Policy missing expiration.") }
        guard let given else { throw Self.invalid("Policy missing conditions.") }
        guard given.count <= Self.conditionsMax else { throw Self.invalid("Too many conditions.") }
        var conditions: [Condition] = []
        var range: ClosedRange<UInt64> = 0...S3Handler.bodyBytesMax
        for value in given {
            switch value {
            case .object(let members) where members.count == 1:
                guard let text = members[0].value.text else {
                    throw Self.invalid("A condition's value is no text.")
                }
                conditions.append(.equals(field: members[0].name.lowercased(), value: text))
            case .array(let parts) where parts.count == 3:
                if let other = try Self.range(parts) {
                    range = try Self.both(range, other)
                } else {
                    conditions.append(try Self.condition(parts))
                }
            default: throw Self.invalid("A condition is neither of its two forms.")
            }
        }
        expirationSeconds = expiration
        self.conditions = conditions
        self.bytes = range
    }

    private static func condition(_ parts: [JSONValue]) throws(S3Error) -> Condition {
        guard let kind = parts[0].text?.lowercased(), let name = parts[1].text,
            name.hasPrefix("$"), let value = parts[2].text
        else { throw invalid("A condition of three is [kind, $field, value].") }
        let field = name.dropFirst().lowercased()
        switch kind {
        case "eq": return .equals(field: field, value: value)
        case "starts-with": return .begins(field: field, prefix: value)
        default: throw invalid("Unknown kind of condition: '\(shown(kind))'")
        }
    }

    /// nil where it is a condition of another kind.
    private static func range(_ parts: [JSONValue]) throws(S3Error) -> ClosedRange<UInt64>? {
        guard parts[0].text?.lowercased() == "content-length-range" else { return nil }
        guard let least = parts[1].count, let most = parts[2].count, least <= most else {
            throw invalid("content-length-range has two numbers, the lower one first.")
        }
        return least...most
    }

    /// All of several must hold.
    private static func both(
        _ one: ClosedRange<UInt64>, _ other: ClosedRange<UInt64>
    ) throws(S3Error) -> ClosedRange<UInt64> {
        let least = max(one.lowerBound, other.lowerBound)
        let most = min(one.upperBound, other.upperBound)
        guard least <= most else { throw invalid("No file's length is in content-length-range.") }
        return least...most
    }

    /// `2030-01-01T00:00:00Z`, with fractions of a second or without.
    private static func seconds(_ text: String) -> Int64? {
        var scanner = FieldScanner(text)
        guard let year = scanner.takeDigits(4), scanner.take("-"),
            let month = scanner.takeDigits(2), scanner.take("-"),
            let day = scanner.takeDigits(2), scanner.take("T"),
            let hour = scanner.takeDigits(2), scanner.take(":"),
            let minute = scanner.takeDigits(2), scanner.take(":"),
            let second = scanner.takeDigits(2)
        else { return nil }
        if scanner.take("."), scanner.take(while: isDigit).isEmpty { return nil }
        guard scanner.take("Z"), scanner.isAtEnd else { return nil }
        return CivilTime(year: year, month: month, day: day, clock: (hour, minute, second))?
            .seconds
    }

    /// Whether the form is one that the policy allows, now. `fields` have the names in lower case,
    /// and the bucket among them.
    func check(_ fields: [HeaderFields.Element], nowSeconds: Int64) throws(S3Error) {
        guard nowSeconds < expirationSeconds else { throw Self.refused("Policy expired.") }
        for condition in conditions {
            let holds =
                switch condition {
                // By bytes: other spellings of the same characters are other keys.
                case .equals(let field, let value):
                    Self.value(field, fields).utf8.elementsEqual(value.utf8)
                case .begins(let field, let prefix):
                    Self.value(field, fields).utf8.starts(with: prefix.utf8)
                }
            guard holds else {
                throw Self.refused("Policy Condition failed: \(Self.shown(condition.text))")
            }
        }
        let covered = Set(conditions.map(\.field))
        for (name, _) in fields
        where !covered.contains(name) && !Self.unconditioned.contains(name)
            && !name.hasPrefix("x-ignore-")
        {
            throw Self.refused("Extra input fields: \(Self.shown(name))")
        }
    }

    private static func value(_ field: String, _ fields: [HeaderFields.Element]) -> String {
        fields.first { $0.name == field }?.value ?? ""
    }

    private static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? "\u{fffd}" : $0 }))
    }

    private static func invalid(_ why: String) -> S3Error {
        S3Error(.invalidPolicyDocument, "Invalid Policy: \(why)")
    }

    private static func refused(_ why: String) -> S3Error {
        S3Error(.accessDenied, "Invalid according to Policy: \(why)")
    }
}

extension PostPolicy.Condition {
    fileprivate var field: String {
        switch self {
        case .equals(let field, _), .begins(let field, _): field
        }
    }

    fileprivate var text: String {
        switch self {
        case .equals(let field, let value): "[\"eq\", \"$\(field)\", \"\(value)\"]"
        case .begins(let field, let prefix): "[\"starts-with\", \"$\(field)\", \"\(prefix)\"]"
        }
    }
}
