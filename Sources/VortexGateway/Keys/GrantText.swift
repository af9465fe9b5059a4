public import VortexCore

/// Grants as people write them:
///
///     admin:*                    everything, keys and the cluster too
///     read,list:photos           objects of one bucket
///     read,write:photos/2026/    those below a prefix
///     read:photos;write:inbox    two grants
extension KeyGrant {
    private static let actionNames: [(name: String, action: Actions)] = [
        ("read", .read), ("write", .write), ("list", .list), ("admin", .admin),
    ]

    /// Nil for what is no grant.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        var actions: Actions = []
        for name in text[..<colon].split(separator: ",", omittingEmptySubsequences: false) {
            guard let found = Self.actionNames.first(where: { $0.name == name }) else {
                return nil
            }
            actions.insert(found.action)
        }
        // Who administers everything may do everything else in it as well.
        if actions.contains(.admin) { actions = .all }
        let place = text[text.index(after: colon)...]
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        let bucket = String(place[..<slash])
        let prefix = slash == place.endIndex ? [] : Array(place[place.index(after: slash)...].utf8)
        guard prefix.count <= Limits.keyBytesMax else { return nil }
        if bucket == "*" {
            guard prefix.isEmpty else { return nil }
            self.init(actions: actions)
        } else {
            guard BucketRow.isValid(name: bucket) else { return nil }
            self.init(bucket: bucket, prefix: prefix, actions: actions)
        }
    }

    /// Several, with semicolons between them; nil where one is none, or there are too many.
    public static func list(_ text: String) -> [KeyGrant]? {
        let pieces = text.split(separator: ";", omittingEmptySubsequences: false)
        guard (1...AccessKeyRow.grantsMax).contains(pieces.count) else { return nil }
        let grants = pieces.compactMap { KeyGrant($0) }
        return grants.count == pieces.count ? grants : nil
    }

    public var text: String {
        let names =
            actions.contains(.admin)
            ? ["admin"]
            : Self.actionNames.filter { actions.contains($0.action) }.map(\.name)
        let place = bucket.isEmpty ? "*" : bucket
        let rest = prefix.isEmpty ? "" : "/" + String(decoding: prefix, as: UTF8.self)
        return names.joined(separator: ",") + ":" + place + rest
    }
}
