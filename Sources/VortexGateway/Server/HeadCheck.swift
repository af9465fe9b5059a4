/// Refuses what libmicrohttpd lets through and a proxy in front may understand otherwise (request
/// smuggling: RFC 9112, sections 3.2, 5.1, 6.3 and 11.2).
enum HeadCheck {
    /// What the header says about the body.
    enum Framing: Equatable, Sendable {
        case none
        case length(UInt64)
        case chunked
        /// Refused, with the reason.
        case malformed(String)
    }

    static func framing(_ head: RequestHead, version: String) -> Framing {
        for (name, value) in head.headers {
            guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
                return .malformed("A header field's name is not a token.")
            }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
                return .malformed("A header field's value has a control character.")
            }
        }
        guard head.target.utf8.first == UInt8(ascii: "/"),
            head.target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { return .malformed("The request target is not in origin form.") }
        let hosts = head.headers.all("host")
        guard hosts.count == 1 || (hosts.isEmpty && version == "HTTP/1.0") else {
            return .malformed("There must be one Host field.")
        }
        let lengths = head.headers.all("content-length")
        let codings = head.headers.all("transfer-encoding")
        if let coding = codings.first {
            guard lengths.isEmpty else {
                return .malformed("Content-Length and Transfer-Encoding exclude each other.")
            }
            guard codings.count == 1, coding.lowercased() == "chunked", version == "HTTP/1.1" else {
                return .malformed("The only transfer coding understood is chunked.")
            }
            return .chunked
        }
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1, !text.isEmpty,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = UInt64(text),
            length <= UInt64(Int64.max)
        else { return .malformed("Content-Length must be one decimal number.") }
        return length == 0 ? .none : .length(length)
    }
}
