/// A request target for S3: the raw bytes as they came, since signatures are made over them, and
/// the parameters decoded. Unlike `/v1`'s `RequestTarget` it takes a parameter that is given twice:
/// what is signed is signed with all of them. Whoever asks for one value refuses two.
struct S3Target: Sendable {
    struct Parameter: Sendable, Hashable {
        /// As they came; the value is empty without an equals sign.
        var rawName: ArraySlice<UInt8>
        var rawValue: ArraySlice<UInt8>
        var name: [UInt8]
        var value: [UInt8]
    }

    /// Begins with a slash; not decoded.
    let rawPath: [UInt8]
    /// The path, decoded: `%2F` is a slash like any other, as in Amazon's.
    let path: [UInt8]
    let parameters: [Parameter]

    /// An upload's parts have three; responses' headers in a presigned URL make it 15.
    static let parametersMax = 64

    init(_ raw: String) throws(RequestError) {
        let bytes = Array(raw.utf8)
        guard bytes.first == UInt8(ascii: "/") else { throw .malformed(.target) }
        let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        rawPath = Array(bytes[..<mark])
        path = try PercentCoding.decode(bytes[..<mark], plusIsSpace: false)
        var parameters: [Parameter] = []
        if mark < bytes.endIndex {
            for pair in bytes[(mark + 1)...].split(separator: UInt8(ascii: "&")) {
                let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
                let value = equals == pair.endIndex ? [] : pair[(equals + 1)...]
                parameters.append(
                    Parameter(
                        rawName: pair[..<equals], rawValue: value,
                        name: try PercentCoding.decode(pair[..<equals], plusIsSpace: true),
                        value: try PercentCoding.decode(value, plusIsSpace: true)))
                guard parameters.count <= Self.parametersMax else { throw .tooLarge(.query) }
            }
        }
        self.parameters = parameters
    }

    func has(_ name: String) -> Bool {
        parameters.contains { $0.name.elementsEqual(name.utf8) }
    }

    /// The one value of a parameter; nil where it is not given.
    func value(_ name: String) throws(RequestError) -> [UInt8]? {
        let found = parameters.filter { $0.name.elementsEqual(name.utf8) }
        guard found.count <= 1 else { throw .duplicate(.query) }
        return found.first?.value
    }

    func text(_ name: String) throws(RequestError) -> String? {
        guard let value = try value(name) else { return nil }
        guard let text = String(validating: value, as: UTF8.self) else { throw .malformed(.query) }
        return text
    }
}

extension PercentCoding {
    /// Everything but the unreserved characters of RFC 3986 (2.3), with upper-case digits: the one
    /// encoding that signatures allow.
    static func encode(_ bytes: some Sequence<UInt8>, keepsSlash: Bool = false) -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            case UInt8(ascii: "/") where keepsSlash: encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                encoded.append(digit(byte >> 4))
                encoded.append(digit(byte & 15))
            }
        }
        return encoded
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
