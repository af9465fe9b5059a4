internal import VortexCluster
internal import VortexCore

/// DeleteObject and DeleteObjects.
extension S3Handler {
    func deleteObject(_ call: S3Call) async throws(S3Error) -> Response {
        try call.checkVersion()
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let condition = try Self.writeCondition(call.headers)
        let idempotency = Self.idempotency(call, condition)
        _ = try await s3Asking { () async throws(ClusterError) in
            try await self.node.delete(
                bucket: bucket, key: key, condition: condition, idempotency: idempotency)
        }
        return Response(status: 204)
    }

    private struct Deletion: Sendable {
        var key: [UInt8]
        var tag: String?
        /// The only version there is; told back as it was given.
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
        let failures = await delete(deletions, bucket, call.caller)
        let document = XMLWriter.document("DeleteResult") { xml in
            for (deletion, failure) in zip(deletions, failures) {
                if let failure {
                    xml.element("Error") { xml in
                        xml.element("Key", utf8: deletion.key)
                        if let version = deletion.version { xml.element("VersionId", version) }
                        xml.element("Code", failure.code.rawValue)
                        xml.element("Message", failure.message)
                    }
                } else if !isQuiet {
                    xml.element("Deleted") { xml in
                        xml.element("Key", utf8: deletion.key)
                        if let version = deletion.version { xml.element("VersionId", version) }
                    }
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

    /// In the order of `deletions`; nil for what is gone now.
    private func delete(
        _ deletions: [Deletion], _ bucket: String, _ caller: Caller
    ) async -> [S3Error?] {
        await withTaskGroup(of: (Int, S3Error?).self) { group in
            var failures = [S3Error?](repeating: nil, count: deletions.count)
            var started = 0
            while started < min(Self.deletionsTogether, deletions.count) {
                let (index, deletion) = (started, deletions[started])
                group.addTask { (index, await self.delete(deletion, bucket, caller)) }
                started += 1
            }
            while let (index, failure) = await group.next() {
                failures[index] = failure
                guard started < deletions.count else { continue }
                let (next, deletion) = (started, deletions[started])
                group.addTask { (next, await self.delete(deletion, bucket, caller)) }
                started += 1
            }
            return failures
        }
    }

    private func delete(
        _ deletion: Deletion, _ bucket: String, _ caller: Caller
    ) async -> S3Error? {
        do throws(S3Error) {
            let key = try S3Place.checked(deletion.key)
            guard caller.may(.write, bucket: bucket, key: key) else {
                throw S3Error(.accessDenied)
            }
            if let version = deletion.version, version != "null" {
                throw .notImplemented("VersionId")
            }
            var condition = WriteCondition()
            if let tag = deletion.tag {
                condition.ifMatch = tag == "*" ? .any : .tags([tag.filter { $0 != "\"" }])
            }
            _ = try await s3Asking { () async throws(ClusterError) in
                try await self.node.delete(
                    bucket: bucket, key: key, condition: condition, idempotency: nil)
            }
            return nil
        } catch { return error }
    }
}
