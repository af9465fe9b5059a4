/// The rules that keep data safe, one by one, so that a test can leave one out of the production
/// code and show the schedule that goes wrong without it. docs/rules.md has the table: where each
/// rule lives, and which test catches its absence.
///
/// A rule says at its place that it may be left out:
///
///     guard ballot > promised || omitted.contains(.prepare) else { return .reject(promised) }
///
/// Of this package alone, and set by nothing but tests: no option of a command, no variable of the
/// environment, nothing in the public interface leads here.

/// The names and words are those of ../shared/model (register_model.py, body_model.py).
package enum Rule: UInt8, CaseIterable, Sendable {
    // register-protocol.md, Rules of an owner.
    /// 1: an older epoch is refused.
    case stale
    /// 1: the epoch survives a restart.
    case durableEpoch
    /// 3: rows are dropped where `since` differs.
    case since
    /// 3: `previous` counts as owning.
    case sincePrevious
    /// 4: prepare is refused at or below the promise.
    case prepare
    /// 4: after a restart, nothing at or below the ceiling.
    case ceiling
    /// 5: accept is refused below the promise.
    case promise
    /// 5: where there is no row, accept is refused at or below the horizon.
    case acceptHorizon
    /// 7: install only above the accepted ballot.
    case installNewer
    /// 7: install only above the horizon.
    case installHorizon
    /// 7: also where a row holds only a promise.
    case installEmpty
    /// 7: only chosen values are installed by repair.
    case installChosen
    /// 8: every owner must hold the tombstone.
    case purgeAll
    /// 8: only the ballot named is purged.
    case purgeBallot
    /// 8: nothing is purged while the partition migrates.
    case purgeStable
    /// 8: a purge raises the horizon.
    case horizon
    /// 8: to the promise of the row.
    case horizonPromise
    /// 8: the horizon survives a restart.
    case durableHorizon
    /// 9: dropping a bare promise raises the horizon too.
    case dropHorizon

    // Quorums.
    /// Migrating: a majority of `owners`.
    case jointOwners
    /// Migrating: a majority of `previous`.
    case jointPrevious
    /// Both phases of an attempt at one epoch.
    case oneEpoch

    // Operations.
    /// No ballot is used twice, across restarts too.
    case uniqueBallot
    /// Phase 1 takes the highest accepted.
    case highest
    /// No second application after a sent accept.
    case retry
    /// And no answer that changes nothing before phase 2.
    case bury
    /// "Condition failed" only on a chosen value.
    case settleRefusal
    /// A read writes back what is not agreed.
    case writeBack
    /// The read in one round trip needs one ballot at a quorum.
    case fastAgree

    // Owner changes.
    /// A source answers at the joint epoch only.
    case syncFence
    /// A majority of `previous` is asked.
    case syncMajority
    /// What they do not agree on is written back.
    case syncSettle
    /// The own row counts too.
    case syncOwn
    /// A refused install is written back.
    case syncRefused
    /// Owners that stay sync too.
    case syncStay
    /// The horizon is taken over.
    case syncHorizon
    /// Synced counts for that joint epoch only.
    case syncExact
    /// Every owner is synced first.
    case allSynced
    /// Another joint epoch keeps `previous`.
    case samePrevious

    // object-protocol.md: bodies.
    /// A change names the upload before the first chunk is sent.
    case nameFirst
    /// Commit only where phase 1 still finds the open upload.
    case commitChecks
    /// Every chunk is at a majority before the commit.
    case chunkQuorum
    /// A copy counts only on an owner.
    case ownerCounts
    /// At the partition epoch of the request.
    case chunkFence
    /// An owner accepts only with every body that lives with the row.
    case missing
    /// Sync brings the bodies that live with the row.
    case syncBodies

    // Strays.
    /// A stray is dropped only when all current owners have it.
    case strayAll
    /// At the current partition epoch.
    case strayEpoch
    /// Owners of a joint epoch that never became final are sources.
    case fallbackSource
    /// Former owners are sources; reads try them.
    case sources
    /// Empty counts for this very epoch only.
    case emptyEpoch
    /// A source leaves the list only when it is empty.
    case emptyTrue
    /// A read that finds nothing learns the newest layout and tries again.
    case readLayout
    /// And asks the owners once more.
    case readAgain

    // Collecting and uploads.
    /// Collection asks the row.
    case collectRow
    /// By a change that writes.
    case collectWrites
    /// In the order in which names move: part, upload, object.
    case collectOrder
    /// Abort is refused once completing.
    case abortRefused
    /// Whoever finds it completing finishes it.
    case finish
    /// The object's row lists the upload from its start; completing replaces the entry.
    case multiEntry
    /// The entry goes otherwise only once the upload's row says aborted.
    case entryStays
    /// A part's row goes on naming its bodies until the upload is over.
    case partKeeps
    /// Part rows of uploads that are over are removed.
    case partOrphan
    /// Done only after the version is chosen.
    case doneLast
}

/// Rules left out; none in production.
package struct Omissions: Hashable, Sendable, ExpressibleByArrayLiteral {
    private var bits: UInt128 = 0

    package init(arrayLiteral rules: Rule...) {
        for rule in rules { bits |= 1 << UInt128(rule.rawValue) }
    }

    package var all: [Rule] { Rule.allCases.filter(contains) }

    package func contains(_ rule: Rule) -> Bool { bits >> UInt128(rule.rawValue) & 1 != 0 }
}
