internal import VortexCluster
internal import VortexCore

/// DeleteObject and DeleteObjects.
extension S3Handler {
    func deleteObject(_ call: S3Call) async throws(S3Error) -> Response {
        let version = try call.version()
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let condition = try Self.writeCondition(call.headers)
        let idempotency = Self.idempotency(call, condition)
        let result = try await s3Asking { () async throws(ClusterError) in
            try await self.node.delete(
                bucket: bucket, key: key, version: version, condition: condition,
                idempotency: idempotency)
        }
        return Response(status: 204, headers: result.headers)
    }

    private struct Deletion: Sendable {
        var key: [UInt8]
        var tag: String?
        /// Told back as it was given.
        var version: String?
    }

    static let deletionsMax = 1_000
    /// Keys deleted at the same time.
    private static let deletionsTogether = 16

    func deleteObjects(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try call.bucket()
        guard call.caller.knows(bucket: bucket) else { throw S3Error(.accessDenied) }
        let root: XMLElement
        let body = try await document(call)
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        let deletions = try Self.deletions(root)
        _ = try await s3Asking { () async throws(ClusterError) in
            try await self.node.bucket(bucket)
        }
        let isQuiet = root.value("Quiet") == "true"
        let outcomes = await delete(deletions, bucket, call.caller)
        let document = XMLWriter.document("DeleteResult") { xml in
            for (deletion, outcome) in zip(deletions, outcomes) {
                switch outcome {
                case .success where isQuiet: break
                case .success(let result): xml.deleted(deletion.key, deletion.version, result)
                case .failure(let failure): xml.failed(deletion.key, deletion.version, failure)
                }
            }
        }
        return .xml(document)
    }

    private static func deletions(_ root: XMLElement) throws(S3Error) -> [Deletion] {
        let objects = root.all("Object")
        guard root.name == "Delete", (1...deletionsMax).contains(objects.count) else {
            throw S3Error(.malformedXML)
        }
        var deletions: [Deletion] = []
        for object in objects {
            // A key may begin or end with spaces: its text is taken as it is.
            guard let key = object.child("Key")?.text, !key.isEmpty else {
                throw S3Error(.malformedXML)
            }
            for name in ["LastModifiedTime", "Size"] where object.child(name) != nil {
                throw .notImplemented("\(name) in DeleteObjects")
            }
            deletions.append(
                Deletion(
                    key: Array(key.utf8), tag: object.value("ETag"),
                    version: object.value("VersionId")))
        }
        return deletions
    }

    private typealias Outcome = Result<DeleteResult, S3Error>

    /// In the order of `deletions`.
    private func delete(
        _ deletions: [Deletion], _ bucket: String, _ caller: Caller
    ) async -> [Outcome] {
        await withTaskGroup(of: (Int, Outcome).self) { group in
            let none = Outcome.failure(S3Error(.internalError))
            var outcomes = [Outcome](repeating: none, count: deletions.count)
            var started = 0
            while started < min(Self.deletionsTogether, deletions.count) {
                let (index, deletion) = (started, deletions[started])
                group.addTask { (index, await self.delete(deletion, bucket, caller)) }
                started += 1
            }
            while let (index, outcome) = await group.next() {
                outcomes[index] = outcome
                guard started < deletions.count else { continue }
                let (next, deletion) = (started, deletions[started])
                group.addTask { (next, await self.delete(deletion, bucket, caller)) }
                started += 1
            }
            return outcomes
        }
    }

    private func delete(
        _ deletion: Deletion, _ bucket: String, _ caller: Caller
    ) async -> Outcome {
        do throws(S3Error) {
            let key = try S3Place.checked(deletion.key)
            guard caller.may(.write, bucket: bucket, key: key) else {
                throw S3Error(.accessDenied)
            }
            let version = try deletion.version.map { text throws(S3Error) in
                try S3Call.version(text)
            }
            var condition = WriteCondition()
            if let tag = deletion.tag {
                condition.ifMatch = tag == "*" ? .any : .tags([tag.filter { $0 != "\"" }])
            }
            let order = condition
            let result = try await s3Asking { () async throws(ClusterError) in
                try await self.node.delete(
                    bucket: bucket, key: key, version: version, condition: order,
                    idempotency: nil)
            }
            return .success(result)
        } catch { return .failure(error) }
    }
}

extension XMLWriter {
    fileprivate mutating func deleted(_ key: [UInt8], _ version: String?, _ result: DeleteResult) {
        element("Deleted") { xml in
            xml.element("Key", utf8: key)
            if let version { xml.element("VersionId", version) }
            guard result.isMarker, let marker = result.version else { return }
            xml.element("DeleteMarker", true)
            xml.element("DeleteMarkerVersionId", marker.description)
        }
    }

    fileprivate mutating func failed(_ key: [UInt8], _ version: String?, _ failure: S3Error) {
        element("Error") { xml in
            xml.element("Key", utf8: key)
            if let version { xml.element("VersionId", version) }
            xml.element("Code", failure.code.rawValue)
            xml.element("Message", failure.message)
        }
    }
}
