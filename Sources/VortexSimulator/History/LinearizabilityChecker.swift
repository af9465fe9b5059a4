/// Whether the operations on one key can have taken effect one at a time, each at a moment between
/// its start and its end (Herlihy and Wing, 1990).
///
/// Walks through the history by time and keeps every configuration that is still possible: what the
/// key holds, and which operations have taken effect before their end was seen. An operation is put
/// in place when its end comes up at the latest (Lowe, "Testing for linearizability", 2017); then
/// all orders of the operations that are under way are tried, each configuration once (Wing and
/// Gong, 1993, with memory). An operation of unknown outcome never has to take effect: of two
/// configurations alike the one that has used fewer of them says all that the other says.
public struct LinearizabilityChecker {
    public enum Verdict: Equatable, Sendable {
        case linearizable
        /// No order explains the results up to this operation's end; what was possible before it,
        /// and what was under way.
        case violated(RegisterOperation, possible: [String?], concurrent: [RegisterOperation])
        /// Too many operations at once to try all orders.
        case undecided(RegisterOperation)
    }

    /// Configurations at one moment; more are not tried.
    static let configurationsMax = 200_000

    private struct Configuration: Hashable {
        var value: String?
        /// In effect, their ends not yet seen; ascending.
        var done: [Int]
        /// Of unknown outcome, in effect; ascending.
        var spent: [Int]
    }

    /// Configurations none of which says less than another that is there too.
    private struct Configurations {
        private struct Face: Hashable {
            var value: String?
            var done: [Int]
        }
        private var spentOf: [Face: [[Int]]] = [:]
        /// In the order in which they came; some are superseded.
        private var all: [Configuration] = []
        var added: Int { all.count }
        var isEmpty: Bool { all.isEmpty }

        /// False where it says nothing new.
        mutating func insert(_ configuration: Configuration) -> Bool {
            let face = Face(value: configuration.value, done: configuration.done)
            let known = spentOf[face] ?? []
            let spent = configuration.spent
            if known.contains(where: { isSubset($0, of: spent) }) { return false }
            spentOf[face] = known.filter { !isSubset(spent, of: $0) } + [spent]
            all.append(configuration)
            return true
        }

        var current: [Configuration] {
            all.filter { configuration in
                let face = Face(value: configuration.value, done: configuration.done)
                return spentOf[face]?.contains(configuration.spent) ?? false
            }
        }
    }

    private let operations: [RegisterOperation]
    private var configurations: [Configuration]
    /// Begun and not ended; ascending.
    private var pending: [Int] = []

    private init(_ operations: [RegisterOperation], initial: String?) {
        self.operations = operations
        configurations = [Configuration(value: initial, done: [], spent: [])]
    }

    /// `initial`: what the key held before the first operation.
    public static func check(
        _ history: [RegisterOperation], initial: String? = nil
    ) -> Verdict {
        var checker = LinearizabilityChecker(history, initial: initial)
        return checker.run()
    }

    private struct Event {
        var time: UInt64
        var isEnd: Bool
        var operation: Int
        func isBefore(_ other: Event) -> Bool {
            (time, isEnd ? 1 : 0, operation) < (other.time, other.isEnd ? 1 : 0, other.operation)
        }
    }

    private mutating func run() -> Verdict {
        var events: [Event] = []
        for (number, operation) in operations.enumerated() {
            events.append(Event(time: operation.start, isEnd: false, operation: number))
            guard !operation.isUnknown else { continue }
            events.append(Event(time: operation.end, isEnd: true, operation: number))
        }
        events.sort { $0.isBefore($1) }
        for event in events {
            guard event.isEnd else {
                begin(event.operation)
                continue
            }
            let before = configurations
            guard end(event.operation) else { return .undecided(operations[event.operation]) }
            guard configurations.isEmpty else { continue }
            var possible: [String?] = []
            for configuration in before where !possible.contains(configuration.value) {
                possible.append(configuration.value)
            }
            let others = pending.filter { $0 != event.operation }.map { operations[$0] }
            return .violated(
                operations[event.operation], possible: possible, concurrent: others)
        }
        return .linearizable
    }

    private mutating func begin(_ operation: Int) {
        pending.append(operation)
        pending.sort()
        guard operations[operation].isPure else { return }
        configurations = configurations.map { settle($0) }
    }

    /// What leaves the register as it is takes effect as soon as it can: nothing is lost by it.
    private func settle(_ configuration: Configuration) -> Configuration {
        var settled = configuration
        for number in pending where operations[number].isPure && !operations[number].isUnknown {
            guard !settled.done.contains(number),
                operations[number].effect(on: settled.value) != nil
            else { continue }
            settled.done.insertInOrder(number)
        }
        return settled
    }

    /// Every configuration in which the operation has taken effect; false where there are too many.
    private mutating func end(_ operation: Int) -> Bool {
        var ended = Configurations()
        var seen = Configurations()
        var open: [Configuration] = []
        for configuration in configurations where seen.insert(configuration) {
            open.append(configuration)
        }
        while let configuration = open.popLast() {
            guard seen.added < Self.configurationsMax else { return false }
            if let place = configuration.done.firstIndex(of: operation) {
                var after = configuration
                after.done.remove(at: place)
                _ = ended.insert(after)
                continue
            }
            for next in successors(of: configuration) where seen.insert(next) {
                open.append(next)
            }
        }
        configurations = ended.current
        pending.removeAll { $0 == operation }
        return true
    }

    /// One further operation takes effect.
    private func successors(of configuration: Configuration) -> [Configuration] {
        var next: [Configuration] = []
        for number in pending
        where !configuration.done.contains(number) && !configuration.spent.contains(number) {
            guard let value = operations[number].effect(on: configuration.value) else { continue }
            if operations[number].isUnknown, value == configuration.value { continue }
            var successor = configuration
            successor.value = value
            if operations[number].isUnknown {
                successor.spent.insertInOrder(number)
            } else {
                successor.done.insertInOrder(number)
            }
            next.append(settle(successor))
        }
        return next
    }
}

/// Of two ascending arrays.
private func isSubset(_ small: [Int], of large: [Int]) -> Bool {
    guard small.count <= large.count else { return false }
    var place = 0
    for number in small {
        while place < large.count, large[place] < number { place += 1 }
        guard place < large.count, large[place] == number else { return false }
        place += 1
    }
    return true
}

extension [Int] {
    fileprivate mutating func insertInOrder(_ number: Int) {
        insert(number, at: firstIndex { $0 > number } ?? count)
    }
}
