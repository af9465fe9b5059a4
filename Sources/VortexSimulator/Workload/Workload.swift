internal import VortexCluster
internal import VortexCore

/// What the clients of a run do: few keys, so that they race; all sizes that the store treats
/// differently; now and then a bucket that comes and goes.
struct Workload: Sendable {
    /// Made before the run, never deleted.
    static let bucket = "demo"
    static let keys = ["dir/a", "dir/b", "dir/sub/c", "dir/sub/d", "e", "f"]
    static let fleetingBucket = "fleeting"
    static let fleetingKeys = ["x", "y"]

    static func keys(of bucket: String) -> [String] {
        switch bucket {
        case self.bucket: keys
        case VersionWorkload.bucket: VersionWorkload.keys
        default: fleetingKeys
        }
    }

    let client: SimulatedClient
    let entropy: SimulatedEntropy

    func run(operations: Int) async {
        for _ in 0..<operations {
            await act()
            let think = entropy.within(0..<60_000_000)
            guard await client.executor.sleep(nanoseconds: think) else { return }
        }
    }

    /// One operation; the numbers are shares of 1,000.
    private func act() async {
        let place = place()
        switch entropy.below(1_000) {
        case ..<260: await client.put(plan(place, condition: .none))
        case ..<360: await client.put(plan(place, condition: condition(place)))
        case ..<380:
            var plan = plan(place, condition: .none)
            plan.breakAt = entropy.below(plan.content.bytes + 1)
            await client.put(plan)
        case ..<570: await client.get(place)
        case ..<660: await client.head(place)
        case ..<720: await client.range(place)
        case ..<780: await client.list(listing(place.bucket))
        case ..<860:
            await client.delete(
                place, .none, isIdempotent: entropy.happens(perMille: 500))
        case ..<900:
            await client.delete(
                place, condition(place), isIdempotent: entropy.happens(perMille: 500))
        case ..<922: await client.upload(uploadPlan(place))
        case ..<955: await client.multipart(multipartPlan(place))
        case ..<980: await client.createBucket(Self.fleetingBucket)
        default: await client.deleteBucket(Self.fleetingBucket)
        }
    }

    private func place() -> History.Place {
        let isFleeting = entropy.happens(perMille: 120)
        let bucket = isFleeting ? Self.fleetingBucket : Self.bucket
        let keys = Self.keys(of: bucket)
        return History.Place(bucket: bucket, key: keys[entropy.below(keys.count)])
    }

    private func plan(
        _ place: History.Place, condition: WriteCondition
    ) -> SimulatedClient.PutPlan {
        SimulatedClient.PutPlan(
            place: place, content: Content(seed: entropy.next(), bytes: bytes()),
            condition: condition, isIdempotent: entropy.happens(perMille: 500), breakAt: nil)
    }

    private func bytes() -> Int {
        let chunk = Limits.chunkBytes
        return switch entropy.below(1_000) {
        case ..<80: 0
        case ..<820: 1 + entropy.below(4_096)
        case ..<940: 1 + entropy.below(200_000)
        case ..<960: chunk
        case ..<980: chunk + 1
        case ..<995: chunk + entropy.below(chunk)
        default: 2 * chunk + entropy.below(3 * chunk)
        }
    }

    private func condition(_ place: History.Place) -> WriteCondition {
        let tag = client.history.lastTag(of: place)
        return switch entropy.below(4) {
        case 0: WriteCondition(ifNoneMatch: .any)
        case 1: WriteCondition(ifMatch: .any)
        case 2: WriteCondition(ifNoneMatch: tag.map { .tags([$0]) } ?? .any)
        default: WriteCondition(ifMatch: tag.map { .tags([$0]) } ?? .any)
        }
    }

    private func listing(_ bucket: String) -> SimulatedClient.Listing {
        let prefixes = ["", "", "dir/", "dir/sub/", "nothing"]
        return SimulatedClient.Listing(
            bucket: bucket, keys: Self.keys(of: bucket),
            prefix: prefixes[entropy.below(prefixes.count)],
            delimiter: entropy.happens(perMille: 500) ? "/" : "",
            limit: entropy.happens(perMille: 500) ? 1 + entropy.below(3) : 1_000)
    }

    private func multipartPlan(_ place: History.Place) -> SimulatedClient.MultipartPlan {
        typealias Sending = SimulatedClient.Sending
        var batches: [[Sending]] = []
        var pieces: [Content.Piece] = []
        for number in 1...UInt32(1 + entropy.below(5)) {
            let piece = Content.Piece(seed: entropy.next(), bytes: partBytes())
            pieces.append(piece)
            if entropy.happens(perMille: 250) {
                // Sent before with other bytes, or only in part.
                let other = Content.Piece(seed: entropy.next(), bytes: partBytes())
                let isBroken = entropy.happens(perMille: 400)
                batches.insert(
                    [
                        Sending(
                            number: number, piece: other,
                            breakAt: isBroken ? entropy.below(other.bytes + 1) : nil)
                    ], at: entropy.below(batches.count + 1))
            }
            let sending = Sending(number: number, piece: piece, breakAt: nil)
            if entropy.happens(perMille: 500), let last = batches.indices.last,
                !batches[last].contains(where: { $0.number == number })
            {
                batches[last].append(sending)
            } else {
                batches.append([sending])
            }
        }
        let endings: [SimulatedClient.MultipartPlan.Ending] = [
            .completes, .completes, .completes, .races, .racesAbort, .aborts, .abandons,
        ]
        return SimulatedClient.MultipartPlan(
            place: place, content: Content(pieces: pieces), batches: batches,
            condition: entropy.happens(perMille: 300) ? condition(place) : .none,
            ending: endings[entropy.below(endings.count)])
    }

    private func partBytes() -> Int {
        switch entropy.below(100) {
        case ..<5: 0
        case ..<90: 1 + entropy.below(60_000)
        default: Limits.chunkBytes + entropy.below(200_000)
        }
    }

    private func uploadPlan(_ place: History.Place) -> SimulatedClient.UploadPlan {
        var pieces: [Content.Piece] = []
        for _ in 0...entropy.below(3) {
            pieces.append(Content.Piece(seed: entropy.next(), bytes: 1 + entropy.below(60_000)))
        }
        if entropy.happens(perMille: 200) { pieces[0].bytes = Limits.chunkBytes + 17 }
        let isAbandoned = entropy.happens(perMille: 400)
        return SimulatedClient.UploadPlan(
            place: place, content: Content(pieces: pieces),
            condition: entropy.happens(perMille: 300) ? condition(place) : .none,
            abandonAfter: isAbandoned ? entropy.below(pieces.count) : nil,
            aborts: entropy.happens(perMille: 300))
    }
}
