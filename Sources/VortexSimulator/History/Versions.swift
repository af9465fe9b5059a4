internal import VortexCore

/// What clients know of the versions of one bucket's keys. Each version is a register of its own
/// beside that of its key: put once, read by its name, and, once another is known to be above it,
/// deleted by its name, so that what is visible of the key changes by puts and deletes alone.
struct Versions {
    struct Known: Hashable {
        var name: VersionName
        var start: UInt64
        var end: UInt64
        var isMarker: Bool
        var isDeleted = false
    }
    private(set) var known: [History.Place: [Known]] = [:]
    /// Versions that a listing had, with their tags: puts whose answers were lost among them.
    private(set) var sighted: [History.Place: String] = [:]
    /// By then it was acknowledged that versions are kept.
    private(set) var keptSince: UInt64?

    mutating func keep(since moment: UInt64) { keptSince = min(moment, keptSince ?? moment) }

    func areKept(at moment: UInt64) -> Bool { keptSince.map { $0 < moment } ?? false }

    mutating func add(_ version: Known, of place: History.Place) {
        if !(known[place] ?? []).contains(where: { $0.name == version.name }) {
            known[place, default: []].append(version)
        }
    }

    mutating func sight(_ place: History.Place, tag: String) {
        if sighted[place] == nil { sighted[place] = tag }
    }

    func names(of place: History.Place) -> [VersionName] {
        (known[place] ?? []).filter { !$0.isMarker }.map(\.name)
    }

    /// One that is not the newest for sure and stays below another: it is deleted from now on.
    mutating func takeHidden(of place: History.Place, _ choice: (Int) -> Int) -> VersionName? {
        let all = known[place] ?? []
        let hidden = all.indices.filter { index in
            let version = all[index]
            return !version.isDeleted && !version.isMarker && version.name != .null
                && all.contains { !$0.isDeleted && $0.name != .null && $0.start > version.end }
        }
        guard !hidden.isEmpty else { return nil }
        let index = hidden[choice(hidden.count)]
        known[place]?[index].isDeleted = true
        return all[index].name
    }

    /// The put of a version that nobody was told of and a listing had all the same.
    static func unheard(
        _ tag: String, _ operations: [RegisterOperation]
    ) -> [RegisterOperation] {
        let isHeard = operations.contains { $0.action != .read && $0.action != .delete }
        return isHeard
            ? []
            : [RegisterOperation(client: -1, start: 0, end: 0, action: .put(tag), result: .unknown)]
    }
}

extension History.Place {
    /// The register of one version.
    func version(_ name: VersionName) -> History.Place {
        History.Place(bucket: bucket, key: "\(key)@\(name)")
    }

    /// In the bucket whose versions are kept.
    var isKept: Bool { bucket == VersionWorkload.bucket }
}
