internal import VortexCore

/// `BUCKET/KEY` as a person writes it.
struct ObjectPath: Equatable {
    var bucket: String
    /// Empty where only a bucket was named.
    var key: String

    init(_ text: String) {
        let slash = text.firstIndex(of: "/")
        bucket = String(text[..<(slash ?? text.endIndex)])
        key = slash.map { String(text[text.index(after: $0)...]) } ?? ""
    }

    init(bucket: String, key: String) {
        self.bucket = bucket
        self.key = key
    }

    var isFolder: Bool { key.isEmpty || key.hasSuffix("/") }

    /// The same as a folder: `docs/up` does not mean what is below `docs/upper/`.
    var folder: ObjectPath { isFolder ? self : ObjectPath(bucket: bucket, key: key + "/") }

    func adding(_ name: String) -> ObjectPath { ObjectPath(bucket: bucket, key: key + name) }

    /// The path of the object's URL.
    var target: String {
        "/v1/objects/" + Self.encoded(bucket) + "/" + Self.encoded(key)
    }

    /// Percent-encoded, but for unreserved characters and slashes.
    static func encoded(_ text: String, keepingSlashes: Bool = true) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where keepingSlashes: result.append(byte)
            default: result.append(contentsOf: "%\(Hex.string([byte]))".utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Where the key's file lies below a folder; nil where the key would lead out of it or is no
    /// path of files.
    static func fileName(_ relativeKey: String) -> String? {
        let parts = relativeKey.split(separator: "/", omittingEmptySubsequences: false)
        let isSafe = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && !part.utf8.contains(0)
        }
        return isSafe ? relativeKey : nil
    }
}
