internal import VortexCluster
internal import VortexCore

/// ListObjectVersions.
extension S3Handler {
    private struct VersionQuestion: Sendable {
        var bucket: String
        var prefix: [UInt8]
        var delimiter: [UInt8]
        var keyMarker: [UInt8]
        var versionMarker: String?
        var limit: Int
        var isEncoded: Bool

        /// Of a key that a client saw.
        func shown(_ bytes: [UInt8]) -> [UInt8] {
            isEncoded ? PercentCoding.encode(bytes, keepsSlash: true) : bytes
        }
    }

    func listObjectVersions(_ call: S3Call) async throws(S3Error) -> Response {
        let question = try Self.question(call)
        try call.require(.list, bucket: question.bucket, key: question.prefix)
        let after = try Self.marker(question)
        guard question.limit > 0 else {
            _ = try await s3Asking { () async throws(ClusterError) in
                try await self.node.bucket(question.bucket)
            }
            return .xml(Self.document(question, ClusterNode.VersionPage()))
        }
        let page = try await s3Asking { () async throws(ClusterError) in
            try await self.node.listVersions(
                bucket: question.bucket, prefix: question.prefix, delimiter: question.delimiter,
                after: after, limit: question.limit)
        }
        return .xml(Self.document(question, page))
    }

    private static func question(_ call: S3Call) throws(S3Error) -> VersionQuestion {
        let marker = try call.text("version-id-marker")
        let question = VersionQuestion(
            bucket: try call.bucket(), prefix: try call.bytes("prefix"),
            delimiter: try call.bytes("delimiter"), keyMarker: try call.bytes("key-marker"),
            versionMarker: marker == "" ? nil : marker, limit: try call.count("max-keys"),
            isEncoded: try call.isURLEncoded())
        for bytes in [question.prefix, question.delimiter, question.keyMarker] {
            guard bytes.count <= Limits.keyBytesMax, String(validating: bytes, as: UTF8.self) != nil
            else { throw S3Error(.invalidArgument) }
        }
        return question
    }

    private static func marker(
        _ question: VersionQuestion
    ) throws(S3Error) -> ClusterNode.VersionMarker? {
        guard let text = question.versionMarker else {
            return question.keyMarker.isEmpty ? nil : .init(key: question.keyMarker, place: nil)
        }
        guard !question.keyMarker.isEmpty else {
            throw .argument(
                "version-id-marker", text,
                "A version-id marker cannot be specified without a key marker.")
        }
        guard let place = VersionPlace.place(text) else {
            throw .argument("version-id-marker", text, "Invalid version id specified")
        }
        return .init(key: question.keyMarker, place: place)
    }

    private static func document(
        _ question: VersionQuestion, _ page: ClusterNode.VersionPage
    ) -> [UInt8] {
        XMLWriter.document("ListVersionsResult", reserving: 1_024 + 512 * page.entries.count) {
            xml in
            xml.element("Name", question.bucket)
            xml.element("Prefix", utf8: question.shown(question.prefix))
            xml.element("KeyMarker", utf8: question.shown(question.keyMarker))
            xml.element("VersionIdMarker", question.versionMarker ?? "")
            if let next = page.next {
                xml.element("NextKeyMarker", utf8: question.shown(next.key))
                if let place = next.place {
                    xml.element("NextVersionIdMarker", VersionPlace.text(place))
                }
            }
            xml.element("MaxKeys", UInt64(question.limit))
            if !question.delimiter.isEmpty {
                xml.element("Delimiter", utf8: question.shown(question.delimiter))
            }
            if question.isEncoded { xml.element("EncodingType", "url") }
            xml.element("IsTruncated", page.next != nil)
            for case .version(let key, let version, let isNewest) in page.entries {
                xml.version(version, question.shown(key), isNewest)
            }
            for case .prefix(let prefix) in page.entries {
                xml.element("CommonPrefixes") {
                    $0.element("Prefix", utf8: question.shown(prefix))
                }
            }
        }
    }
}

/// Where the listing of one key's versions goes on: a version's name, as clients have it, or what
/// stands for its place also when it is deleted by then.
private enum VersionPlace {
    static func text(_ place: ClusterNode.VersionMarker.Place) -> String {
        switch place {
        case .version(let name): name.description
        case .modified(let milliseconds): Hex.string(milliseconds)
        }
    }

    static func place(_ text: String) -> ClusterNode.VersionMarker.Place? {
        if text.utf8.count == 16 {
            return Hex.value(text.utf8).map { .modified($0) }
        }
        return VersionName(text).map { .version($0) }
    }
}

extension XMLWriter {
    fileprivate mutating func version(
        _ version: VersionSummary, _ shownKey: [UInt8], _ isNewest: Bool
    ) {
        element(version.isMarker ? "DeleteMarker" : "Version") { xml in
            xml.element("Key", utf8: shownKey)
            xml.element("VersionId", version.name.description)
            xml.element("IsLatest", isNewest)
            xml.element("LastModified", time: version.modifiedMilliseconds)
            if !version.isMarker {
                xml.element("ETag", "\"\(version.etag)\"")
                xml.element("Size", version.size)
            }
            xml.owner()
            if !version.isMarker { xml.element("StorageClass", "STANDARD") }
        }
    }
}
