internal import VortexCluster
internal import VortexCore

/// Listings, page by page; each page says of every key in its range whether, and with which tag, it
/// was there at some moment of the call.
extension SimulatedClient {
    struct Page: ListSink, Sendable {
        var keys: [String] = []
        var tags: [String] = []
        var prefixes: [String] = []
        /// Objects and prefixes as they came.
        var order: [String] = []
        var next: [UInt8]?
        mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary) {
            keys.append(String(decoding: key, as: UTF8.self))
            tags.append(summary.tag.description)
            order.append(keys[keys.count - 1])
        }
        mutating func prefix(_ prefix: UnsafeRawBufferPointer) {
            prefixes.append(String(decoding: prefix, as: UTF8.self))
            order.append(prefixes[prefixes.count - 1])
        }
    }

    struct Listing: Sendable {
        var bucket: String
        /// All keys that anybody uses in it.
        var keys: [String]
        var prefix: String
        var delimiter: String
        var limit: Int
    }

    /// False where it was cut short.
    @discardableResult
    func list(_ listing: Listing) async -> Bool {
        var after: [UInt8] = []
        while true {
            let start = history.moment()
            let from = after
            let answer = await ask("list \(listing.bucket)") { (node) throws(ClusterError) in
                var page = Page()
                page.next = try await node.list(
                    bucket: listing.bucket, prefix: Array(listing.prefix.utf8),
                    delimiter: Array(listing.delimiter.utf8), after: from,
                    limit: listing.limit, into: &page)
                return page
            }
            switch answer {
            case .value(let page):
                judge(listing, page, after: from, since: start)
                guard let next = page.next else { return true }
                guard from.lexicographicallyPrecedes(next) else {
                    verdict.fail("a listing goes on where it began")
                    return false
                }
                after = next
            case .error(.noSuchBucket):
                noteBucket(
                    History.Place(bucket: listing.bucket, key: ""), isThere: false, since: start)
                return true
            case .error(let error):
                if !isPassing(error) {
                    verdict.fail("a listing of \(listing.bucket) answered \(error)")
                }
                moveOn()
                return false
            case .lost, .unsent: return false
            }
        }
    }

    private func judge(
        _ listing: Listing, _ page: Page, after: [UInt8], since start: UInt64
    ) {
        for (before, behind) in zip(page.order, page.order.dropFirst())
        where !before.utf8.lexicographicallyPrecedes(behind.utf8) {
            verdict.fail("a listing has \(behind) behind \(before)")
        }
        for key in page.keys where !listing.keys.contains(key) {
            verdict.fail("a listing has \(key), which nobody stored")
        }
        noteBucket(History.Place(bucket: listing.bucket, key: ""), isThere: true, since: start)
        for key in listing.keys where key.hasPrefix(listing.prefix) {
            guard covers(page, key, after: after) else { continue }
            let place = History.Place(bucket: listing.bucket, key: key)
            if let folded = fold(key, listing) {
                // Which of the keys below it is there, it does not say.
                if !page.prefixes.contains(folded), isBehind(folded, after) {
                    noteRead(place, nil, since: start)
                }
            } else if let number = page.keys.firstIndex(of: key) {
                noteRead(place, page.tags[number], since: start)
            } else {
                noteRead(place, nil, since: start)
            }
        }
    }

    private func isBehind(_ key: String, _ after: [UInt8]) -> Bool {
        after.lexicographicallyPrecedes(Array(key.utf8))
    }

    private func covers(_ page: Page, _ key: String, after: [UInt8]) -> Bool {
        guard isBehind(key, after) else { return false }
        guard let next = page.next else { return true }
        return !next.lexicographicallyPrecedes(Array(key.utf8))
    }

    private func fold(_ key: String, _ listing: Listing) -> String? {
        guard !listing.delimiter.isEmpty else { return nil }
        let rest = key.dropFirst(listing.prefix.count)
        guard let end = rest.firstIndex(where: { String($0) == listing.delimiter }) else {
            return nil
        }
        return listing.prefix + rest[...end]
    }
}
