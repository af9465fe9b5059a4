internal import CHttpd
internal import Glibc

/// The fields of a header as libmicrohttpd tells them, and whether it told all of it.
///
/// libmicrohttpd 0.9.75 loses parts of malformed headers without a word: it cuts a value at a NUL,
/// glues a folded line to the name before it (so a folded `Transfer-Encoding` is gone), and ends
/// the header at a line without a name. A proxy that forwards such a header reads it otherwise, and
/// could be made to smuggle a request. But the library parses in place, and overwrites separators
/// with zeros, so the text it told must lie without gaps in its buffer:
///
///     HTTP/1.1 0 0 Host 0 _ a 0 0 Accept 0 _ * / * 0 0 0 0
///     ^version     ^name    ^value                 ^the last value's line, and the empty one
///
/// Lines that end with a bare LF, which RFC 9112 (2.2) leaves to the server, are refused with the
/// rest: with them the end could not be told.
struct HeadReading {
    /// Another version's buffer may look otherwise, and later ones refuse these headers themselves.
    private static let isKnown = String(cString: MHD_get_version()) == "0.9.75"

    var fields: [HeaderFields.Element] = []
    private var end: UnsafePointer<CChar>
    private var hasGap = false

    /// `version` is the last thing in the request line.
    init(after version: UnsafePointer<CChar>) { end = version + strlen(version) }

    mutating func follow(
        _ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>?, _ valueBytes: Int
    ) {
        guard let value else {
            hasGap = true
            return
        }
        if name != end + 2 { hasGap = true }
        end = value + valueBytes
    }

    /// Nothing between the fields was left out, and an empty line ends them.
    var isWhole: Bool {
        guard Self.isKnown else { return true }
        return !hasGap && (0..<4).allSatisfy { end[$0] == 0 }
    }
}
