internal import OrderedCollections
internal import Synchronization

/// What all clients of a run did and heard, by key. Moments are numbers of their own, each used
/// once, so that what happened in one virtual instant is in order too.
final class History: Sendable {
    /// A key of a bucket, or, where `key` is empty, the bucket itself.
    struct Place: Hashable, Sendable, Comparable {
        var bucket: String
        var key: String
        static func < (left: Place, right: Place) -> Bool {
            (left.bucket, left.key) < (right.bucket, right.key)
        }
        /// What a bucket's own register holds while it exists.
        static let present = "present"
    }
    private struct State {
        var moment: UInt64 = 0
        var operations: OrderedDictionary<Place, [RegisterOperation]> = [:]
        /// Attempts of changes that were tried again.
        var behind: [Place: [RegisterOperation]] = [:]
        var contents: [String: Content] = [:]
        var versions = Versions()
    }
    private let state = Mutex(State())

    /// What is known of versions.
    func withVersions<Value: Sendable>(_ body: (inout Versions) -> Value) -> Value {
        state.withLock { body(&$0.versions) }
    }

    /// The next moment.
    func moment() -> UInt64 {
        state.withLock { state in
            state.moment += 1
            return state.moment
        }
    }

    var last: UInt64 { state.withLock { $0.moment } }

    func note(_ place: Place, _ operation: RegisterOperation) {
        state.withLock { $0.operations[place, default: []].append(operation) }
    }

    /// An attempt of unknown outcome of a change that ends now. It counts by itself only where its
    /// bucket may have been deleted meanwhile.
    func leaveBehind(_ place: Place, _ operation: RegisterOperation) {
        state.withLock { $0.behind[place, default: []].append(operation) }
    }

    /// A tag that some client may come to see, and the bytes behind it.
    func expect(_ content: Content, behind tag: String) {
        state.withLock { $0.contents[tag] = content }
    }

    func content(behind tag: String) -> Content? { state.withLock { $0.contents[tag] } }

    /// A tag that the key has, or may have had, for conditions.
    func lastTag(of place: Place) -> String? {
        state.withLock { state in
            for operation in (state.operations[place] ?? []).reversed() {
                if case .found(let value?) = operation.result { return value }
                if case .put(let value) = operation.action { return value }
            }
            return nil
        }
    }

    var count: Int { state.withLock { $0.operations.values.reduce(0) { $0 + $1.count } } }

    /// Why the history is not linearizable, key by key; empty where it is.
    /// `telling` takes the whole history of each key that has one.
    func violations(telling: ((String) -> Void)?) -> [String] {
        let (all, behind, sighted) = state.withLock {
            ($0.operations, $0.behind, $0.versions.sighted)
        }
        return all.keys.sorted().compactMap { place in
            let deletions = (all[Place(bucket: place.bucket, key: "")] ?? []).filter {
                $0.action == .delete && $0.result != .conditionFailed
            }
            let apart = (behind[place] ?? []).filter { attempt in
                deletions.contains { deletion in
                    deletion.start <= attempt.end
                        && (deletion.isUnknown || deletion.end >= attempt.start)
                }
            }
            var operations = (all[place] ?? []) + apart
            if let tag = sighted[place] {
                operations.append(contentsOf: Versions.unheard(tag, operations))
            }
            guard let reason = LinearizabilityChecker.check(operations).reason else { return nil }
            for operation in operations.sorted(by: { $0.start < $1.start }) {
                telling?("\(place.bucket)/\(place.key) \(operation)")
            }
            return "\(place.bucket)/\(place.key): \(reason)"
        }
    }
}

extension LinearizabilityChecker.Verdict {
    /// In words; nil where there is nothing wrong.
    public var reason: String? {
        switch self {
        case .linearizable: return nil
        case .undecided(let operation): return "too many at once, at \(operation)"
        case .violated(let operation, let possible, let concurrent):
            let values = possible.map { $0.map { RegisterOperation.short($0) } ?? "nothing" }
            var text = "no order explains [\(operation)]"
            text += "; possible before it: \(values.sorted().joined(separator: ", "))"
            for other in concurrent.suffix(8) { text += "; meanwhile [\(other)]" }
            return text
        }
    }
}
