public import VortexCore

/// The headers of a PUT that belong to the object and come back with it.
public enum ContentHeaders {
    public static let metadataPrefix = "x-vortex-meta-"
    static let defaultContentType = "application/octet-stream"

    /// Names are compared without case; each may stand there once. `Limits.metadataBytesMax` bounds
    /// all of them together.
    public static func attributes(
        of headers: some Sequence<(name: String, value: String)>,
        metadataPrefix: String = metadataPrefix
    ) throws(RequestError) -> ObjectAttributes {
        var attributes = ObjectAttributes()
        var metadata: [(name: String, value: String)] = []
        var bytes = 0
        for header in headers {
            let name = header.name.lowercased()
            if name.hasPrefix(metadataPrefix) {
                let short = String(name.dropFirst(metadataPrefix.count))
                try check(header.value, .userMetadata)
                guard !short.isEmpty, short.utf8.allSatisfy(isTokenByte) else {
                    throw .malformed(.userMetadata)
                }
                guard !metadata.contains(where: { $0.name == short }) else {
                    throw .duplicate(.userMetadata)
                }
                metadata.append((short, header.value))
                bytes += short.utf8.count + header.value.utf8.count
            } else if let place = place(of: name) {
                try check(header.value, .contentHeader)
                guard attributes[keyPath: place] == nil else { throw .duplicate(.contentHeader) }
                attributes[keyPath: place] = header.value
                bytes += header.value.utf8.count
            }
            guard bytes <= Limits.metadataBytesMax else { throw .tooLarge(.userMetadata) }
        }
        metadata.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        attributes.userMetadata = metadata.map { UserMetadata(name: $0.name, value: $0.value) }
        return attributes
    }

    private static func place(of name: String) -> WritableKeyPath<ObjectAttributes, String?>? {
        switch name {
        case "content-type": \.contentType
        case "content-encoding": \.contentEncoding
        case "content-disposition": \.contentDisposition
        case "content-language": \.contentLanguage
        case "cache-control": \.cacheControl
        case "expires": \.expires
        default: nil
        }
    }

    /// A control character in a value would end the header of the answer that repeats it.
    private static func check(_ value: String, _ part: RequestPart) throws(RequestError) {
        for byte in value.utf8 where byte < 0x20 && byte != 0x09 || byte == 0x7f {
            throw .malformed(part)
        }
    }

    /// All of `attributes` as headers, with the default Content-Type.
    public static func headers(
        of attributes: ObjectAttributes, metadataPrefix: String = metadataPrefix
    ) -> [(String, String)] {
        var headers = [("Content-Type", attributes.contentType ?? defaultContentType)]
        if let value = attributes.contentEncoding { headers.append(("Content-Encoding", value)) }
        if let value = attributes.contentDisposition {
            headers.append(("Content-Disposition", value))
        }
        if let value = attributes.contentLanguage { headers.append(("Content-Language", value)) }
        if let value = attributes.cacheControl { headers.append(("Cache-Control", value)) }
        if let value = attributes.expires { headers.append(("Expires", value)) }
        for item in attributes.userMetadata {
            headers.append((metadataPrefix + item.name, item.value))
        }
        return headers
    }
}

/// Headers that would change what a write means, and that nothing here implements. Passing over one
/// in silence would store something else than was asked for.
public enum UnsupportedHeaders {
    /// S3 headers that say nothing about the object.
    private static let harmless = ["x-amz-date", "x-amz-user-agent", "x-amz-request-id"]

    public static func refuse(
        _ headers: some Sequence<(name: String, value: String)>
    ) throws(RequestError) {
        for header in headers {
            let name = header.name.lowercased()
            switch name {
            case "content-range": throw .unsupported(.contentRange)
            case "if-unmodified-since": throw .unsupported(.writeDate)
            case "x-amz-copy-source": throw .unsupported(.copySource)
            case "x-http-method-override": throw .unsupported(.methodOverride)
            case "content-encoding" where header.value.lowercased().hasPrefix("aws-chunked"):
                throw .unsupported(.storageHeader)
            // Checked against the body, with a signature or without.
            case "x-amz-content-sha256"
            where header.value == "UNSIGNED-PAYLOAD" || Hex.bytes(header.value.utf8)?.count == 32:
                continue
            default:
                if name.hasPrefix("x-amz-"), !harmless.contains(name) {
                    throw .unsupported(.storageHeader)
                }
                if name.hasPrefix("x-vortex-"), !name.hasPrefix(ContentHeaders.metadataPrefix) {
                    throw .unsupported(.vortexHeader)
                }
            }
        }
    }
}
