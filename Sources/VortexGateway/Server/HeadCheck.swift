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
        /// An `Expect` that is not 100-continue: 417.
        case expectation
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
        guard hosts.allSatisfy({ $0.utf8.allSatisfy(isHostByte) }) else {
            return .malformed("The Host field is not a host.")
        }
        guard head.headers.all("authorization").count <= 1 else {
            return .malformed("There is more than one Authorization field.")
        }
        guard head.headers.all("expect").allSatisfy({ $0.lowercased() == "100-continue" }) else {
            return .expectation
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

    /// RFC 3986, 3.2.2: a registered name or an address, and the port.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._~!$&'()*+,;=%:[]".utf8.contains(byte)
        }
    }
}
