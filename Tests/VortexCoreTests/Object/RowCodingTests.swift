import Foundation
import Testing
import VortexCore

/// Rows with everything in them that a row can have, from a seed.
private struct SampleRows {
    var generator: SplitMix

    mutating func id<Kind>() -> ID<Kind> { ID(high: generator.next(), low: generator.next()) }
    mutating func digest() -> Digest128 {
        Digest128(high: generator.next(), low: generator.next())
    }
    mutating func below(_ bound: UInt64) -> UInt64 { generator.next() % bound }
    mutating func text() -> String {
        String((0..<below(12)).map { _ in ["a", "é", "/", "語", "\""][Int(below(5))] }.joined())
    }
    mutating func time() -> UInt64 { below(1 << 48) }

    mutating func extent() -> Extent {
        Extent(
            blob: id(), length: below(Limits.objectBytesMax),
            chunkBytes: UInt32(4_096 + below(1 << 20)))
    }

    mutating func version() -> ObjectVersion {
        var attributes = ObjectAttributes()
        if below(2) == 0 { attributes.contentType = text() }
        if below(2) == 0 { attributes.expires = text() }
        if below(2) == 0 {
            attributes.userMetadata = [UserMetadata(name: text(), value: text())]
        }
        attributes.tags = (0..<below(3)).map { ObjectTag(key: "k\($0)", value: text()) }
        let body: Body =
            switch below(3) {
            case 0: .empty
            case 1: .row(id())
            default: .spread((0..<below(5)).map { _ in extent() })
            }
        var version = ObjectVersion(
            id: id(), size: below(Limits.objectBytesMax),
            tag: EntityTag(digest: digest(), parts: UInt32(below(10_000))),
            modifiedMilliseconds: time(), policy: 3, attributes: attributes,
            sha256: below(2) == 0 ? nil : [UInt8](repeating: 7, count: 32), body: body)
        if below(4) == 0 { version.checksum = checksum() }
        return version
    }

    mutating func checksum() -> StoredChecksum {
        let all = ChecksumAlgorithm.allCases
        let algorithm = all[Int(below(UInt64(all.count)))]
        let parts = Int(below(4))
        return StoredChecksum(
            algorithm, parts == 0 ? .fullObject : .composite,
            value: [UInt8](repeating: 9, count: algorithm.bytes),
            parts: [UInt8](repeating: 8, count: parts * algorithm.bytes))
    }

    mutating func object() -> ObjectRow {
        var row = ObjectRow(generation: below(1_000))
        row.versions = (0..<below(3)).map { _ in
            var version = version()
            version.isNull = below(3) > 0
            version.isMarker = below(4) == 0
            return version
        }
        row.modifiedMilliseconds = time()
        row.openUploads = (0..<below(3)).map { number in
            OpenUpload(
                kind: number == 0 ? .plain(id()) : .multipart(id()),
                startedMilliseconds: time(), node: NodeID(generator.next()),
                boot: UInt32(below(9)), state: number == 2 ? .refused : .open)
        }
        row.answers = (0..<below(4)).map { number in
            OwedAnswer(
                keyHash: digest(), requestHash: digest(), madeMilliseconds: time(),
                outcome: number % 2 == 0
                    ? .deleted(
                        existed: number == 0,
                        version: ([nil, .null, .id(id())] as [VersionName?])[Int(below(3))],
                        isMarker: false)
                    : .put(
                        change: id(), size: below(1_000),
                        tag: EntityTag(digest: digest(), parts: 1), modified: time(),
                        created: number == 1, isNull: below(2) == 0))
        }
        return row
    }

    mutating func upload() -> UploadRow {
        var row = UploadRow(
            bucket: "bucket", attributes: version().attributes,
            condition: WriteCondition(
                ifMatch: below(2) == 0 ? nil : .tags([text(), text()]),
                ifNoneMatch: below(2) == 0 ? nil : .any),
            expectedBytes: below(2) == 0 ? nil : below(1 << 40), generation: below(9),
            startedMilliseconds: time())
        row.state = UploadRow.State(rawValue: UInt8(below(5))) ?? .open
        if below(2) == 0 { row.form = .numbered(below(2) == 0 ? nil : .init(.crc32, .composite)) }
        if below(2) == 0 {
            row.version = version()
            // Uploads to which is appended know of none.
            if !row.isNumbered { row.version?.checksum = nil }
            row.version?.isNull = below(2) == 0
        }
        row.created = below(2) == 0
        return row
    }

    mutating func part() -> PartRow {
        var row = PartRow(
            extent: extent(), digest: below(2) == 0 ? nil : digest(),
            changedMilliseconds: time())
        row.replaced = (0..<below(3)).map { _ in extent() }
        if below(3) == 0 { row.checksum = checksum() }
        return row
    }

    mutating func accessKey() -> AccessKeyRow {
        AccessKeyRow(
            sealedSecret: (0..<below(60)).map { UInt8($0) }, createdMilliseconds: time(),
            expiresMilliseconds: below(2) == 0 ? nil : time(),
            grants: (0..<below(3)).map { _ in
                KeyGrant(
                    bucket: text(), prefix: [1, 2],
                    actions: KeyGrant.Actions(rawValue: UInt8(below(16))))
            })
    }

    mutating func any() -> (RowKey, RowContent) {
        let object = RowKey(bucket: BucketID(high: 1, low: 2), key: [1])
        var key = object
        switch below(5) {
        case 0: return (object, .object(self.object()))
        case 1:
            key.kind = .upload(id())
            return (key, .upload(upload()))
        case 2:
            key.kind = .part(id(), 3)
            return (key, .part(part()))
        case 3:
            key.bucket = .accessKeys
            return (key, .accessKey(accessKey()))
        default:
            key.bucket = .zero
            var bucket = BucketRow(id: id(), createdMilliseconds: time())
            bucket.versioning = Versioning(rawValue: UInt8(below(3))) ?? .off
            bucket.settings = settings()
            return (key, .bucket(bucket))
        }
    }

    mutating func settings() -> BucketSettings {
        var settings = BucketSettings()
        settings.access = below(2) == 0 ? .private : .publicRead
        settings.ownership = [nil, .objectWriter, .ownerPreferred, .ownerEnforced][Int(below(4))]
        settings.publicAccessBlock = below(2) == 0 ? nil : .init(rawValue: UInt8(below(16)))
        settings.tags = (0..<below(3)).map { ObjectTag(key: "k\($0)", value: text()) }
        for _ in 0..<below(3) {
            var rule = CORSRule(
                origins: [text(), "*"], methods: .init(rawValue: UInt8(1 + below(31))))
            rule.id = text()
            rule.headers = (0..<below(3)).map { _ in text() }
            rule.exposedHeaders = (0..<below(3)).map { _ in text() }
            rule.maxAgeSeconds = [nil, 0, 1, .max][Int(below(4))]
            settings.cors.append(rule)
        }
        return settings
    }
}

/// SplitMix64 (Steele et al., 2014).
private struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

@Suite struct RowCodingTests {
    @Test func `every row decodes to itself`() throws {
        var sample = SampleRows(generator: SplitMix(state: 1))
        for _ in 0..<2_000 {
            let (key, content) = sample.any()
            #expect(try RowContent(content.encoded, of: key) == content)
        }
    }

    private func bucketRow(_ bytes: [UInt8]) throws(CodingError) -> BucketRow {
        try ByteReader.decode(bytes) { (reader) throws(CodingError) in try reader.readBucketRow() }
    }

    @Test func `a bucket's row from before there were settings has none`() throws {
        let id = BucketID(high: 1, low: 2)
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(UInt8(0))
        writer.write(id)
        writer.write(number: 7)
        writer.write(number: 8)
        var row = BucketRow(id: id, createdMilliseconds: 8)
        row.generation = 7
        #expect(try bucketRow(writer.bytes) == row)
        #expect(RowContent.bucket(row).encoded == writer.bytes)
        row.versioning = .enabled
        #expect(try bucketRow([2] + writer.bytes[1...] + [1]) == row)
        row.settings.access = .publicRead
        #expect(RowContent.bucket(row).encoded.first == 3)
        #expect(try bucketRow(RowContent.bucket(row).encoded) == row)
    }

    @Test func `settings beyond their bound do not decode, and are known to be so before`() throws {
        var row = BucketRow(id: BucketID(high: 1, low: 2), createdMilliseconds: 8)
        row.settings.tags = (0..<50).map {
            ObjectTag(key: "\($0)", value: String(repeating: "v", count: 300))
        }
        #expect(row.settings.isWithinBounds)
        #expect(try bucketRow(RowContent.bucket(row).encoded) == row)
        row.settings.cors = (0..<20).map { number in
            CORSRule(
                origins: [String(repeating: "\(number % 10)", count: 200)], methods: .get)
        }
        #expect(!row.settings.isWithinBounds)
        #expect(throws: CodingError.self) { try bucketRow(RowContent.bucket(row).encoded) }
    }

    @Test func `a bucket's row that was cut or changed throws, or is another one`() throws {
        var sample = SampleRows(generator: SplitMix(state: 5))
        for _ in 0..<50 {
            var row = BucketRow(id: BucketID(high: 1, low: 2), createdMilliseconds: 8)
            row.settings = sample.settings()
            let bytes = RowContent.bucket(row).encoded
            for end in 0..<bytes.count {
                #expect(throws: CodingError.self) { try bucketRow(Array(bytes[..<end])) }
            }
            for place in 0..<bytes.count {
                var other = bytes
                other[place] ^= UInt8(1 << sample.below(8))
                do { _ = try bucketRow(other) } catch { continue }
            }
        }
    }

    @Test func `rows that know of no checksum have the bytes that they had before`() throws {
        var row = ObjectRow(generation: 3)
        row.versions = [
            ObjectVersion(
                id: ChangeID(high: 1, low: 2), size: 5,
                tag: EntityTag(digest: Digest128(high: 3, low: 4), parts: 1),
                modifiedMilliseconds: 6, policy: 3,
                attributes: ObjectAttributes(contentType: "t"), sha256: nil,
                body: .row(BlobID(high: 7, low: 8)))
        ]
        var writer = ByteWriter()
        writer.write(row)
        // Of 6266471, which knew of none.
        let before =
            "01010301050000000000000003000000000000000401060000000000000001000000000000000203010174"
            + "00000100000000000000070000000000000008000000" + "00"
        let hex = writer.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        #expect(hex.joined() == before)
        let key = RowKey(bucket: BucketID(high: 1, low: 2), key: [1])
        #expect(try RowContent(writer.bytes, of: key) == .object(row))
    }

    @Test func `an object of as many parts as there can be fits its row`() {
        var row = ObjectRow(generation: .max)
        let count = Limits.partsPerUploadMax
        row.versions = [
            ObjectVersion(
                id: ChangeID(high: .max, low: 0), size: Limits.objectBytesMax,
                tag: EntityTag(digest: Digest128(high: 0, low: 0), parts: UInt32(count)),
                modifiedMilliseconds: 1 << 47, policy: 3,
                attributes: ObjectAttributes(
                    contentType: String(repeating: "x", count: Limits.metadataBytesMax)),
                sha256: nil,
                body: .spread(
                    (0..<count).map {
                        Extent(blob: BlobID(high: .max, low: UInt64($0)), length: 5 << 30)
                    }))
        ]
        row.versions[0].checksum = StoredChecksum(
            .sha256, .composite, value: [UInt8](repeating: 1, count: 32),
            parts: [UInt8](repeating: 2, count: 32 * count))
        #expect(RowContent.object(row).encoded.count < Limits.rowBytesMax * 3 / 4)
    }

    @Test func `a part's last whole body counts, and every other one stays named`() {
        func blob(_ number: UInt64) -> BlobID { BlobID(high: 0, low: number) }
        func extent(_ number: UInt64) -> Extent { Extent(blob: blob(number), length: number) }
        let digest = Digest128(high: 1, low: 1)
        var row = PartRow(
            extent: Extent(blob: blob(1), length: 0), digest: nil, changedMilliseconds: 1)
        let (second, third) = (row.begin(blob(2)), row.begin(blob(3)))
        let isTaken = row.take(extent(2), digest, nil, milliseconds: 2)
        #expect(second && third && isTaken)
        #expect(row.extent == extent(2) && Set(row.blobs) == [blob(1), blob(2), blob(3)])
        let isTakenToo = row.take(extent(1), digest, nil, milliseconds: 3)
        #expect(isTakenToo)
        #expect(row.extent == extent(1) && Set(row.blobs) == [blob(1), blob(2), blob(3)])
        let unknown = row.take(extent(4), digest, nil, milliseconds: 4)
        #expect(!unknown)
        // The one that counts is not taken back, another is.
        #expect(row.without(unfinished: [blob(1)]) == row)
        #expect(row.without(unfinished: [blob(3)]).map { Set($0.blobs) } == [blob(1), blob(2)])
        while row.begin(blob(9)) {}
        #expect(row.replaced.count == PartRow.replacedMax)
    }

    @Test func `hostile rows throw and never trap, and what decodes encodes again`() throws {
        var sample = SampleRows(generator: SplitMix(state: 2))
        var refused = 0
        // About a million a minute.
        let seconds = ProcessInfo.processInfo.environment["VORTEX_FUZZ_SECONDS"].flatMap(Int.init)
        for round in 0..<20_000 * (seconds ?? 1) {
            let (key, content) = sample.any()
            var bytes = content.encoded
            for _ in 0...(sample.below(3)) where !bytes.isEmpty {
                let at = Int(sample.below(UInt64(bytes.count)))
                switch round % 3 {
                case 0: bytes[at] = UInt8(sample.below(256))
                case 1: bytes.removeSubrange(at...)
                default: bytes.insert(UInt8(sample.below(256)), at: at)
                }
            }
            do {
                let decoded = try RowContent(bytes, of: key)
                #expect(try RowContent(decoded.encoded, of: key) == decoded)
            } catch { refused += 1 }
        }
        #expect(refused > 1_000)
    }

    @Test func `a glance at a row sees what decoding it sees`() throws {
        var sample = SampleRows(generator: SplitMix(state: 3))
        for number in 0..<500 as Range<UInt64> {
            let row = sample.object()
            var writer = ByteWriter()
            writer.write(
                RegisterValue(
                    change: sample.id(), base: .none,
                    over: (0..<number % 9).map { _ in .init(change: sample.id(), base: .none) },
                    isTombstone: row.isTombstone, bodies: row.rowBodies,
                    content: RowContent.object(row).encoded))
            let glance = try writer.bytes.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try reader.readObjectGlance()
            }
            if let version = row.visible {
                #expect(
                    glance
                        == .visible(
                            ObjectSummary(
                                size: version.size, tag: version.tag,
                                modifiedMilliseconds: version.modifiedMilliseconds)))
            } else {
                #expect(glance == .hidden(isTombstone: row.isTombstone))
            }
        }
    }

    @Test func `a glance at a tombstone without content sees a tombstone`() throws {
        var sample = SampleRows(generator: SplitMix(state: 3))
        var writer = ByteWriter()
        writer.write(
            RegisterValue(
                change: sample.id(), base: .none, over: [], isTombstone: true, bodies: [],
                content: RowContent.nothing.encoded))
        let glance = try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try reader.readObjectGlance()
        }
        #expect(glance == .hidden(isTombstone: true))
    }

    @Test func `answers are forgotten when they are over, and the oldest when they are too many`() {
        var row = ObjectRow(generation: 1)
        for number in 1...20 as ClosedRange<UInt64> {
            row.owe(
                OwedAnswer(
                    keyHash: Digest128(high: 0, low: number),
                    requestHash: Digest128(high: 0, low: 0), madeMilliseconds: number,
                    outcome: .deleted(existed: true, version: nil, isMarker: false)))
        }
        #expect(row.answers.count == Limits.answersPerRowMax)
        #expect(row.answer(for: Digest128(high: 0, low: 4), now: 20) == nil)
        #expect(row.answer(for: Digest128(high: 0, low: 5), now: 20) != nil)
        let late = 5 + Limits.answerLifetimeMilliseconds + 1
        #expect(row.answer(for: Digest128(high: 0, low: 5), now: late) == nil)
    }
}
