internal import VortexCore

/// Which bucket and key a request is about.
///
///     path style            /photos/2026/a.jpg          Host: store.example.com
///     virtual-host style    /2026/a.jpg                 Host: photos.store.example.com
struct S3Place: Sendable, Hashable {
    /// Nil for the service as a whole.
    var bucket: String?
    /// Nil for the bucket as a whole.
    var key: [UInt8]?

    /// `domain` is the one below which hosts name buckets; in lower case.
    init(_ target: S3Target, host: String?, domain: String?) throws(S3Error) {
        var rest = target.path.dropFirst()
        if let name = Self.bucket(of: host, below: domain) {
            bucket = name
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            guard !rest.isEmpty else { return }
            guard let name = String(validating: rest[..<end], as: UTF8.self), !name.isEmpty else {
                throw S3Error(.invalidBucketName)
            }
            bucket = name
            rest = end == rest.endIndex ? [] : rest[(end + 1)...]
        }
        if !rest.isEmpty { key = try Self.checked(Array(rest)) }
    }

    static func checked(_ key: [UInt8]) throws(S3Error) -> [UInt8] {
        guard !key.isEmpty, key.count <= Limits.keyBytesMax else { throw S3Error(.keyTooLong) }
        guard String(validating: key, as: UTF8.self) != nil else {
            throw S3Error(.invalidURI, "A key is UTF-8.")
        }
        return key
    }

    private static func bucket(of host: String?, below domain: String?) -> String? {
        guard let domain, let host else { return nil }
        let name = host.prefix { $0 != ":" }.lowercased()
        guard name.hasSuffix("." + domain) else { return nil }
        let bucket = name.dropLast(domain.count + 1)
        return bucket.isEmpty ? nil : String(bucket)
    }

    /// The path of what an error is about.
    var resource: String {
        "/" + (bucket ?? "") + (key.map { "/" + String(decoding: $0, as: UTF8.self) } ?? "")
    }
}
