/// What the promises of a quorum say together.
public struct Promises: Hashable, Sendable {
    /// The highest accepted ballot; `.none` where nothing was accepted.
    public var accepted: Ballot
    public var value: RegisterValue?
    /// Whether a quorum reports exactly that ballot.
    public var isAgreed: Bool
    /// The highest horizon.
    public var horizon: Ballot

    public init(accepted: Ballot, value: RegisterValue?, isAgreed: Bool, horizon: Ballot) {
        self.accepted = accepted
        self.value = value
        self.isAgreed = isAgreed
        self.horizon = horizon
    }

    /// Of several owners' promises, which are a quorum's.
    public init(
        _ promises: [(node: NodeID, accepted: Ballot, value: RegisterValue?, horizon: Ballot)],
        quorum: Quorum
    ) {
        var top: (accepted: Ballot, value: RegisterValue?) = (.none, nil)
        var horizon = Ballot.none
        for promise in promises {
            if promise.accepted > top.accepted { top = (promise.accepted, promise.value) }
            horizon = max(horizon, promise.horizon)
        }
        if quorum.omitted.contains(.highest), let first = promises.first {
            top = (first.accepted, first.value)
        }
        accepted = top.accepted
        value = top.value
        isAgreed = quorum.agreed(promises.map { ($0.node, $0.accepted) }) == top.accepted
        self.horizon = horizon
    }

    /// What a change that took effect was computed on.
    public func base(of change: ChangeID?) -> Ballot? {
        value?.past.first { $0.change == change }?.base
    }

    /// What a change computed on this has as its `base`.
    public var seen: Ballot { value == nil ? horizon : accepted }
}

/// A change and its attempts: register-protocol.md, "Nothing new" and "Again after an accept was
/// sent". The coordinator runs phase 1, asks `onPromises`, where told so computes the change on
/// what was found, asks `onComputed`, runs phase 2 where told so, and answers.
public struct Proposal: Hashable, Sendable {
    /// nil: a read that writes back.
    public let change: ChangeID?
    /// A change that writes even what is agreed (collecting, purging).
    public let isForced: Bool
    /// The lowest ballot at which our own value was sent: f.
    public private(set) var first: Ballot?
    private var omitted: Omissions = []

    public init(change: ChangeID?, isForced: Bool = false) {
        self.change = change
        self.isForced = isForced
    }

    package init(change: ChangeID?, isForced: Bool, omitted: Omissions) {
        self.init(change: change, isForced: isForced)
        self.omitted = omitted
    }

    /// Call before an `accept` with our own value leaves.
    public mutating func sends(_ value: RegisterValue, at ballot: Ballot) {
        if let change, value.change == change, first == nil { first = ballot }
    }

    public func onPromises(_ found: Promises) -> OnPromises {
        if let change, let value = found.value {
            if value.change == change { return .inEffect(writeBack(found)) }
            if omitted.contains(.retry) { return .compute }
            if first != nil, value.over.contains(where: { $0.change == change }) {
                return .inEffect(writeBack(found))
            }
        }
        guard let first, found.seen >= first, !omitted.contains(.retry) else { return .compute }
        // Made on something older than what we sent, or on a chain of changes that was: without it.
        if let value = found.value, value.past.contains(where: { $0.base < first }) {
            return .compute
        }
        return .unknown
    }

    public enum OnPromises: Hashable, Sendable {
        /// It took effect. The value, where there is one, must be written before that is said.
        case inEffect(RegisterValue?)
        /// It may have taken effect: never apply it again, never say that it failed.
        case unknown
        /// It is not in effect: compute it on what was found.
        case compute
    }

    private func writeBack(_ found: Promises) -> RegisterValue? {
        found.isAgreed ? nil : found.value
    }

    /// `new`: the value that the change computed, nil where it writes nothing (a failed condition,
    /// a delete of what is absent, a read).
    public func onComputed(_ new: RegisterValue?, on found: Promises) -> OnComputed {
        if let new { return .send(new) }
        let mustBury = first != nil && !omitted.contains(.bury)
        guard let value = found.value else {
            // What was sent may still surface, and nothing is there to write above it.
            return mustBury ? .unknown : .answer
        }
        // Written back: it was not chosen for sure, or something of ours must be buried under it.
        let mustSettle =
            !found.isAgreed && !omitted.contains(change == nil ? .writeBack : .settleRefusal)
        if mustSettle || mustBury || isForced { return .send(value) }
        return .answer
    }

    public enum OnComputed: Hashable, Sendable {
        case answer
        /// Phase 2 with this value; answer once a quorum has accepted.
        case send(RegisterValue)
        case unknown
    }
}
