/// What one client did with one key, and what it heard: an entry of a history.
///
/// A value is what identifies the content that a key holds: its entity tag. nil: there is nothing.
public struct RegisterOperation: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        case read
        case put(String)
        case delete
    }

    /// A set of values that a condition names.
    public enum Values: Hashable, Sendable {
        case any
        case some([String])

        func contains(_ value: String?) -> Bool {
            guard let value else { return false }
            switch self {
            case .any: return true
            case .some(let values): return values.contains(value)
            }
        }
    }

    /// If-Match and If-None-Match.
    public struct Condition: Hashable, Sendable {
        public var match: Values?
        public var noneMatch: Values?
        public init(match: Values? = nil, noneMatch: Values? = nil) {
            self.match = match
            self.noneMatch = noneMatch
        }
        func holds(for value: String?) -> Bool {
            if let match, !match.contains(value) { return false }
            if let noneMatch, noneMatch.contains(value) { return false }
            return true
        }
    }

    public enum Result: Hashable, Sendable {
        /// Of a read: what was there.
        case found(String?)
        /// Of a put or delete: it took effect, on something (true), on nothing (false), on what is
        /// not known (nil).
        case done(existed: Bool?)
        case conditionFailed
        /// It may take effect at any time after its start, or never.
        case unknown
    }

    public var client: Int
    public var start: UInt64
    /// Not looked at where the result is unknown. Equal moments are concurrent.
    public var end: UInt64
    public var action: Action
    public var condition: Condition
    public var result: Result

    public init(
        client: Int, start: UInt64, end: UInt64, action: Action,
        condition: Condition = Condition(), result: Result
    ) {
        self.client = client
        self.start = start
        self.end = end
        self.action = action
        self.condition = condition
        self.result = result
    }

    var isUnknown: Bool { result == .unknown }

    /// Leaves the register as it is, whatever it holds.
    var isPure: Bool {
        if case .found = result { return true }
        return result == .conditionFailed || action == .read
    }

    /// What the register holds after it took effect on `value`; nil where it cannot have.
    func effect(on value: String?) -> String?? {
        switch result {
        case .found(let found): return found == value ? .some(value) : nil
        case .conditionFailed: return condition.holds(for: value) ? nil : .some(value)
        case .done(let existed?) where existed != (value != nil): return nil
        case .done, .unknown: break
        }
        guard condition.holds(for: value) else { return nil }
        switch action {
        case .read: return .some(value)
        case .put(let new): return .some(new)
        case .delete: return .some(nil)
        }
    }
}

extension RegisterOperation: CustomStringConvertible {
    public var description: String {
        let time = isUnknown ? "\(start)-?" : "\(start)-\(end)"
        let what =
            switch action {
            case .read: "read"
            case .put(let value): "put \(Self.short(value))"
            case .delete: "delete"
            }
        var conditions = ""
        if let match = condition.match { conditions += " if-match \(Self.text(match))" }
        if let noneMatch = condition.noneMatch {
            conditions += " if-none-match \(Self.text(noneMatch))"
        }
        let answer =
            switch result {
            case .found(let value): value.map { Self.short($0) } ?? "nothing"
            case .done(let existed): existed.map { $0 ? "replaced" : "created" } ?? "done"
            case .conditionFailed: "condition failed"
            case .unknown: "unknown"
            }
        return "client \(client) \(time) \(what)\(conditions): \(answer)"
    }

    static func short(_ value: String) -> String { String(value.prefix(8)) }

    private static func text(_ values: Values) -> String {
        switch values {
        case .any: "*"
        case .some(let values): values.map { short($0) }.joined(separator: ",")
        }
    }
}
