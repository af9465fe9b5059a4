/// What an owner decides about one row: register-protocol.md, rules 4 to 9, as functions of values.
/// The caller reads the row, asks, makes durable what the decision says, and only then answers.
///
///              | no row                        | bare row          | accepted
///     prepare  | b > max(horizon, floor)       | b > promised, floor
///     accept   | b > max(horizon, floor)       | b >= promised, b > floor
///     install  | b > horizon                   | b > horizon       | b > accepted
///     purge    | no                            | no                | tombstone at exactly b
///     drop     | -                             | horizon rises     | no
public struct Acceptor: Hashable, Sendable {
    /// Of the partition: stands for the promise of every missing row.
    public var horizon: Ballot
    /// The ceiling as it stood at the node's last start: stands for every promise forgotten then.
    public var floor: Ballot
    /// Durable, above every ballot that this node has promised.
    public var ceiling: Ballot
    package var omitted: Omissions = []

    public init(horizon: Ballot, floor: Ballot, ceiling: Ballot) {
        self.horizon = horizon
        self.floor = floor
        self.ceiling = ceiling
    }

    /// A row at its owner. Bare while nothing was accepted: then `accepted` is `.none`.
    public struct Row: Hashable, Sendable {
        public var promised: Ballot
        public var accepted: Ballot
        public var isTombstone: Bool
        public init(promised: Ballot, accepted: Ballot, isTombstone: Bool) {
            self.promised = promised
            self.accepted = accepted
            self.isTombstone = isTombstone
        }
        public var isBare: Bool { accepted == .none }
    }

    /// Rule 4. `wallMilliseconds` is this node's clock.
    public func onPrepare(_ ballot: Ballot, row: Row?, wallMilliseconds: UInt64) -> OnPrepare {
        let promised = max(row?.promised ?? horizon, floor)
        guard ballot > promised || omitted.contains(.prepare) else { return .reject(promised) }
        let known = max(
            wallMilliseconds, HybridClock.milliseconds(of: ceiling.clock),
            HybridClock.milliseconds(of: row?.accepted.clock ?? 0))
        guard
            HybridClock.milliseconds(of: ballot.clock)
                <= known.saturatingAdd(Limits.clockLeadMilliseconds)
        else { return .tooFarAhead }
        guard ballot > ceiling else { return .promise }
        let raised = HybridClock.milliseconds(of: ballot.clock) + Limits.ceilingLeadMilliseconds
        return .raiseCeiling(
            Ballot(clock: raised << 16, node: NodeID(0), boot: 0))
    }

    public enum OnPrepare: Hashable, Sendable {
        /// At or below what was promised: the coordinator comes again above this.
        case reject(Ballot)
        /// A clock that runs ahead must not drag everyone's ballots along.
        case tooFarAhead
        case promise
        /// Make this ceiling durable, then ask again.
        case raiseCeiling(Ballot)
    }

    /// Rule 5; bodies that live with the row are the caller's to check.
    public func onAccept(_ ballot: Ballot, row: Row?) -> OnAccept {
        guard let row else {
            let least = omitted.contains(.acceptHorizon) ? floor : max(horizon, floor)
            return ballot > least ? .accept(promised: ballot) : .reject(least)
        }
        if ballot < row.promised, !omitted.contains(.promise) {
            return .reject(max(row.promised, floor))
        }
        if ballot <= floor { return .reject(floor) }
        return .accept(promised: max(row.promised, ballot))
    }

    public enum OnAccept: Hashable, Sendable {
        case reject(Ballot)
        case accept(promised: Ballot)
    }

    /// Rule 7: chosen values only, from sync or anti-entropy.
    public func onInstall(_ ballot: Ballot, row: Row?) -> OnInstall {
        if let row, !row.isBare, ballot <= row.accepted, !omitted.contains(.installNewer) {
            return .isThere
        }
        let isEmpty = row == nil || row?.isBare == true && !omitted.contains(.installEmpty)
        if isEmpty, ballot <= horizon, !omitted.contains(.installHorizon) { return .refused }
        return .install(promised: max(row?.promised ?? .none, ballot))
    }

    public enum OnInstall: Hashable, Sendable {
        /// The row holds this or something newer.
        case isThere
        case refused
        case install(promised: Ballot)
    }

    /// Rule 8, in a stable partition.
    public func onPurge(_ ballot: Ballot, row: Row?) -> OnPurge {
        guard let row, row.isTombstone, !row.isBare,
            row.accepted == ballot || omitted.contains(.purgeBallot)
        else { return .nothing }
        if omitted.contains(.horizon) { return .purge(horizon: horizon) }
        let promised = omitted.contains(.horizonPromise) ? ballot : row.promised
        return .purge(horizon: max(horizon, promised))
    }

    public enum OnPurge: Hashable, Sendable {
        case nothing
        /// Remove the row and raise the horizon, in one durable step.
        case purge(horizon: Ballot)
    }

    /// Rule 9: the horizon after a bare row was dropped; nil where the row must stay.
    public func onDrop(_ row: Row) -> Ballot? {
        guard row.isBare else { return nil }
        return omitted.contains(.dropHorizon) ? horizon : max(horizon, row.promised)
    }
}

extension UInt64 {
    func saturatingAdd(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
