internal import VortexCluster
internal import VortexCore

/// What the clients of the bucket do that begins to keep versions in the middle of the run.
struct VersionWorkload: Sendable {
    /// Made before the run, never deleted.
    static let bucket = "kept"
    static let keys = ["dir/x", "dir/y", "z"]

    let client: SimulatedClient
    let entropy: SimulatedEntropy
    /// The one of them that has versions kept, behind so many operations.
    let enablesBehind: Int?

    func run(operations: Int) async {
        for number in 0..<operations {
            if let enablesBehind, number >= enablesBehind { await client.keepVersions() }
            await act()
            guard await client.executor.sleep(nanoseconds: entropy.within(0..<60_000_000)) else {
                return
            }
        }
    }

    /// One operation; the numbers are shares of 1,000. Nothing is deleted before versions are kept.
    private func act() async {
        let place = History.Place(
            bucket: Self.bucket, key: Self.keys[entropy.below(Self.keys.count)])
        let areKept = client.history.withVersions { $0.areKept(at: .max) }
        switch entropy.below(1_000) {
        case ..<350: await client.put(plan(place, .none))
        case ..<430: await client.put(plan(place, condition(place)))
        case ..<500: await client.get(place)
        case ..<680: await getVersion(place)
        case ..<780:
            await client.listVersions(
                Self.bucket, prefix: entropy.happens(perMille: 500) ? "" : "dir/",
                limit: entropy.happens(perMille: 500) ? 1 + entropy.below(4) : 1_000)
        case _ where !areKept: await client.head(place)
        case ..<880: await client.delete(place, .none, isIdempotent: true)
        case ..<900: await client.delete(place, condition(place), isIdempotent: false)
        default:
            let entropy = entropy
            let name = client.history.withVersions { versions in
                versions.takeHidden(of: place) { entropy.below($0) }
            }
            if let name { await client.delete(name, of: place) }
        }
    }

    private func getVersion(_ place: History.Place) async {
        let names = client.history.withVersions { $0.names(of: place) }
        guard !names.isEmpty else { return }
        await client.get(place, names[entropy.below(names.count)])
    }

    private func plan(
        _ place: History.Place, _ condition: WriteCondition
    ) -> SimulatedClient.PutPlan {
        let bytes = entropy.happens(perMille: 50) ? Limits.chunkBytes + 1 : entropy.below(20_000)
        return SimulatedClient.PutPlan(
            place: place, content: Content(seed: entropy.next(), bytes: bytes),
            condition: condition, isIdempotent: entropy.happens(perMille: 500), breakAt: nil)
    }

    private func condition(_ place: History.Place) -> WriteCondition {
        guard let tag = client.history.lastTag(of: place), entropy.happens(perMille: 700) else {
            return WriteCondition(ifNoneMatch: .any)
        }
        return WriteCondition(ifMatch: .tags([tag]))
    }
}

extension SimulatedClient {
    /// Asked for until it is acknowledged.
    func keepVersions() async {
        guard !history.withVersions({ $0.areKept(at: .max) }) else { return }
        let answer = await ask("keep versions") { (node) throws(ClusterError) in
            try await node.setVersioning(bucket: VersionWorkload.bucket, .enabled)
        }
        switch answer {
        case .value:
            let moment = history.moment()
            history.withVersions { $0.keep(since: moment) }
        case .error(let error):
            if !isPassing(error) { verdict.fail("to keep versions is answered \(error)") }
            moveOn()
        case .lost, .unsent: break
        }
    }

    /// A put or a delete was acknowledged with this name.
    func noteVersion(
        _ name: VersionName, of place: History.Place, _ action: RegisterOperation.Action,
        since start: UInt64
    ) {
        let end = history.moment()
        let isLate = history.withVersions { $0.areKept(at: start) }
        if name == .null, isLate {
            verdict.fail("\(place.key): \(action) made no version though they are kept")
        }
        history.withVersions {
            $0.add(
                .init(name: name, start: start, end: end, isMarker: action == .delete), of: place)
        }
        guard action != .delete else { return }
        note(
            place.version(name), action, .none, .done(existed: name == .null ? nil : false),
            since: start)
    }

    /// Before versions are kept a put may have made a null one; others are named by a listing.
    func leaveVersionOpen(
        of place: History.Place, _ action: RegisterOperation.Action, since start: UInt64
    ) {
        guard action != .delete, !history.withVersions({ $0.areKept(at: start) }) else { return }
        note(place.version(.null), action, .none, .unknown, since: start)
    }

    /// For good; once, since a second one would not know whether the first has done it.
    func delete(_ name: VersionName, of place: History.Place) async {
        await change(place.version(name), .delete, .none, attempts: 1) {
            (node) throws(ClusterError) in
            let result = try await node.delete(
                bucket: place.bucket, key: Array(place.key.utf8), version: name,
                condition: .none, idempotency: nil)
            return Done(existed: result.existed, tag: nil)
        }
    }

    /// All pages; says of every version that somebody knows whether it was there at some moment
    /// meanwhile. False where it was cut short.
    @discardableResult
    func listVersions(_ bucket: String, prefix: String, limit: Int) async -> Bool {
        let start = history.moment()
        var found: [History.Place: String] = [:]
        var after: ClusterNode.VersionMarker?
        while true {
            let from = after
            let answer = await ask("list versions of \(bucket)") { (node) throws(ClusterError) in
                try await node.listVersions(
                    bucket: bucket, prefix: Array(prefix.utf8), delimiter: [], after: from,
                    limit: limit)
            }
            switch answer {
            case .value(let page):
                judge(page, bucket, limit, &found)
                after = page.next
            case .error(let error):
                if !isPassing(error) { verdict.fail("a listing of versions answered \(error)") }
                moveOn()
                return false
            case .lost, .unsent: return false
            }
            guard after != nil else { break }
        }
        for key in Workload.keys(of: bucket) where key.hasPrefix(prefix) {
            let place = History.Place(bucket: bucket, key: key)
            // One that takes the place of a null version may come behind the page that had it.
            for name in history.withVersions({ $0.names(of: place) }) where name != .null {
                let version = place.version(name)
                if found[version] == nil { noteRead(version, nil, since: start) }
            }
        }
        for (version, tag) in found.sorted(by: { $0.key < $1.key }) {
            history.withVersions { $0.sight(version, tag: tag) }
            noteRead(version, tag, since: start)
        }
        return true
    }

    private func judge(
        _ page: ClusterNode.VersionPage, _ bucket: String, _ limit: Int,
        _ found: inout [History.Place: String]
    ) {
        if page.entries.count > limit { verdict.fail("a page of versions is too long") }
        var last: (key: String, modified: UInt64)?
        for case .version(let key, let version, let isNewest) in page.entries {
            let key = String(decoding: key, as: UTF8.self)
            if let last {
                let isBehind =
                    last.key == key
                    ? version.modifiedMilliseconds < last.modified && !isNewest
                    : last.key.utf8.lexicographicallyPrecedes(key.utf8) && isNewest
                if !isBehind { verdict.fail("versions are out of order at \(key)") }
            }
            last = (key, version.modifiedMilliseconds)
            guard !version.isMarker else { continue }
            let place = History.Place(bucket: bucket, key: key).version(version.name)
            found[place] = version.etag
        }
    }
}
