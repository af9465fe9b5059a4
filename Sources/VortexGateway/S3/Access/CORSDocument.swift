internal import VortexCore

/// A `CORSConfiguration` document, and Amazon's rules about it.
enum CORSDocument {
    private static let idCharactersMax = 255

    static func parse(_ body: [UInt8]) throws(S3Error) -> [CORSRule] {
        let root: XMLElement
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        guard root.name == "CORSConfiguration",
            (1...Limits.corsRulesMax).contains(root.children.count)
        else { throw S3Error(.malformedXML) }
        var rules: [CORSRule] = []
        for element in root.children {
            guard element.name == "CORSRule" else { throw S3Error(.malformedXML) }
            rules.append(try rule(element))
        }
        return rules
    }

    private static func rule(_ element: XMLElement) throws(S3Error) -> CORSRule {
        var rule = CORSRule(origins: [], methods: [])
        for part in element.children {
            let text = part.trimmedText
            switch part.name {
            case "ID":
                guard text.unicodeScalars.count <= idCharactersMax, rule.id.isEmpty else {
                    throw S3Error(.malformedXML)
                }
                rule.id = text
            case "AllowedOrigin": rule.origins.append(try pattern(text, "AllowedOrigin"))
            case "AllowedMethod":
                guard let method = CORSRule.Methods(name: text) else {
                    throw S3Error(
                        .invalidRequest,
                        "Found unsupported HTTP method in CORS config. Unsupported method is "
                            + shown(text))
                }
                rule.methods.insert(method)
            case "AllowedHeader": rule.headers.append(try pattern(text, "AllowedHeader"))
            case "ExposeHeader":
                guard !text.isEmpty, text.utf8.allSatisfy(isTokenByte), !text.contains("*") else {
                    throw S3Error(
                        .invalidRequest, "ExposeHeader \"\(shown(text))\" is not a header's name.")
                }
                rule.exposedHeaders.append(text)
            case "MaxAgeSeconds":
                guard let seconds = UInt32(text), rule.maxAgeSeconds == nil else {
                    throw S3Error(.malformedXML)
                }
                rule.maxAgeSeconds = seconds
            default: throw S3Error(.malformedXML)
            }
        }
        guard !rule.origins.isEmpty, rule.methods != [] else { throw S3Error(.malformedXML) }
        return rule
    }

    /// Visible ASCII without a comma: it is told in headers.
    private static func pattern(_ text: String, _ name: String) throws(S3Error) -> String {
        guard text.utf8.count(where: { $0 == UInt8(ascii: "*") }) <= 1 else {
            throw S3Error(
                .invalidRequest, "\(name) \"\(shown(text))\" can not have more than one wildcard.")
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
            !text.contains(",")
        else { throw S3Error(.invalidRequest, "\(name) \"\(shown(text))\" is not valid.") }
        return text
    }

    private static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(64).filter { $0.value >= 0x20 }))
    }

    static func document(_ rules: [CORSRule]) -> [UInt8] {
        XMLWriter.document("CORSConfiguration") { xml in
            for rule in rules {
                xml.element("CORSRule") { xml in
                    if !rule.id.isEmpty { xml.element("ID", rule.id) }
                    for header in rule.headers { xml.element("AllowedHeader", header) }
                    for method in rule.methods.names { xml.element("AllowedMethod", method) }
                    for origin in rule.origins { xml.element("AllowedOrigin", origin) }
                    for header in rule.exposedHeaders { xml.element("ExposeHeader", header) }
                    if let seconds = rule.maxAgeSeconds {
                        xml.element("MaxAgeSeconds", UInt64(seconds))
                    }
                }
            }
        }
    }
}
