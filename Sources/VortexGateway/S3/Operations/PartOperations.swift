internal import VortexCluster
internal import VortexCore

/// UploadPart, UploadPartCopy, ListParts.
extension S3Handler {
    func uploadPart(_ call: S3Call) async throws(S3Error) -> Response {
        let (place, number) = (try call.upload(), try call.partNumber())
        try call.require(.write, bucket: place.bucket, key: place.key)
        var plan = try Self.bodyPlan(call)
        let rule = try await checksumRule(of: place)
        if let claimed = plan.checksum?.algorithm, let rule, claimed != rule.algorithm {
            throw S3Error(
                .invalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: "
                    + "\(rule.algorithm.name.lowercased()), actual checksum Type: "
                    + claimed.name.lowercased())
        }
        plan.computed = rule?.algorithm
        let body = S3Body(call.source, plan, wantsTag: true, lanes: lanes)
        let part: StoredPart
        do throws(ClusterError) {
            part = try await node.putPart(place, number: number, body: body)
        } catch { throw body.failure ?? place.error(error) }
        var headers = [("ETag", "\"\(part.tag)\"")]
        if let checksum = part.checksum {
            headers.append((checksum.algorithm.header, checksum.text(of: part.tag)))
        }
        return Response(status: 200, headers: headers)
    }

    private func checksumRule(of place: UploadPlace) async throws(S3Error) -> ChecksumRule? {
        do throws(ClusterError) { return try await node.multipart(place).checksum } catch {
            throw place.error(error)
        }
    }

    func uploadPartCopy(_ call: S3Call) async throws(S3Error) -> Response {
        let (place, number) = (try call.upload(), try call.partNumber())
        try call.require(.write, bucket: place.bucket, key: place.key)
        let source = try CopySource(call.headers["x-amz-copy-source"] ?? "")
        try await requireSource(source, call)
        let rule = try await checksumRule(of: place)
        let found = try await copied(source, call)
        let version = found.version
        let range = try Self.copiedRange(
            call.headers["x-amz-copy-source-range"], size: version.size)
        guard range.upperBound - range.lowerBound <= Self.bodyBytesMax else {
            throw S3Error(
                .invalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy "
                    + "source: \(Self.bodyBytesMax)")
        }
        let body = try await copyBody(source, version, range, rule?.algorithm)
        let part: StoredPart
        do throws(ClusterError) {
            part = try await node.putPart(place, number: number, body: body)
        } catch { throw place.error(error) }
        var response = Response.xml(
            XMLWriter.document("CopyPartResult") { xml in
                xml.element("LastModified", time: part.modifiedMilliseconds)
                xml.element("ETag", "\"\(part.tag)\"")
                xml.checksum(part.checksum, of: part.tag)
            })
        response.headers += found.sourceHeaders
        return response
    }

    /// `bytes=first-last`, both given.
    static func copiedRange(_ text: String?, size: UInt64) throws(S3Error) -> Range<UInt64> {
        guard let text else { return 0..<size }
        let bounds = text.hasPrefix("bytes=") ? text.dropFirst(6).split(separator: "-") : []
        guard bounds.count == 2, text.utf8.count(where: { $0 == UInt8(ascii: "-") }) == 1,
            let first = UInt64(bounds[0]), let last = UInt64(bounds[1]), first <= last,
            last < .max
        else {
            throw .argument(
                "x-amz-copy-source-range", text,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                    + "first and last are the zero-based offsets of the first and last bytes to "
                    + "copy")
        }
        guard last < size else {
            throw S3Error(
                .invalidRange, "Range specified is not valid for source object of size: \(size)")
        }
        return first..<last + 1
    }

    func listParts(_ call: S3Call) async throws(S3Error) -> Response {
        let place = try call.upload()
        try call.require(.write, bucket: place.bucket, key: place.key)
        let limit = try call.count("max-parts")
        let marker = try call.text("part-number-marker") ?? "0"
        guard let after = UInt32(marker), after <= UInt32(Int32.max) else {
            throw .argument(
                "part-number-marker", marker,
                "Argument part-number-marker must be an integer between 0 and 2147483647")
        }
        let (info, parts, more): (MultipartInfo, [StoredPart], Bool)
        do throws(ClusterError) {
            (info, parts, more) = try await node.storedParts(place, after: after, limit: limit)
        } catch { throw place.error(error) }
        return .xml(
            XMLWriter.document("ListPartsResult", reserving: 512 + 256 * parts.count) { xml in
                xml.element("Bucket", place.bucket)
                xml.element("Key", utf8: place.key)
                xml.element("UploadId", place.id.description)
                xml.element("PartNumberMarker", UInt64(after))
                xml.element("NextPartNumberMarker", UInt64(parts.last?.number ?? 0))
                xml.element("MaxParts", UInt64(limit))
                xml.element("IsTruncated", more)
                for part in parts { xml.part(part) }
                xml.owner("Initiator")
                xml.owner()
                xml.element("StorageClass", "STANDARD")
                xml.checksumRule(info.checksum)
            })
    }
}

extension XMLWriter {
    fileprivate mutating func part(_ part: StoredPart) {
        element("Part") { xml in
            xml.element("PartNumber", UInt64(part.number))
            xml.element("LastModified", time: part.modifiedMilliseconds)
            xml.element("ETag", "\"\(part.tag)\"")
            xml.element("Size", part.extent.length)
            xml.checksum(part.checksum, of: part.tag)
        }
    }
}
