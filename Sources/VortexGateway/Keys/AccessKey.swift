internal import VortexCore

/// A key with its secret, as the gateway uses it.
struct AccessKey: Hashable, Sendable {
    var id: String
    var secret: [UInt8]
    var expiresMilliseconds: UInt64?
    var grants: [KeyGrant]

    func isExpired(_ now: UInt64) -> Bool { expiresMilliseconds.map { now >= $0 } ?? false }
}

/// Who asks.
enum Caller: Sendable {
    /// Nobody says who; may do nothing.
    case stranger
    /// Nobody says who, at a gateway that listens to this machine alone and asks for no keys.
    case local
    case key(AccessKey)

    /// Whether it may do that to a key of a bucket.
    func may(_ action: KeyGrant.Actions, bucket: String, key: [UInt8] = []) -> Bool {
        switch self {
        case .stranger: false
        case .local: true
        case .key(let accessKey):
            accessKey.grants.contains { grant in
                grant.actions.isSuperset(of: action)
                    && (grant.bucket.isEmpty || grant.bucket == bucket)
                    && key.starts(with: grant.prefix)
            }
        }
    }

    /// Whether anything of the bucket is its business: it is listed among the buckets then.
    func knows(bucket: String) -> Bool {
        switch self {
        case .stranger: false
        case .local: true
        case .key(let accessKey):
            accessKey.grants.contains { $0.bucket.isEmpty || $0.bucket == bucket }
        }
    }

    /// Keys, status, uploads of all: what concerns the whole cluster.
    var isAdmin: Bool {
        switch self {
        case .stranger: false
        case .local: true
        case .key(let accessKey):
            accessKey.grants.contains {
                $0.actions.contains(.admin) && $0.bucket.isEmpty && $0.prefix.isEmpty
            }
        }
    }
}
