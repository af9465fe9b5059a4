internal import VortexCore

/// The one XML encoder: elements and text straight into bytes, in the order of the calls.
struct XMLWriter: Sendable {
    private(set) var bytes: [UInt8] = []

    static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    init(reserving capacity: Int = 512) { bytes.reserveCapacity(capacity) }

    /// A whole document in S3's namespace.
    static func document(
        _ root: StaticString, reserving capacity: Int = 512, _ body: (inout XMLWriter) -> Void
    ) -> [UInt8] {
        var writer = XMLWriter(reserving: capacity)
        writer.declare()
        writer.open(root, namespace: namespace)
        body(&writer)
        writer.close(root)
        return writer.bytes
    }

    /// A whole document without a namespace: errors have none.
    static func plain(_ root: StaticString, _ body: (inout XMLWriter) -> Void) -> [UInt8] {
        var writer = XMLWriter()
        writer.declare()
        writer.element(root, body)
        return writer.bytes
    }

    private mutating func declare() {
        bytes += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8
    }

    mutating func element(_ name: StaticString, _ body: (inout XMLWriter) -> Void) {
        open(name, namespace: nil)
        body(&self)
        close(name)
    }

    mutating func element(_ name: StaticString, _ text: String) {
        open(name, namespace: nil)
        self.text(text.utf8)
        close(name)
    }

    mutating func element(_ name: StaticString, _ number: UInt64) {
        element(name, String(number))
    }

    mutating func element(_ name: StaticString, _ flag: Bool) {
        element(name, flag ? "true" : "false")
    }

    /// UTF-8; the caller knows that it is.
    mutating func element(_ name: StaticString, utf8: some Sequence<UInt8>) {
        open(name, namespace: nil)
        text(utf8)
        close(name)
    }

    mutating func element(_ name: StaticString, time milliseconds: UInt64) {
        open(name, namespace: nil)
        bytes.append(rfc3339: milliseconds)
        close(name)
    }

    mutating func empty(_ name: StaticString) {
        open(name, namespace: nil)
        close(name)
    }

    /// The owner, as an ACL names whom it grants something to.
    mutating func grantee() {
        bytes += "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"".utf8
        bytes += " xsi:type=\"CanonicalUser\">".utf8
        element("ID", S3Owner.id)
        element("DisplayName", S3Owner.name)
        close("Grantee")
    }

    /// Whoever asks, as an ACL names them.
    mutating func everybody() {
        bytes += "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"".utf8
        bytes += " xsi:type=\"Group\">".utf8
        element("URI", CannedACL.everybody)
        close("Grantee")
    }

    /// What was written before by another writer.
    mutating func finished(_ other: XMLWriter) { bytes += other.bytes }

    private mutating func open(_ name: StaticString, namespace: String?) {
        bytes.append(UInt8(ascii: "<"))
        append(name)
        if let namespace { bytes += " xmlns=\"\(namespace)\"".utf8 }
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func close(_ name: StaticString) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(UInt8(ascii: "/"))
        append(name)
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func append(_ name: StaticString) {
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// Control characters have no spelling in XML 1.0; S3 writes references to them all the same,
    /// and says that clients should ask for `encoding-type=url`.
    private mutating func text(_ utf8: some Sequence<UInt8>) {
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case 0..<0x20 where byte != 0x0a && byte != 0x09, 0x7f:
                bytes += "&#x\(String(byte, radix: 16, uppercase: true));".utf8
            default: bytes.append(byte)
            }
        }
    }
}
