internal import VortexCluster
internal import VortexCore

/// ListMultipartUploads.
extension S3Handler {
    func listMultipartUploads(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try call.bucket()
        let question = UploadQuestion(
            prefix: try call.bytes("prefix"), delimiter: try call.bytes("delimiter"),
            keyMarker: try call.bytes("key-marker"), idMarker: try Self.idMarker(call),
            limit: try call.count("max-uploads"))
        try call.require(.list, bucket: bucket, key: question.prefix)
        let isEncoded = try call.isURLEncoded()
        for bytes in [question.prefix, question.delimiter, question.keyMarker] {
            guard bytes.count <= Limits.keyBytesMax, String(validating: bytes, as: UTF8.self) != nil
            else { throw S3Error(.invalidArgument) }
        }
        let (items, more) = try await s3Asking { () async throws(ClusterError) in
            try await self.node.multipartUploads(bucket: bucket, question)
        }
        func shown(_ bytes: [UInt8]) -> [UInt8] {
            isEncoded ? PercentCoding.encode(bytes, keepsSlash: true) : bytes
        }
        return .xml(
            XMLWriter.document("ListMultipartUploadsResult", reserving: 1_024) { xml in
                xml.element("Bucket", bucket)
                xml.element("KeyMarker", utf8: shown(question.keyMarker))
                xml.element("UploadIdMarker", question.idMarker?.description ?? "")
                if more, let last = items.last {
                    xml.element("NextKeyMarker", utf8: shown(last.name))
                    xml.element("NextUploadIdMarker", last.upload?.id.description ?? "")
                }
                xml.element("Prefix", utf8: shown(question.prefix))
                if !question.delimiter.isEmpty {
                    xml.element("Delimiter", utf8: shown(question.delimiter))
                }
                if isEncoded { xml.element("EncodingType", "url") }
                xml.element("MaxUploads", UInt64(question.limit))
                xml.element("IsTruncated", more)
                for item in items {
                    if let upload = item.upload { xml.upload(upload, shown(item.name)) }
                }
                for item in items where item.upload == nil {
                    xml.element("CommonPrefixes") { $0.element("Prefix", utf8: shown(item.name)) }
                }
            })
    }

    /// It counts only beside a key-marker.
    private static func idMarker(_ call: S3Call) throws(S3Error) -> UploadID? {
        guard let text = try call.text("upload-id-marker"), !text.isEmpty,
            try !call.bytes("key-marker").isEmpty
        else { return nil }
        guard let id = UploadID(text) else {
            throw .argument("upload-id-marker", text, "Invalid uploadId marker")
        }
        return id
    }
}

extension XMLWriter {
    fileprivate mutating func upload(_ upload: ListedUpload, _ key: [UInt8]) {
        element("Upload") { xml in
            xml.element("Key", utf8: key)
            xml.element("UploadId", upload.id.description)
            xml.owner("Initiator")
            xml.owner()
            xml.element("StorageClass", "STANDARD")
            xml.element("Initiated", time: upload.info.startedMilliseconds)
            xml.checksumRule(upload.info.checksum)
        }
    }
}
