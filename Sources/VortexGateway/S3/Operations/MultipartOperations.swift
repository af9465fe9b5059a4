internal import VortexCluster
internal import VortexCore

/// CreateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload: an upload's beginning and
/// its two ends.
extension S3Handler {
    func createMultipartUpload(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.write, bucket: bucket, key: key)
        let attributes = try S3Headers.attributes(of: call.headers)
        let rule = try ChecksumRule.find(call.headers)
        let id = try await s3Asking { () async throws(ClusterError) in
            try await self.node.createMultipart(
                bucket: bucket, key: key, attributes: attributes, checksum: rule)
        }
        var response = Response.xml(
            XMLWriter.document("InitiateMultipartUploadResult") { xml in
                xml.element("Bucket", bucket)
                xml.element("Key", utf8: key)
                xml.element("UploadId", id.description)
            })
        response.headers += rule?.headers ?? []
        return response
    }

    func completeMultipartUpload(_ call: S3Call) async throws(S3Error) -> Response {
        let place = try call.upload()
        try call.require(.write, bucket: place.bucket, key: place.key)
        let condition = try Self.writeCondition(call.headers)
        let promise = try ObjectPromise(call.headers)
        let root: XMLElement
        let body = try await document(call, claim: .object)
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        let list = try PartList(root)
        var refusal: S3Error?
        let result: PutResult
        do throws(ClusterError) {
            result = try await node.completeMultipart(
                place, tag: list.tag, condition: condition
            ) { (info, stored) throws(ClusterError) -> ClusterNode.ChosenParts in
                do throws(S3Error) {
                    let parts = try list.choose(from: stored)
                    let checksum = try promise.verified(info.checksum, parts)
                    return ClusterNode.ChosenParts(
                        extents: parts.map(\.extent), checksum: checksum)
                } catch {
                    refusal = error
                    throw .invalidPart
                }
            }
        } catch {
            if error == .invalidPart, let refusal { throw refusal }
            throw place.error(error)
        }
        let version = result.version
        let location = "\(call.origin.root(call.headers))/\(place.bucket)/"
        var response = Response.xml(
            XMLWriter.document("CompleteMultipartUploadResult") { xml in
                xml.element(
                    "Location",
                    utf8: Array(location.utf8) + PercentCoding.encode(place.key, keepsSlash: true))
                xml.element("Bucket", place.bucket)
                xml.element("Key", utf8: place.key)
                xml.element("ETag", "\"\(version.etag)\"")
                xml.checksum(version.checksum, of: version.tag)
                if let checksum = version.checksum {
                    xml.element("ChecksumType", checksum.kind.name)
                }
            })
        response.headers += result.headers
        return response
    }

    func abortMultipartUpload(_ call: S3Call) async throws(S3Error) -> Response {
        let place = try call.upload()
        try call.require(.write, bucket: place.bucket, key: place.key)
        do throws(ClusterError) { try await node.abortMultipart(place) } catch {
            throw place.error(error)
        }
        return Response(status: 204)
    }
}

extension S3Call {
    /// The upload that `uploadId` names; one that is not an id is of no upload.
    func upload() throws(S3Error) -> UploadPlace {
        let (bucket, key) = (try bucket(), try key())
        let text = try text("uploadId") ?? ""
        guard let id = UploadID(text) else {
            throw S3Error(.noSuchUpload, nil, [.init(name: .uploadID, value: text)])
        }
        return UploadPlace(bucket: bucket, key: key, id: id)
    }

    func partNumber() throws(S3Error) -> UInt32 {
        let text = try text("partNumber") ?? ""
        guard let number = UInt32(text), PartList.numbers.contains(number) else {
            throw .argument(
                "partNumber", text,
                "Part number must be an integer between 1 and 10000, inclusive")
        }
        return number
    }
}

extension UploadPlace {
    func error(_ error: ClusterError) -> S3Error {
        var answer = S3Error(answering: error)
        if answer.code == .noSuchUpload {
            answer.details.append(.init(name: .uploadID, value: id.description))
        }
        return answer
    }
}
