internal import VortexCluster
internal import VortexCore

/// GetObjectAttributes: what is known of an object, as far as it is asked for.
extension S3Handler {
    private enum Attribute: String {
        case etag = "ETag"
        case checksum = "Checksum"
        case parts = "ObjectParts"
        case storageClass = "StorageClass"
        case size = "ObjectSize"
    }

    func getObjectAttributes(_ call: S3Call) async throws(S3Error) -> Response {
        let (bucket, key) = (try call.bucket(), try call.key())
        try call.require(.read, bucket: bucket, key: key)
        let wanted = try Self.attributes(call.headers)
        let limit = try Self.number(call.headers, "x-amz-max-parts") ?? Limits.listPageMax
        let marker = try Self.number(call.headers, "x-amz-part-number-marker") ?? 0
        let found = try await found(bucket, key, try call.version())
        let version = found.version
        let modified = HTTPDate.string(seconds: Int64(version.modifiedMilliseconds / 1_000))
        var response = Response.xml(
            XMLWriter.document("GetObjectAttributesResponse") { xml in
                if wanted.contains(.etag) { xml.element("ETag", version.etag) }
                if wanted.contains(.checksum), let checksum = version.checksum {
                    xml.element("Checksum") { xml in
                        xml.checksum(checksum, of: version.tag)
                        xml.element("ChecksumType", checksum.kind.name)
                    }
                }
                if wanted.contains(.parts), version.isInParts {
                    xml.element("ObjectParts") { xml in
                        xml.parts(of: version, after: marker, most: min(limit, Limits.listPageMax))
                    }
                }
                if wanted.contains(.storageClass) { xml.element("StorageClass", "STANDARD") }
                if wanted.contains(.size) { xml.element("ObjectSize", version.size) }
            })
        response.headers.append(("Last-Modified", modified))
        response.headers += found.headers
        return response
    }

    private static func attributes(
        _ headers: HeaderFields
    ) throws(S3Error) -> Set<Attribute> {
        let names = headers.all("x-amz-object-attributes").flatMap { $0.split(separator: ",") }
            .map { String(decoding: SignatureCheck.trimmed(String($0)), as: UTF8.self) }
        var wanted: Set<Attribute> = []
        for name in names {
            guard let attribute = Attribute(rawValue: name) else {
                throw .argument(
                    "x-amz-object-attributes", name, "Invalid attribute name specified.")
            }
            wanted.insert(attribute)
        }
        guard !wanted.isEmpty else {
            throw S3Error(
                .invalidRequest,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is "
                    + "either missing or empty")
        }
        return wanted
    }

    private static func number(
        _ headers: HeaderFields, _ name: String
    ) throws(S3Error) -> Int? {
        guard let text = headers[name] else { return nil }
        guard let value = UInt32(text), value <= UInt32(Int32.max) else {
            throw .argument(name, text, "An integer is expected.")
        }
        return Int(value)
    }
}

extension XMLWriter {
    /// Parts one by one only where their checksums are known, as in Amazon's.
    fileprivate mutating func parts(of version: ObjectVersion, after marker: Int, most: Int) {
        if let checksum = version.checksum, checksum.part(0) != nil {
            let start = min(marker, version.partCount)
            let end = min(version.partCount, start + most)
            element("PartNumberMarker", UInt64(marker))
            element("NextPartNumberMarker", UInt64(end))
            element("MaxParts", UInt64(most))
            element("IsTruncated", end < version.partCount)
            for index in start..<end {
                let bytes = version.bytes(ofPart: index) ?? 0..<0
                element("Part") { xml in
                    xml.element("PartNumber", UInt64(index + 1))
                    xml.element("Size", bytes.upperBound - bytes.lowerBound)
                    if let value = checksum.part(index) {
                        xml.element(checksum.algorithm.element, Base64.encode(value))
                    }
                }
            }
        }
        element("PartsCount", UInt64(version.partCount))
    }
}
