internal import VortexCluster
internal import VortexCore

/// Heads, gets and ranges: what is found is compared byte by byte with what was stored.
extension SimulatedClient {
    private static let pieceBytes = 256 << 10

    /// What a reader came back with.
    struct Found: Sendable {
        var tag: String
        var size: UInt64
        /// Why its bytes could not be read; nil where they could, or were not asked for.
        var failure: ClusterError?
        var isEqual = true
    }

    func head(_ place: History.Place) async {
        await read(place, "head") { (_, _) throws(ClusterError) in true }
    }

    @discardableResult
    func get(_ place: History.Place) async -> Bool {
        await read(place, "get") { (reader, content) throws(ClusterError) in
            try await Self.compare(reader, content, 0..<content.bytes)
        }
    }

    func range(_ place: History.Place) async {
        let (first, second) = (entropy.next(), entropy.next())
        await read(place, "range") { (reader, content) throws(ClusterError) in
            guard content.bytes > 0 else { return true }
            let start = Int(first % UInt64(content.bytes))
            let count = Int(second % UInt64(min(content.bytes - start, 64 << 10))) + 1
            return try await Self.compare(reader, content, start..<start + count)
        }
    }

    private static func compare(
        _ reader: ObjectReader, _ content: Content, _ range: Range<Int>
    ) async throws(ClusterError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, min(range.count, pieceBytes)), alignment: 64)
        defer { buffer.deallocate() }
        var place = range.lowerBound
        while place < range.upperBound {
            let count = min(buffer.count, range.upperBound - place)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let read = try await reader.read(at: UInt64(place), into: part)
            guard read == count, content.matches(UnsafeRawBufferPointer(part), at: place) else {
                return false
            }
            place += count
        }
        return true
    }

    /// One version of a key, all of its bytes.
    @discardableResult
    func get(_ place: History.Place, _ version: VersionName) async -> Bool {
        await read(place, "get \(version)", version) { (reader, content) throws(ClusterError) in
            try await Self.compare(reader, content, 0..<content.bytes)
        }
    }

    /// One read of a key; true where it was answered, whatever the answer.
    @discardableResult
    func read(
        _ key: History.Place, _ what: String, _ name: VersionName? = nil,
        _ compare:
            @escaping @Sendable (ObjectReader, Content) async throws(ClusterError) -> Bool
    ) async -> Bool {
        let start = history.moment()
        let history = history
        let place = name.map { key.version($0) } ?? key
        let answer = await ask("\(what) \(key.key)") { (node) throws(ClusterError) in
            let key = Array(key.key.utf8)
            let version =
                name == nil
                ? try await node.head(bucket: place.bucket, key: key)
                : try await node.find(bucket: place.bucket, key: key, version: name).version
            var found = Found(tag: version.etag, size: version.size)
            guard let content = history.content(behind: found.tag) else { return found }
            do throws(ClusterError) {
                guard UInt64(content.bytes) == version.size else {
                    found.isEqual = false
                    return found
                }
                let reader = try await node.reader(
                    for: version, bucket: place.bucket, key: key)
                found.isEqual = try await compare(reader, content)
            } catch { found.failure = error }
            return found
        }
        switch answer {
        case .value(let found):
            noteRead(place, found.tag, since: start)
            noteBucket(place, isThere: true, since: start)
            return judge(place, what, found)
        case .error(.noSuchObject), .error(.noSuchVersion):
            noteRead(place, nil, since: start)
            noteBucket(place, isThere: true, since: start)
            return true
        case .error(.noSuchBucket):
            noteRead(place, nil, since: start)
            noteBucket(place, isThere: false, since: start)
            return true
        case .error(let error):
            if !isPassing(error) { verdict.fail("\(place.key): \(what) answered \(error)") }
            moveOn()
            return false
        case .lost, .unsent: return false
        }
    }

    /// An error that comes with a fault and goes with it; what stays, the last checks find.
    func isPassing(_ error: ClusterError) -> Bool {
        switch error {
        case .stopped, .noQuorum, .busy, .outcomeUnknown: true
        case .damaged: readsMayFail
        default: false
        }
    }

    private func judge(_ place: History.Place, _ what: String, _ found: Found) -> Bool {
        if history.content(behind: found.tag) == nil {
            verdict.fail("\(place.key): \(what) found \(found.tag), which nobody stored")
        } else if !found.isEqual {
            verdict.fail("\(place.key): \(what) of \(found.tag) gave other bytes")
        } else if let failure = found.failure {
            if !isPassing(failure) {
                verdict.fail("\(place.key): \(what) of \(found.tag) failed: \(failure)")
            }
            return false
        }
        return true
    }
}
