// Listing: the one answer whose size follows the data, so it is written while the rows are scanned.

internal import VortexCluster
internal import VortexCore

/// `GET /v1/objects/{bucket}`: a page of keys, written as JSON while the index is scanned.
extension RESTHandler {
    /// Keys begin with `prefix` and come after `after` in the order of their bytes; those in which
    /// `delimiter` stands behind the prefix are folded into one entry of `prefixes`, up to and with
    /// it.
    func listObjects(_ call: Call) async throws(Problem) -> Response {
        let (bucket, limit, range) = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["prefix", "delimiter", "after", "limit"])
            let range = (
                prefix: try call.partOfKey("prefix", .prefix),
                delimiter: try call.partOfKey("delimiter", .delimiter),
                after: try call.partOfKey("after", .after)
            )
            return (try call.bucket(), try call.limit(), range)
        }
        let (page, next) = try await asking { () async throws(ClusterError) in
            var page = ListPageWriter(limit: limit)
            let next = try await self.node.list(
                bucket: bucket, prefix: range.prefix, delimiter: range.delimiter,
                after: range.after, limit: limit, into: &page)
            return (page, next)
        }
        var json = JSONWriter(reserving: page.objects.bytes.count + 1_024)
        json.object { json in
            json.member("bucket", bucket)
            json.member("prefix", utf8: range.prefix)
            json.member("delimiter", utf8: range.delimiter)
            json.array("objects", finished: page.objects)
            json.array("prefixes", finished: page.prefixes)
            if let next { json.member("next", utf8: next) } else { json.null("next") }
        }
        return Response(
            status: 200, headers: [("Content-Type", "application/json")],
            content: .bytes(json.bytes))
    }
}

/// Writes entries as JSON while the cluster goes over them, without an allocation per key.
private struct ListPageWriter: ListSink {
    var objects: JSONWriter
    var prefixes = JSONWriter()

    /// A typical entry is about this long.
    private static let entryBytes = 160

    init(limit: Int) { objects = JSONWriter(reserving: limit * Self.entryBytes) }

    mutating func object(key: UnsafeRawBufferPointer, summary: ObjectSummary) {
        objects.beginObject()
        objects.key("key")
        objects.value(utf8: key)
        objects.member("size", summary.size)
        objects.member("etag", tag: summary.tag)
        objects.member("modified", time: summary.modifiedMilliseconds)
        objects.endObject()
    }

    mutating func prefix(_ prefix: UnsafeRawBufferPointer) { prefixes.value(utf8: prefix) }
}
