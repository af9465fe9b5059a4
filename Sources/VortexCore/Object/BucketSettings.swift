/// What is set of a bucket besides that it is there. Part of the bucket's row, so it changes by the
/// row's register and under the bucket's generation.
///
/// Encoded, all of it together has at most `Limits.bucketSettingsBytesMax`: gateways keep the
/// settings of the buckets that they meet, and nodes tell each other whole rows.
public struct BucketSettings: Hashable, Sendable {
    /// Who gets in without a grant: S3's canned ACLs, as far as they are here.
    public enum Access: UInt8, Hashable, Sendable {
        case `private` = 0
        /// Anybody may read and list.
        case publicRead = 1
    }
    /// S3's object ownership. There is one owner, so only the last changes anything: ACLs are
    /// refused.
    public enum Ownership: UInt8, Hashable, Sendable, CaseIterable {
        case objectWriter = 1
        case ownerPreferred = 2
        case ownerEnforced = 3
    }
    /// S3's public access block. The two about policies are kept; there are no policies.
    public struct PublicAccessBlock: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Public ACLs are refused from now on.
        public static let blockACLs = PublicAccessBlock(rawValue: 1)
        /// A public ACL that is there has no effect.
        public static let ignoreACLs = PublicAccessBlock(rawValue: 2)
        public static let blockPolicies = PublicAccessBlock(rawValue: 4)
        public static let restrictBuckets = PublicAccessBlock(rawValue: 8)
        public static let all: PublicAccessBlock = [
            .blockACLs, .ignoreACLs, .blockPolicies, .restrictBuckets,
        ]
    }

    public var access = Access.private
    /// nil: never set, or deleted.
    public var ownership: Ownership?
    public var publicAccessBlock: PublicAccessBlock?
    /// At most `Limits.bucketTagsMax`.
    public var tags: [ObjectTag] = []
    /// At most `Limits.corsRulesMax`; the first that matches counts.
    public var cors: [CORSRule] = []

    public init() {}

    /// Whether anybody may read and list.
    public var isPublicRead: Bool {
        access == .publicRead && publicAccessBlock?.contains(.ignoreACLs) != true
    }

    public var encodedBytes: Int {
        var writer = ByteWriter(reserving: 256)
        writer.write(self)
        return writer.count
    }

    /// Whether a row can hold it.
    public var isWithinBounds: Bool {
        tags.count <= Limits.bucketTagsMax && cors.count <= Limits.corsRulesMax
            && encodedBytes <= Limits.bucketSettingsBytesMax
    }
}

/// Which pages of other origins may ask what of a bucket: one rule of S3's CORS configuration.
public struct CORSRule: Hashable, Sendable {
    public struct Methods: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let get = Methods(rawValue: 1)
        public static let put = Methods(rawValue: 2)
        public static let head = Methods(rawValue: 4)
        public static let post = Methods(rawValue: 8)
        public static let delete = Methods(rawValue: 16)
        public static let all: Methods = [.get, .put, .head, .post, .delete]
    }
    /// Empty: none was given.
    public var id = ""
    /// Each with one `*` at most.
    public var origins: [String]
    public var methods: Methods
    /// Each with one `*` at most, compared without regard to case.
    public var headers: [String] = []
    public var exposedHeaders: [String] = []
    public var maxAgeSeconds: UInt32?

    public init(origins: [String], methods: Methods) {
        self.origins = origins
        self.methods = methods
    }
}

extension ByteWriter {
    /// Access; ownership or 0; the public access block's flags and 16, or 0; tags; rules.
    mutating func write(_ settings: BucketSettings) {
        write(settings.access.rawValue)
        write(settings.ownership?.rawValue ?? 0)
        write(settings.publicAccessBlock.map { 16 | $0.rawValue } ?? 0)
        write(number: UInt64(settings.tags.count))
        for tag in settings.tags {
            write(text: tag.key)
            write(text: tag.value)
        }
        write(number: UInt64(settings.cors.count))
        for rule in settings.cors { write(rule) }
    }

    private mutating func write(_ rule: CORSRule) {
        write(text: rule.id)
        write(rule.methods.rawValue)
        write(number: rule.maxAgeSeconds.map { UInt64($0) + 1 } ?? 0)
        for list in [rule.origins, rule.headers, rule.exposedHeaders] {
            write(number: UInt64(list.count))
            for text in list { write(text: text) }
        }
    }
}

extension ByteReader {
    mutating func readBucketSettings() throws(CodingError) -> BucketSettings {
        var settings = BucketSettings()
        let access = try readByte()
        guard let access = BucketSettings.Access(rawValue: access) else {
            throw .unknown(tag: UInt64(access))
        }
        settings.access = access
        let ownership = try readByte()
        settings.ownership = BucketSettings.Ownership(rawValue: ownership)
        guard ownership == 0 || settings.ownership != nil else {
            throw .unknown(tag: UInt64(ownership))
        }
        let block = try readByte()
        guard block == 0 || (16..<32).contains(block) else { throw .unknown(tag: UInt64(block)) }
        if block != 0 { settings.publicAccessBlock = .init(rawValue: block & 15) }
        for _ in 0..<(try readCount(max: Limits.bucketTagsMax)) {
            let key = try readText(max: Limits.tagTextBytesMax)
            settings.tags.append(
                ObjectTag(key: key, value: try readText(max: Limits.tagTextBytesMax)))
        }
        for _ in 0..<(try readCount(max: Limits.corsRulesMax)) {
            settings.cors.append(try readCORSRule())
        }
        return settings
    }

    private mutating func readCORSRule() throws(CodingError) -> CORSRule {
        let id = try readText(max: Limits.bucketSettingsBytesMax)
        let methods = CORSRule.Methods(rawValue: try readByte())
        guard CORSRule.Methods.all.isSuperset(of: methods) else {
            throw .unknown(tag: UInt64(methods.rawValue))
        }
        let age = try readNumber()
        guard age <= UInt64(UInt32.max) + 1 else { throw .outOfRange(age) }
        var rule = CORSRule(origins: try readTexts(), methods: methods)
        rule.id = id
        rule.maxAgeSeconds = age == 0 ? nil : UInt32(age - 1)
        rule.headers = try readTexts()
        rule.exposedHeaders = try readTexts()
        return rule
    }

    private mutating func readTexts() throws(CodingError) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try readCount(max: Limits.bucketSettingsBytesMax)) {
            texts.append(try readText(max: Limits.bucketSettingsBytesMax))
        }
        return texts
    }
}
