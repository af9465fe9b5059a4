/// Whether a bucket keeps what is replaced and deleted. Once it has, it never stops knowing of
/// versions: there is no way back to `off`.
public enum Versioning: UInt8, Hashable, Sendable {
    /// Never enabled: a put replaces, a delete removes.
    case off = 0
    /// Every put adds a version, a delete adds a marker.
    case enabled = 1
    /// Puts and deletes replace the null version alone.
    case suspended = 2
}

/// What a client calls a version.
public enum VersionName: Hashable, Sendable, CustomStringConvertible {
    /// The one that was written while the bucket kept no versions; a row has at most one.
    case null
    case id(ChangeID)

    /// `null`, or 32 lower-case hex digits.
    public var description: String {
        switch self {
        case .null: "null"
        case .id(let id): id.description
        }
    }

    /// nil: not the name of any version.
    public init?(_ text: some StringProtocol) {
        if text == "null" {
            self = .null
        } else {
            guard let id = ChangeID(text) else { return nil }
            self = .id(id)
        }
    }
}

/// What a listing of versions shows of one.
public struct VersionSummary: Hashable, Sendable {
    public var name: VersionName
    public var size: UInt64
    public var tag: EntityTag
    public var modifiedMilliseconds: UInt64
    public var isMarker: Bool

    public init(_ version: ObjectVersion) {
        name = version.name
        size = version.size
        tag = version.tag
        modifiedMilliseconds = version.modifiedMilliseconds
        isMarker = version.isMarker
    }

    /// Without quotes.
    public var etag: String { tag.description }
}

extension ObjectVersion {
    public var name: VersionName { isNull ? .null : .id(id) }

    /// What says that the object was deleted, while older versions stay.
    public static func marker(_ id: ChangeID, isNull: Bool, policy: UInt8) -> ObjectVersion {
        var version = ObjectVersion(
            id: id, size: 0, tag: EntityTag(digest: Digest128(high: 0, low: 0), parts: 0),
            modifiedMilliseconds: 0, policy: policy, attributes: ObjectAttributes(),
            sha256: nil, body: .empty)
        version.isMarker = true
        version.isNull = isNull
        return version
    }
}

/// What puts and deletes do to a row's versions. Which of them is the null version alone decides
/// what goes: a gateway that does not know yet that the bucket keeps versions replaces no other.
extension ObjectRow {
    /// A delete marker among them.
    public var newest: ObjectVersion? { versions.first }

    public func index(of name: VersionName) -> Int? {
        versions.firstIndex { version in
            switch name {
            case .null: version.isNull
            case .id(let id): version.id == id
            }
        }
    }

    /// Whether one more, or one in the place of the null version, is within bounds.
    public func hasRoom(forNull isNull: Bool) -> Bool {
        let kept = isNull ? versions.count { !$0.isNull } : versions.count
        return kept < Limits.versionsPerRowMax
    }

    /// The version becomes the newest one. A null one takes the place of the null one before it.
    /// False where there are too many: nothing has changed then.
    public mutating func add(_ version: ObjectVersion, generation: UInt64) -> Bool {
        guard hasRoom(forNull: version.isNull) else { return false }
        self.generation = max(self.generation, generation)
        modifiedMilliseconds = version.modifiedMilliseconds
        if version.isNull { versions.removeAll { $0.isNull } }
        versions.insert(version, at: 0)
        return true
    }

    /// Deletes the object by a marker, which becomes the newest version; where no version but the
    /// null one was ever kept and `versioning` is off, nothing is left instead. False where there
    /// are too many.
    public mutating func delete(
        by marker: ObjectVersion, _ versioning: Versioning, generation: UInt64
    ) -> Bool {
        guard versioning != .off || versions.contains(where: { !$0.isNull || $0.isMarker }) else {
            self.generation = max(self.generation, generation)
            if !versions.isEmpty { modifiedMilliseconds = marker.modifiedMilliseconds }
            versions = []
            return true
        }
        return add(marker, generation: generation)
    }

    /// Removes a version for good; nil where it is not there. The one before it, if it was the
    /// newest, is visible again.
    public mutating func remove(_ name: VersionName, generation: UInt64) -> ObjectVersion? {
        guard let index = index(of: name) else { return nil }
        self.generation = max(self.generation, generation)
        return versions.remove(at: index)
    }
}

extension ByteReader {
    /// Whether an object's row, at whose start this is, has any version.
    public mutating func readHasVersions() throws(CodingError) -> Bool {
        guard remaining > 0 else { return false }
        _ = try readFormat(1...ObjectRow.formatMax)
        try skip(1)
        _ = try readNumber()
        return try readNumber() > 0
    }
}
