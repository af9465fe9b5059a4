import Testing
import VortexCore

@Suite struct VersioningTests {
    private static func version(_ number: UInt64, isNull: Bool) -> ObjectVersion {
        var version = ObjectVersion(
            id: ChangeID(high: 0, low: number), size: number,
            tag: EntityTag(digest: Digest128(high: 0, low: number), parts: 1),
            modifiedMilliseconds: number, policy: 3, attributes: ObjectAttributes(), sha256: nil,
            body: .row(BlobID(high: 9, low: number)))
        version.isNull = isNull
        return version
    }

    private static func marker(_ number: UInt64, isNull: Bool) -> ObjectVersion {
        var marker = ObjectVersion.marker(
            ChangeID(high: 0, low: number), isNull: isNull, policy: 3)
        marker.modifiedMilliseconds = number
        return marker
    }

    private static func numbers(_ row: ObjectRow) -> [UInt64] { row.versions.map(\.id.low) }

    @Test func `a name is null or an id, and nothing else`() {
        let id = ChangeID(high: 5, low: 7)
        #expect(VersionName("null") == .null)
        #expect(VersionName(id.description) == .id(id))
        for text in ["", "Null", "5", id.description + "0", String(repeating: "x", count: 32)] {
            #expect(VersionName(text) == nil)
        }
    }

    @Test func `a null version takes the place of the null one alone, and is the newest`() {
        var row = ObjectRow(generation: 1)
        let isAdded =
            row.add(Self.version(1, isNull: true), generation: 1)
            && row.add(Self.version(2, isNull: false), generation: 2)
            && row.add(Self.version(3, isNull: false), generation: 2)
        #expect(isAdded && Self.numbers(row) == [3, 2, 1] && row.generation == 2)
        let isReplaced = row.add(Self.version(4, isNull: true), generation: 1)
        #expect(isReplaced && Self.numbers(row) == [4, 3, 2] && row.generation == 2)
        #expect(row.blobs.map(\.low) == [4, 3, 2] && row.bytes == 9)
    }

    @Test func `who does not know that versions are kept deletes no other than the null one`() {
        var row = ObjectRow(generation: 1)
        _ = row.add(Self.version(1, isNull: true), generation: 1)
        _ = row.add(Self.version(2, isNull: false), generation: 2)
        let isDeleted = row.delete(by: Self.marker(3, isNull: true), .off, generation: 1)
        #expect(isDeleted && Self.numbers(row) == [3, 2])
        #expect(row.visible == nil && !row.isTombstone)
        var plain = ObjectRow(generation: 1)
        _ = plain.add(Self.version(1, isNull: true), generation: 1)
        _ = plain.delete(by: Self.marker(3, isNull: true), .off, generation: 1)
        #expect(plain.isTombstone && plain.modifiedMilliseconds == 3)
    }

    @Test func `removing the newest shows the one before it, and removing all leaves nothing`() {
        var row = ObjectRow(generation: 1)
        _ = row.add(Self.version(1, isNull: true), generation: 1)
        _ = row.add(Self.marker(2, isNull: false), generation: 2)
        #expect(row.visible == nil && row.newest?.isMarker == true)
        let other = row.remove(.id(ChangeID(high: 0, low: 9)), generation: 2)
        #expect(other == nil && row.versions.count == 2)
        let marker = row.remove(.id(ChangeID(high: 0, low: 2)), generation: 2)
        #expect(marker?.isMarker == true && row.visible?.id.low == 1)
        let last = row.remove(.null, generation: 2)
        #expect(last?.id.low == 1)
        #expect(row.isTombstone && row.modifiedMilliseconds == 2)
    }

    @Test func `a full row takes no more, but in the place of the null version, and lets all go`() {
        var row = ObjectRow(generation: 1)
        _ = row.add(Self.version(1, isNull: true), generation: 1)
        for number in 2...UInt64(Limits.versionsPerRowMax) {
            let isAdded = row.add(Self.version(number, isNull: false), generation: 1)
            #expect(isAdded)
        }
        let before = row
        let isAdded = row.add(Self.version(5_000, isNull: false), generation: 1)
        let isMarked = row.delete(
            by: Self.marker(5_000, isNull: false), .enabled, generation: 1)
        #expect(!isAdded && !isMarked && row == before)
        let isReplaced = row.add(Self.version(5_000, isNull: true), generation: 1)
        #expect(isReplaced && row.versions.count == Limits.versionsPerRowMax)
        #expect(RowContent.object(row).encoded.count < Limits.rowBytesMax / 4)
        for version in row.versions {
            let removed = row.remove(version.name, generation: 1)
            #expect(removed == version)
        }
        #expect(row.isTombstone)
    }

    @Test func `rows and buckets that know of no versions have the formats of before`() {
        var row = ObjectRow(generation: 1)
        _ = row.add(Self.version(1, isNull: true), generation: 1)
        #expect(RowContent.object(row).encoded.first == 1)
        _ = row.add(Self.version(2, isNull: false), generation: 1)
        #expect(RowContent.object(row).encoded.first == 3)
        var bucket = BucketRow(id: BucketID(high: 1, low: 1), createdMilliseconds: 1)
        #expect(RowContent.bucket(bucket).encoded.first == 1)
        bucket.versioning = .suspended
        #expect(RowContent.bucket(bucket).encoded.first == 2)
    }
}
