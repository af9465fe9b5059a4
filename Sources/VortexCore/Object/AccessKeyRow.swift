/// What a key lets its holder do, in one bucket or all, below a prefix.
public struct KeyGrant: Hashable, Sendable {
    public struct Actions: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Objects and what is known of one.
        public static let read = Actions(rawValue: 1)
        /// Put and delete.
        public static let write = Actions(rawValue: 2)
        public static let list = Actions(rawValue: 4)
        /// Buckets made, deleted and set; in all buckets: keys and the cluster too.
        public static let admin = Actions(rawValue: 8)
        public static let all: Actions = [.read, .write, .list, .admin]
    }
    /// A bucket's name; empty: every bucket, those to come among them.
    public var bucket: String
    /// Of keys; empty: all keys.
    public var prefix: [UInt8]
    public var actions: Actions

    public init(bucket: String = "", prefix: [UInt8] = [], actions: Actions) {
        self.bucket = bucket
        self.prefix = prefix
        self.actions = actions
    }
}

/// An access key, in the bucket of keys under its id. The secret is sealed by the gateway, under a
/// key that no row holds: whoever reads a disk has no secrets.
public struct AccessKeyRow: Hashable, Sendable {
    public var sealedSecret: [UInt8]
    public var createdMilliseconds: UInt64
    public var expiresMilliseconds: UInt64?
    public var grants: [KeyGrant]

    public static let idBytesMax = 128
    public static let sealedBytesMax = 512
    public static let grantsMax = 64

    public init(
        sealedSecret: [UInt8], createdMilliseconds: UInt64, expiresMilliseconds: UInt64?,
        grants: [KeyGrant]
    ) {
        self.sealedSecret = sealedSecret
        self.createdMilliseconds = createdMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
        self.grants = grants
    }
}

extension BucketID {
    /// The reserved bucket of access keys. Buckets' own ids begin with random bits, never with 64
    /// zeros.
    public static var accessKeys: BucketID { BucketID(high: 0, low: 1) }
}

extension ByteWriter {
    public mutating func write(_ row: AccessKeyRow) {
        write(UInt8(1))
        write(string: row.sealedSecret)
        write(number: row.createdMilliseconds)
        write(number: row.expiresMilliseconds.map { $0 + 1 } ?? 0)
        write(number: UInt64(row.grants.count))
        for grant in row.grants {
            write(text: grant.bucket)
            write(string: grant.prefix)
            write(grant.actions.rawValue)
        }
    }
}

extension ByteReader {
    public mutating func readAccessKeyRow() throws(CodingError) -> AccessKeyRow {
        try readFormat(1)
        let sealed = try readString(max: AccessKeyRow.sealedBytesMax)
        let created = try readMilliseconds()
        let expires = try readMilliseconds()
        var row = AccessKeyRow(
            sealedSecret: sealed, createdMilliseconds: created,
            expiresMilliseconds: expires == 0 ? nil : expires - 1, grants: [])
        for _ in 0..<(try readCount(max: AccessKeyRow.grantsMax)) {
            let bucket = try readText(max: Limits.bucketNameBytes.upperBound)
            let prefix = try readString(max: Limits.keyBytesMax)
            let actions = KeyGrant.Actions(rawValue: try readByte())
            guard KeyGrant.Actions.all.isSuperset(of: actions) else {
                throw .unknown(tag: UInt64(actions.rawValue))
            }
            row.grants.append(KeyGrant(bucket: bucket, prefix: prefix, actions: actions))
        }
        return row
    }
}
