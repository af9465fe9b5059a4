internal import VortexCluster
internal import VortexCore

/// A form up to where its file begins: what has to be known, and checked, before the file is read.
/// Anybody can send one, so all of it is bounded.
struct FormHead: Sendable {
    /// Names in lower case, each once, in their order.
    private(set) var fields: [HeaderFields.Element] = []
    /// As the browser names it, without folders.
    private(set) var filename = ""
    /// At the file's first byte.
    private(set) var scanner: FormScanner

    /// Names and values together, as in Amazon's.
    static let fieldBytesMax = 20 << 10
    static let fieldsMax = 100
    /// Everything before the file, delimiters and parts' headers among it.
    private static let headBytesMax = 36 << 10
    /// Read at a time.
    private static let pieceBytes = 8 << 10

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Reads from the body's first byte to the file's.
    static func read(
        _ source: any BodySource, _ headers: HeaderFields
    ) async throws(S3Error) -> FormHead {
        guard let boundary = FormBoundary.find(headers),
            let scanner = FormScanner(boundary: boundary)
        else {
            throw S3Error(
                .preconditionFailed,
                "Bucket POST must be of the enclosure-type multipart/form-data with a boundary.")
        }
        var head = FormHead(scanner: scanner)
        var reading = Reading()
        var total = 0
        while true {
            if try head.advance(&reading) { return head }
            guard total < headBytesMax else { throw S3Error(.maxPostPreDataLength) }
            guard !reading.hasEnded else { throw S3Error(.malformedPOST) }
            let piece = ChunkBuffer(capacity: pieceBytes)
            do throws(ClusterError) { reading.hasEnded = try await source.fill(piece) } catch {
                throw S3Error(answering: error)
            }
            total += piece.count
            head.scanner.add(piece.bytes)
        }
    }

    private struct Reading {
        enum Place { case delimiter, header, value(name: String) }
        var place = Place.delimiter
        var fieldBytes = 0
        var hasEnded = false
    }

    /// As far as the bytes go that are there; true at the file.
    private mutating func advance(_ reading: inout Reading) throws(S3Error) -> Bool {
        while true {
            switch reading.place {
            case .delimiter:
                switch scanner.takeDelimiter() {
                case .part: reading.place = .header
                case .wantsMore: return false
                case .malformed: throw S3Error(.malformedPOST)
                case .end:
                    throw S3Error(
                        .incorrectFiles, "POST requires exactly one file upload per request.")
                }
            case .header:
                guard let lines = scanner.takeHeader(FormPart.linesMax) else { return false }
                let part = try FormPart(lines)
                guard part.name != "file" else {
                    filename = part.filename ?? ""
                    return true
                }
                reading.place = .value(name: part.name)
            case .value(let name):
                guard let value = scanner.takeContent() else { return false }
                reading.fieldBytes += name.utf8.count + value.count
                try add(name, value, reading.fieldBytes)
                reading.place = .delimiter
            }
        }
    }

    private mutating func add(
        _ name: String, _ value: [UInt8], _ total: Int
    ) throws(S3Error) {
        guard total <= Self.fieldBytesMax, fields.count < Self.fieldsMax else {
            throw S3Error(.maxPostPreDataLength)
        }
        guard let text = String(validating: value, as: UTF8.self) else {
            throw .argument(name, "", "A form's fields are UTF-8.")
        }
        guard self[name] == nil else {
            throw .argument(name, "", "The form has this field more than once.")
        }
        fields.append((name: name, value: text))
    }

    private init(scanner: FormScanner) { self.scanner = scanner }
}

/// The header of one part.
private struct FormPart {
    var name: String
    var filename: String?

    static let linesMax = 8

    init(_ lines: [ArraySlice<UInt8>]) throws(S3Error) {
        guard lines.count <= Self.linesMax else { throw S3Error(.malformedPOST) }
        var found: (name: String, filename: String?)?
        for line in lines {
            guard let text = String(validating: line, as: UTF8.self),
                let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
            else { throw S3Error(.malformedPOST) }
            let value = String(text[text.index(after: colon)...])
            switch text[..<colon].lowercased() {
            case "content-disposition":
                guard found == nil, let parameters = FormParameters(value, of: "form-data"),
                    let name = parameters["name"], !name.isEmpty
                else { throw S3Error(.malformedPOST) }
                found = (name.lowercased(), parameters["filename"])
            case "content-transfer-encoding":
                let coding = FormParameters.trimmed(value).lowercased()
                guard ["binary", "8bit", "7bit"].contains(coding) else {
                    throw .notImplemented("Content-Transfer-Encoding: \(coding)")
                }
            default: continue
            }
        }
        guard let found else { throw S3Error(.malformedPOST) }
        name = found.name
        // Some browsers tell where the file lay.
        filename = found.filename.map { path in
            path.lastIndex { $0 == "/" || $0 == "\\" }
                .map { String(path[path.index(after: $0)...]) } ?? path
        }
    }
}

enum FormBoundary {
    /// Of `Content-Type: multipart/form-data; boundary=...`; nil for anything else.
    static func find(_ headers: HeaderFields) -> String? {
        let lines = headers.all("content-type")
        guard lines.count == 1 else { return nil }
        return FormParameters(lines[0], of: "multipart/form-data")?["boundary"]
    }
}

/// `value; name=token; name="quoted"`, each name once. Of quoted text only quotes and backslashes
/// are escaped by backslashes: a Windows path has single ones.
struct FormParameters {
    private var parameters: [(name: String, value: String)] = []

    private static let parametersMax = 8

    subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// nil for what is not of this value, or not of the grammar.
    init?(_ text: String, of value: String) {
        var scanner = FieldScanner(text)
        scanner.skipWhitespace()
        let first = scanner.take { $0 != UInt8(ascii: ";") }
        guard Self.trimmed(String(decoding: first, as: UTF8.self)).lowercased() == value else {
            return nil
        }
        while scanner.take(";") {
            scanner.skipWhitespace()
            if scanner.isAtEnd { break }
            let name = String(decoding: scanner.take(while: isTokenByte), as: UTF8.self)
                .lowercased()
            scanner.skipWhitespace()
            guard !name.isEmpty, scanner.take("="), parameters.count < Self.parametersMax,
                self[name] == nil
            else { return nil }
            scanner.skipWhitespace()
            guard let value = Self.value(&scanner) else { return nil }
            parameters.append((name, value))
            scanner.skipWhitespace()
        }
        guard scanner.isAtEnd else { return nil }
    }

    private static func value(_ scanner: inout FieldScanner) -> String? {
        guard scanner.take("\"") else {
            let bare = scanner.take { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
            return String(validating: bare, as: UTF8.self)
        }
        var bytes: [UInt8] = []
        while let byte = scanner.next() {
            switch byte {
            case UInt8(ascii: "\""): return String(validating: bytes, as: UTF8.self)
            case UInt8(ascii: "\\")
            where scanner.peek == UInt8(ascii: "\"") || scanner.peek == UInt8(ascii: "\\"):
                if let escaped = scanner.next() { bytes.append(escaped) }
            default: bytes.append(byte)
            }
        }
        return nil
    }

    static func trimmed(_ text: String) -> String {
        String(decoding: SignatureCheck.trimmed(text), as: UTF8.self)
    }
}
