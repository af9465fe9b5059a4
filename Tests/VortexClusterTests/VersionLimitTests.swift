import Testing
import VortexCore
import VortexStore

@testable import VortexCluster

/// Rows with as many versions as they take.
@Suite struct VersionLimitTests {
    @Test func `a full row refuses puts and deletes by a clear error, and its versions can go`()
        async throws
    {
        try await withNode { site in
            try await site.makeVersionedBucket()
            var last = VersionName.null
            for _ in 0..<Limits.versionsPerRowMax {
                last = try await site.put("key", []).version.name
            }
            let errors = [
                await failure { () async throws(ClusterError) in try await site.put("key", [1]) },
                await failure { () async throws(ClusterError) in
                    try await site.put("key", [UInt8](repeating: 1, count: 2 << 20))
                },
                await failure { () async throws(ClusterError) in try await site.delete("key") },
            ]
            #expect(errors.allSatisfy { $0 == .tooManyVersions })
            try await site.delete("key", last)
            try await site.put("key", [1])
            #expect(try await site.versions(limit: 999).count == Limits.versionsPerRowMax)
        }
    }

    @Test func `versions with much to say fill a row by their bytes`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let attributes = ObjectAttributes(
                contentType: String(repeating: "x", count: Limits.metadataBytesMax))
            var names: [VersionName] = []
            var error: ClusterError?
            while error == nil, names.count < Limits.versionsPerRowMax {
                do throws(ClusterError) {
                    names.append(
                        try await site.put("key", [1], attributes: attributes).version.name)
                } catch let refusal { error = refusal }
            }
            #expect(error == .tooManyVersions && names.count > 100)
            for name in names { #expect(try await site.delete("key", name).existed) }
            try await site.node.deleteBucket(Site.bucket)
        }
    }

    /// Else it would come over what is put after the room has been made.
    @Test func `a complete that a full row refuses is refused for good`() async throws {
        try await withNode { site in
            try await site.makeVersionedBucket()
            let uploads = try await [site.createMultipart(), site.createMultipart()]
            var parts: [StoredPart] = []
            for place in uploads { parts.append(try await site.part(place, 1, [7])) }
            var names: [VersionName] = []
            // Full but for what a version without metadata needs: filled up by smaller ones.
            for bytes in [Limits.metadataBytesMax, 256, 0] {
                let some = ObjectAttributes(contentType: String(repeating: "x", count: bytes))
                while names.count < Limits.versionsPerRowMax {
                    do throws(ClusterError) {
                        names.append(try await site.put("key", [1], attributes: some).version.name)
                    } catch { break }
                }
            }
            let refused = await failure { () async throws(ClusterError) in
                try await site.complete(uploads[0], [parts[0]])
            }
            #expect(refused == .tooManyVersions)
            for name in names.prefix(3) { try await site.delete("key", name) }
            let newest = try await site.put("key", [2]).version.name
            try await site.node.tidyUploads()
            let visible = try await site.node.head(bucket: Site.bucket, key: Array("key".utf8))
            #expect(visible.name == newest)
            let again = await failure { () async throws(ClusterError) in
                try await site.complete(uploads[0], [parts[0]])
            }
            #expect(again == .noSuchUpload)
            try await site.complete(uploads[1], [parts[1]])
        }
    }

    /// An owner that was away while versions were deleted unnames them all at once.
    @Test func `as many blobs can be unnamed at once as a row can name`() {
        var writer = ByteWriter()
        writer.write(Extent(blob: BlobID(high: 1, low: 1), length: 1))
        #expect(RowEffects.unnamedMax >= Limits.rowBytesMax / writer.count)
        #expect(16 * RowEffects.unnamedMax + Limits.rowBytesMax < Limits.recordBytesMax)
    }
}
