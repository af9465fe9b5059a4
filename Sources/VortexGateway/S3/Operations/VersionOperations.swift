internal import VortexCluster
internal import VortexCore

/// PutBucketVersioning, GetBucketVersioning, and what all operations say about versions.
extension S3Handler {
    func putBucketVersioning(_ call: S3Call) async throws(S3Error) -> Response {
        let name = try call.bucket()
        try call.require(.admin, bucket: name)
        let root: XMLElement
        let body = try await document(call)
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        guard root.name == "VersioningConfiguration" else { throw S3Error(.malformedXML) }
        switch root.value("MfaDelete") {
        case nil, "Disabled"?: break
        case "Enabled"?: throw .notImplemented("MfaDelete")
        default: throw S3Error(.malformedXML)
        }
        let versioning: Versioning
        switch root.value("Status") {
        case "Enabled"?: versioning = .enabled
        case "Suspended"?: versioning = .suspended
        case nil: throw S3Error(.illegalVersioning)
        default: throw S3Error(.malformedXML)
        }
        try await s3Asking { () async throws(ClusterError) in
            try await self.node.setVersioning(bucket: name, versioning)
        }
        return Response(status: 200)
    }

    /// Where it was never enabled: an element without a status.
    func getBucketVersioning(_ call: S3Call) async throws(S3Error) -> Response {
        let name = try call.bucket()
        guard call.caller.knows(bucket: name) else { throw S3Error(.accessDenied) }
        let versioning = try await s3Asking { () async throws(ClusterError) in
            try await self.node.versioning(bucket: name)
        }
        return .xml(
            XMLWriter.document("VersioningConfiguration") { xml in
                switch versioning {
                case .off: break
                case .enabled: xml.element("Status", "Enabled")
                case .suspended: xml.element("Status", "Suspended")
                }
            })
    }

    /// The version that is asked for, which is no delete marker.
    func found(
        _ bucket: String, _ key: [UInt8], _ name: VersionName?
    ) async throws(S3Error) -> FoundVersion {
        let found: FoundVersion
        do throws(ClusterError) {
            found = try await node.find(bucket: bucket, key: key, version: name)
        } catch { throw Self.readError(error, key, name) }
        guard found.version.isMarker else { return found }
        throw Self.markerError(found.version, key, isNamed: name != nil)
    }

    static func readError(
        _ error: ClusterError, _ key: [UInt8], _ version: VersionName?
    ) -> S3Error {
        var answer = S3Error(answering: error)
        guard error == .noSuchObject || error == .noSuchVersion else { return answer }
        answer.details.append(.init(name: .key, value: String(decoding: key, as: UTF8.self)))
        if let version, error == .noSuchVersion {
            answer.details.append(.init(name: .versionID, value: version.description))
        }
        return answer
    }

    /// A delete marker is there, but has nothing to read; the newest one is an object that is gone.
    static func markerError(
        _ marker: ObjectVersion, _ key: [UInt8], isNamed: Bool
    ) -> S3Error {
        var answer = S3Error(isNamed ? .methodNotAllowed : .noSuchKey)
        answer.details = [.init(name: .key, value: String(decoding: key, as: UTF8.self))]
        answer.headers = [
            .init(name: "x-amz-delete-marker", value: "true"),
            .init(name: "x-amz-version-id", value: marker.name.description),
        ]
        if isNamed {
            let modified = HTTPDate.string(seconds: Int64(marker.modifiedMilliseconds / 1_000))
            answer.headers += [
                .init(name: "Allow", value: "DELETE"),
                .init(name: "Last-Modified", value: modified),
            ]
        }
        return answer
    }
}

extension FoundVersion {
    /// Of a bucket that has never kept versions nothing is said.
    var headers: [(String, String)] {
        isVersioned ? [("x-amz-version-id", version.name.description)] : []
    }

    /// The same of what was copied.
    var sourceHeaders: [(String, String)] {
        isVersioned ? [("x-amz-copy-source-version-id", version.name.description)] : []
    }
}

extension PutResult {
    var headers: [(String, String)] {
        FoundVersion(version: version, isVersioned: isVersioned).headers
    }
}

extension DeleteResult {
    var headers: [(String, String)] {
        guard let version else { return [] }
        let headers = [("x-amz-version-id", version.description)]
        return isMarker ? headers + [("x-amz-delete-marker", "true")] : headers
    }
}
