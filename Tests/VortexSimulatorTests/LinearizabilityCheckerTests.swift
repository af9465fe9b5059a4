import Testing

@testable import VortexSimulator

private typealias Operation = RegisterOperation

private func put(
    _ value: String, _ start: UInt64, _ end: UInt64?, existed: Bool? = nil,
    match: Operation.Values? = nil, noneMatch: Operation.Values? = nil, failed: Bool = false
) -> Operation {
    Operation(
        client: 0, start: start, end: end ?? 0, action: .put(value),
        condition: .init(match: match, noneMatch: noneMatch),
        result: end == nil ? .unknown : failed ? .conditionFailed : .done(existed: existed))
}

private func delete(_ start: UInt64, _ end: UInt64?, existed: Bool? = nil) -> Operation {
    Operation(
        client: 0, start: start, end: end ?? 0, action: .delete,
        result: end == nil ? .unknown : .done(existed: existed))
}

private func read(_ value: String?, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(client: 0, start: start, end: end, action: .read, result: .found(value))
}

struct LinearizabilityCheckerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var history: [RegisterOperation]
    }

    static let good = [
        Case(testDescription: "nothing", history: []),
        Case(testDescription: "a read of nothing", history: [read(nil, 1, 2)]),
        Case(testDescription: "one after the other", history: [put("a", 1, 2), read("a", 3, 4)]),
        Case(
            testDescription: "a read during a put sees the old",
            history: [put("a", 1, 10), read(nil, 2, 3)]),
        Case(
            testDescription: "a read during a put sees the new",
            history: [put("a", 1, 10), read("a", 2, 3), read("a", 4, 5)]),
        Case(
            testDescription: "two puts at once, in either order",
            history: [put("a", 1, 10), put("b", 2, 9), read("a", 11, 12)]),
        Case(
            testDescription: "moments that are equal are concurrent",
            history: [put("a", 1, 5), read(nil, 5, 6)]),
        Case(
            testDescription: "an unknown put that never took effect",
            history: [put("a", 1, nil), read(nil, 2, 3), put("b", 4, 5), read("b", 6, 7)]),
        Case(
            testDescription: "an unknown put that takes effect late",
            history: [
                put("a", 1, nil), read(nil, 2, 3), put("b", 4, 5), read("b", 6, 7), read("a", 8, 9),
            ]),
        Case(
            testDescription: "an unknown delete that takes effect late",
            history: [put("b", 1, 2), delete(3, nil), read("b", 4, 5), read(nil, 6, 7)]),
        Case(
            testDescription: "an unknown put makes a condition fail",
            history: [put("a", 1, nil), put("b", 2, 3, noneMatch: .any, failed: true)]),
        Case(
            testDescription: "an unknown put in a chain of conditions",
            history: [
                put("a", 1, nil), put("b", 2, nil, match: .some(["a"])),
                put("c", 3, 4, match: .some(["b"])), read("c", 5, 6),
            ]),
        Case(
            testDescription: "a condition that names what is there",
            history: [put("a", 1, 2), put("b", 3, 4, existed: true, match: .some(["a"]))]),
        Case(
            testDescription: "the same content twice",
            history: [put("a", 1, 2), put("b", 3, 4), put("a", 5, 6), read("a", 7, 8)]),
        Case(
            testDescription: "a delete of nothing",
            history: [delete(1, 2, existed: false), put("a", 3, 4, existed: false)]),
    ]

    static let bad = [
        Case(testDescription: "a read of what nobody put", history: [read("a", 1, 2)]),
        Case(testDescription: "a lost put", history: [put("a", 1, 2), read(nil, 3, 4)]),
        Case(
            testDescription: "a stale read",
            history: [put("a", 1, 2), put("b", 3, 4), read("a", 5, 6)]),
        Case(
            testDescription: "new, then old, during one put",
            history: [put("a", 1, 10), read("a", 2, 3), read(nil, 4, 5)]),
        Case(
            testDescription: "a deleted value comes back",
            history: [put("a", 1, 2), delete(3, 4, existed: true), read("a", 5, 6)]),
        Case(
            testDescription: "two winners of one condition",
            history: [put("a", 1, 9, noneMatch: .any), put("b", 2, 8, noneMatch: .any)]),
        Case(
            testDescription: "a condition fails for no reason",
            history: [put("a", 1, 2, noneMatch: .any, failed: true)]),
        Case(
            testDescription: "a condition holds on what was replaced",
            history: [put("a", 1, 2), put("b", 3, 4), put("c", 5, 6, match: .some(["a"]))]),
        Case(
            testDescription: "an unknown put takes effect twice",
            history: [
                put("a", 1, nil), read("a", 2, 3), put("b", 4, 5), read("b", 6, 7), read("a", 8, 9),
            ]),
        Case(
            testDescription: "an unknown put takes effect before its start",
            history: [read("a", 1, 2), put("a", 3, nil)]),
        Case(
            testDescription: "created where something was",
            history: [put("a", 1, 2), put("b", 3, 4, existed: false)]),
        Case(
            testDescription: "two readers disagree about the order",
            history: [
                put("a", 1, 20), put("b", 1, 20), read("a", 2, 3), read("b", 4, 5), read("a", 6, 7),
            ]),
    ]

    @Test(arguments: good) func `what one order explains is linearizable`(_ table: Case) {
        #expect(LinearizabilityChecker.check(table.history) == .linearizable)
    }

    @Test(arguments: bad) func `what no order explains is not`(_ table: Case) {
        guard case .violated = LinearizabilityChecker.check(table.history) else {
            Issue.record("\(table.testDescription)")
            return
        }
    }

    /// All orders of a few operations, tried one by one.
    private func explains(_ rest: [RegisterOperation], _ value: String?) -> Bool {
        if rest.allSatisfy({ $0.isUnknown }) { return true }
        for (place, next) in rest.enumerated() {
            let isFirst = rest.allSatisfy { $0.isUnknown || next.start <= $0.end }
            guard isFirst, let after = next.effect(on: value) else { continue }
            var others = rest
            others.remove(at: place)
            if explains(others, after) { return true }
        }
        // An unknown one may never take effect.
        return rest.indices.contains { place in
            guard rest[place].isUnknown else { return false }
            var others = rest
            others.remove(at: place)
            return explains(others, value)
        }
    }

    @Test func `it agrees with the trial of all orders`() {
        let entropy = SimulatedEntropy(seed: 5)
        var violations = 0
        for _ in 0..<3_000 {
            let history = (0..<6).map { _ in random(entropy) }
            let verdict = LinearizabilityChecker.check(history)
            let isExplained = explains(history, nil)
            #expect((verdict == .linearizable) == isExplained, "\(history)")
            if !isExplained { violations += 1 }
        }
        #expect(violations > 300 && violations < 2_700)
    }

    private func random(_ entropy: SimulatedEntropy) -> RegisterOperation {
        let start = UInt64(entropy.below(12))
        let end = start + UInt64(1 + entropy.below(8))
        let value = ["a", "b", "c"][entropy.below(3)]
        return switch entropy.below(8) {
        case 0, 1: put(value, start, end)
        case 2: put(value, start, nil)
        case 3: put(value, start, end, match: .some(["a"]), failed: entropy.below(2) == 0)
        case 4: entropy.below(2) == 0 ? delete(start, end) : delete(start, nil)
        case 5: read(nil, start, end)
        default: read(value, start, end)
        }
    }
}
