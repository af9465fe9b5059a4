/// One header of the user's own; the name in lower case and without the prefix `x-vortex-meta-`.
public struct UserMetadata: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A tag of an object, as S3 has them: changed without the object's bytes.
public struct ObjectTag: Hashable, Sendable {
    public var key: String
    public var value: String
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// What a client says about a body, kept and given back unchanged.
public struct ObjectAttributes: Hashable, Sendable {
    public var contentType: String?
    public var contentEncoding: String?
    public var contentDisposition: String?
    public var contentLanguage: String?
    public var cacheControl: String?
    public var expires: String?
    public var userMetadata: [UserMetadata]
    /// At most `Limits.tagsMax`; they do not count as metadata.
    public var tags: [ObjectTag] = []

    public init(
        contentType: String? = nil, contentEncoding: String? = nil,
        contentDisposition: String? = nil, contentLanguage: String? = nil,
        cacheControl: String? = nil, expires: String? = nil, userMetadata: [UserMetadata] = []
    ) {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.contentDisposition = contentDisposition
        self.contentLanguage = contentLanguage
        self.cacheControl = cacheControl
        self.expires = expires
        self.userMetadata = userMetadata
    }

    /// What counts against `Limits.metadataBytesMax`.
    public var bytes: Int {
        headers.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
            + userMetadata.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }

    fileprivate var headers: [String?] {
        [
            contentType, contentEncoding, contentDisposition, contentLanguage, cacheControl,
            expires,
        ]
    }
}

extension ByteWriter {
    /// A byte with one bit per header that is there, and one for tags; the headers, then the user's
    /// own, then the tags.
    public mutating func write(_ attributes: ObjectAttributes) {
        let headers = attributes.headers
        var present: UInt8 = 0
        for (bit, header) in headers.enumerated() where header != nil { present |= 1 << UInt8(bit) }
        if !attributes.tags.isEmpty { present |= 1 << 6 }
        write(present)
        for case .some(let header) in headers { write(text: header) }
        write(number: UInt64(attributes.userMetadata.count))
        for metadata in attributes.userMetadata {
            write(text: metadata.name)
            write(text: metadata.value)
        }
        guard !attributes.tags.isEmpty else { return }
        write(number: UInt64(attributes.tags.count))
        for tag in attributes.tags {
            write(text: tag.key)
            write(text: tag.value)
        }
    }
}

extension ByteReader {
    public mutating func readObjectAttributes() throws(CodingError) -> ObjectAttributes {
        let present = try readByte()
        guard present < 128 else { throw .unknown(tag: UInt64(present)) }
        var attributes = ObjectAttributes()
        attributes.contentType = try readHeader(present, bit: 0)
        attributes.contentEncoding = try readHeader(present, bit: 1)
        attributes.contentDisposition = try readHeader(present, bit: 2)
        attributes.contentLanguage = try readHeader(present, bit: 3)
        attributes.cacheControl = try readHeader(present, bit: 4)
        attributes.expires = try readHeader(present, bit: 5)
        let count = try readCount(max: Limits.metadataBytesMax)
        for _ in 0..<count {
            let name = try readText(max: Limits.metadataBytesMax)
            let value = try readText(max: Limits.metadataBytesMax)
            attributes.userMetadata.append(UserMetadata(name: name, value: value))
        }
        guard present & 1 << 6 != 0 else { return attributes }
        for _ in 0..<(try readCount(max: Limits.tagsMax)) {
            let key = try readText(max: Limits.tagTextBytesMax)
            let value = try readText(max: Limits.tagTextBytesMax)
            attributes.tags.append(ObjectTag(key: key, value: value))
        }
        return attributes
    }

    private mutating func readHeader(_ present: UInt8, bit: UInt8) throws(CodingError) -> String? {
        present & (1 << bit) == 0 ? nil : try readText(max: Limits.metadataBytesMax)
    }
}
