internal import Synchronization
public import VortexCluster
public import VortexCore

/// The cluster's access keys as this gateway knows them. A key is looked up again after five
/// seconds, found or not: so a revocation is in effect everywhere within that time, and most
/// requests ask no other node.
public final class KeyRing: Sendable {
    private struct Known {
        var key: AccessKey?
        var since: UInt64
    }
    private let node: ClusterNode
    private let seal: SecretSeal
    private let clock: any Clock
    private let known = Mutex<[String: Known]>([:])
    let signingKeys = SigningKeys()

    static let knownMilliseconds: UInt64 = 5_000
    private static let knownMax = 4_096

    public init(node: ClusterNode, clusterSecret: [UInt8], clock: any Clock) {
        self.node = node
        self.clock = clock
        seal = SecretSeal(clusterSecret: clusterSecret)
    }

    /// Nil where there is no such key, or it has expired, or was revoked.
    func find(_ id: String) async throws(ClusterError) -> AccessKey? {
        let now = clock.wallMilliseconds
        if let entry = known.withLock({ $0[id] }),
            now - min(now, entry.since) < Self.knownMilliseconds
        {
            return entry.key.flatMap { $0.isExpired(now) ? nil : $0 }
        }
        guard (1...AccessKeyRow.idBytesMax).contains(id.utf8.count) else { return nil }
        let key = try await node.accessKey(id).flatMap { unsealed(id, $0) }
        known.withLock { known in
            if known.count >= Self.knownMax { known.removeAll() }
            known[id] = Known(key: key, since: now)
        }
        return key.flatMap { $0.isExpired(now) ? nil : $0 }
    }

    private func unsealed(_ id: String, _ row: AccessKeyRow) -> AccessKey? {
        seal.open(row.sealedSecret, id: id).map {
            AccessKey(
                id: id, secret: $0, expiresMilliseconds: row.expiresMilliseconds,
                grants: row.grants)
        }
    }

    private func forget(_ id: String) {
        known.withLock { $0[id] = nil }
        signingKeys.forget()
    }

    // MARK: Changes

    /// What a new key is made of. Ids and secrets that are nil are made at random.
    public struct Order: Sendable {
        public var id: String?
        public var secret: [UInt8]?
        public var expiresMilliseconds: UInt64?
        public var grants: [KeyGrant]
        public init(
            id: String? = nil, secret: [UInt8]? = nil, expiresMilliseconds: UInt64? = nil,
            grants: [KeyGrant]
        ) {
            self.id = id
            self.secret = secret
            self.expiresMilliseconds = expiresMilliseconds
            self.grants = grants
        }
    }

    /// A key as its maker gets it: the only time that the secret is told.
    public struct Made: Sendable {
        public var id: String
        public var secret: String
        public var row: AccessKeyRow
    }

    /// Nil where a key of that id exists.
    public func create(_ order: Order) async throws(ClusterError) -> Made? {
        let id = order.id ?? Self.randomID()
        let secret = order.secret ?? Self.randomSecret()
        let row = AccessKeyRow(
            sealedSecret: seal.seal(secret, id: id), createdMilliseconds: clock.wallMilliseconds,
            expiresMilliseconds: order.expiresMilliseconds, grants: order.grants)
        let stored = try await node.changeAccessKey(id) { (old) in old ?? row }
        forget(id)
        guard stored == row else { return nil }
        return Made(id: id, secret: String(decoding: secret, as: UTF8.self), row: row)
    }

    /// A new secret for the same id; nil where there is no such key.
    public func rotate(_ id: String) async throws(ClusterError) -> Made? {
        let secret = Self.randomSecret()
        let sealed = seal.seal(secret, id: id)
        let stored = try await node.changeAccessKey(id) { (old) in
            var row = old
            row?.sealedSecret = sealed
            return row
        }
        forget(id)
        return stored.map {
            Made(id: id, secret: String(decoding: secret, as: UTF8.self), row: $0)
        }
    }

    /// False where there was none.
    public func revoke(_ id: String) async throws(ClusterError) -> Bool {
        let wasThere = try await node.accessKey(id) != nil
        try await node.changeAccessKey(id) { _ in nil }
        forget(id)
        return wasThere
    }

    public func list(
        after: String?, limit: Int
    ) async throws(ClusterError) -> (keys: [ClusterNode.StoredAccessKey], next: String?) {
        try await node.accessKeys(after: after, limit: limit)
    }

    /// The cluster's first key, where it has none: of these, or at random. Nil where it has some.
    public func createFirst(
        id: String?, secret: [UInt8]?
    ) async throws(ClusterError) -> Made? {
        guard try await list(after: nil, limit: 1).keys.isEmpty else { return nil }
        return try await create(
            Order(id: id, secret: secret, grants: [KeyGrant(actions: .all)]))
    }

    // MARK: Random

    private static let idDigits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
    private static let secretDigits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

    /// 20 characters, as Amazon's have; 80 random bits.
    private static func randomID() -> String {
        "VXNA" + String(decoding: random(16, of: idDigits), as: UTF8.self)
    }

    /// 40 characters of 62: 238 random bits, and nothing that a shell or a URL minds.
    private static func randomSecret() -> [UInt8] { random(40, of: secretDigits) }

    private static func random(_ count: Int, of digits: [UInt8]) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in digits[Int.random(in: 0..<digits.count, using: &generator)] }
    }
}
