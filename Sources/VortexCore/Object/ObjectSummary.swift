/// What a listing shows of an object, decoded from the start of its row without allocating.
public struct ObjectSummary: Sendable {
    public var size: UInt64
    public var tag: EntityTag
    public var modifiedMilliseconds: UInt64

    public init(size: UInt64, tag: EntityTag, modifiedMilliseconds: UInt64) {
        self.size = size
        self.tag = tag
        self.modifiedMilliseconds = modifiedMilliseconds
    }

    /// Without quotes.
    public var etag: String { tag.description }
}
