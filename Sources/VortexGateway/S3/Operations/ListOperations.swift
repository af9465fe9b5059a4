internal import VortexCluster
internal import VortexCore

/// Listing a bucket, in both versions of the operation; the same scan as `/v1`'s.
extension S3Handler {
    enum ListVersion: Sendable {
        case first, second
    }

    private struct Listing: Sendable {
        var bucket: String
        var prefix: [UInt8]
        var delimiter: [UInt8]
        /// The key behind which the page begins.
        var after: [UInt8]
        var limit: Int
        var isEncoded: Bool
        var showsOwner: Bool
    }

    func listObjects(
        _ call: S3Call, _ version: ListVersion
    ) async throws(S3Error) -> Response {
        let listing = try Self.listing(call, version)
        try await requireRead(call, .list, bucket: listing.bucket, key: listing.prefix)
        guard listing.limit > 0 else {
            _ = try await s3Asking { () async throws(ClusterError) in
                try await self.node.bucket(listing.bucket)
            }
            let nothing = S3ListPage(isEncoded: false, showsOwner: false)
            return .xml(try Self.document(call, version, listing, nothing, next: nil))
        }
        let (page, next) = try await s3Asking { () async throws(ClusterError) in
            var page = S3ListPage(isEncoded: listing.isEncoded, showsOwner: listing.showsOwner)
            let next = try await self.node.list(
                bucket: listing.bucket, prefix: listing.prefix, delimiter: listing.delimiter,
                after: listing.after, limit: listing.limit, into: &page)
            return (page, next)
        }
        return .xml(try Self.document(call, version, listing, page, next: next))
    }

    private static func listing(
        _ call: S3Call, _ version: ListVersion
    ) throws(S3Error) -> Listing {
        var listing = Listing(
            bucket: try call.bucket(), prefix: try call.bytes("prefix"),
            delimiter: try call.bytes("delimiter"), after: [],
            limit: try call.count("max-keys"), isEncoded: try call.isURLEncoded(),
            showsOwner: true)
        switch version {
        case .first: listing.after = try call.bytes("marker")
        case .second:
            let kind = try call.text("list-type")
            guard kind == "2" else {
                throw .argument("list-type", kind ?? "", "Invalid List Type specified in Request")
            }
            listing.after = try call.bytes("start-after")
            listing.showsOwner = try call.text("fetch-owner") == "true"
            if let token = try call.text("continuation-token") {
                guard let key = ContinuationToken.key(token) else {
                    throw .argument(
                        "continuation-token", token, "The continuation token provided is incorrect")
                }
                listing.after = key
            }
        }
        for bytes in [listing.prefix, listing.delimiter, listing.after] {
            guard bytes.count <= Limits.keyBytesMax, String(validating: bytes, as: UTF8.self) != nil
            else { throw S3Error(.invalidArgument) }
        }
        return listing
    }

    private static func document(
        _ call: S3Call, _ version: ListVersion, _ listing: Listing, _ page: S3ListPage,
        next: [UInt8]?
    ) throws(S3Error) -> [UInt8] {
        let (token, startAfter) = (
            try call.text("continuation-token"), try call.bytes("start-after")
        )
        func shown(_ bytes: [UInt8]) -> [UInt8] {
            listing.isEncoded ? PercentCoding.encode(bytes, keepsSlash: true) : bytes
        }
        return XMLWriter.document(
            "ListBucketResult", reserving: page.contents.bytes.count + 1_024
        ) { xml in
            xml.element("Name", listing.bucket)
            xml.element("Prefix", utf8: shown(listing.prefix))
            switch version {
            case .first:
                xml.element("Marker", utf8: shown(listing.after))
                if let next, !listing.delimiter.isEmpty {
                    xml.element("NextMarker", utf8: shown(next))
                }
            case .second:
                if let token { xml.element("ContinuationToken", token) }
                if let next {
                    xml.element("NextContinuationToken", ContinuationToken.text(next))
                }
                xml.element("KeyCount", UInt64(page.count))
                if !startAfter.isEmpty { xml.element("StartAfter", utf8: shown(startAfter)) }
            }
            xml.element("MaxKeys", UInt64(listing.limit))
            if !listing.delimiter.isEmpty {
                xml.element("Delimiter", utf8: shown(listing.delimiter))
            }
            if listing.isEncoded { xml.element("EncodingType", "url") }
            xml.element("IsTruncated", next != nil)
            xml.finished(page.contents)
            xml.finished(page.prefixes)
        }
    }
}

/// Where a listing goes on: the last key, spelled so that nobody mistakes it for one.
enum ContinuationToken {
    static func text(_ key: [UInt8]) -> String { "1" + Hex.string(key) }

    static func key(_ token: String) -> [UInt8]? {
        guard token.utf8.first == UInt8(ascii: "1"),
            token.utf8.count <= 1 + 2 * Limits.keyBytesMax
        else { return nil }
        return Hex.bytes(token.utf8.dropFirst())
    }
}

/// Writes entries as XML while the cluster goes over them.
struct S3ListPage: ListSink {
    private(set) var contents = XMLWriter(reserving: 0)
    private(set) var prefixes = XMLWriter(reserving: 0)
    private(set) var count = 0
    private let isEncoded: Bool
    private let showsOwner: Bool

    init(isEncoded: Bool, showsOwner: Bool) {
        self.isEncoded = isEncoded
        self.showsOwner = showsOwner
    }

    mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary) {
        count += 1
        let shown = isEncoded ? PercentCoding.encode(key, keepsSlash: true) : Array(key)
        let showsOwner = showsOwner
        contents.element("Contents") { xml in
            xml.element("Key", utf8: shown)
            xml.element("LastModified", time: summary.modifiedMilliseconds)
            xml.element("ETag", "\"\(summary.etag)\"")
            xml.element("Size", summary.size)
            if showsOwner { xml.owner() }
            xml.element("StorageClass", "STANDARD")
        }
    }

    mutating func prefix(_ prefix: UnsafeRawBufferPointer) {
        count += 1
        let shown = isEncoded ? PercentCoding.encode(prefix, keepsSlash: true) : Array(prefix)
        prefixes.element("CommonPrefixes") { $0.element("Prefix", utf8: shown) }
    }
}
