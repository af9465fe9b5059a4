internal import CExpat

/// A small XML document from a client, read with libexpat into a tree of elements. Hostile input
/// stays small: the document's bytes, its depth and its elements are bounded, and a document type
/// (the way to entities) ends the reading at once. Attributes and namespaces are passed over: S3's
/// clients send the namespace or leave it out as they please.
struct XMLElement: Hashable, Sendable {
    var name: String
    /// All text directly inside, joined.
    var text: String = ""
    var children: [XMLElement] = []

    enum Failure: Error, Hashable, Sendable {
        case malformed
        /// A bound was passed; a document type counts as one.
        case tooMuch
    }

    static let bytesMax = 2 << 20
    static let depthMax = 16
    /// A list of 10,000 parts has three or four elements for each.
    static let elementsMax = 60_000

    static func parse(_ bytes: [UInt8]) throws(Failure) -> XMLElement {
        guard bytes.count <= bytesMax else { throw .tooMuch }
        guard let parser = vortex_xml_parser() else { preconditionFailure("out of memory") }
        defer { XML_ParserFree(parser) }
        let building = XMLBuilding(parser)
        XML_SetUserData(parser, Unmanaged.passUnretained(building).toOpaque())
        XML_SetElementHandler(parser, xmlStart, xmlEnd)
        XML_SetCharacterDataHandler(parser, xmlText)
        XML_SetStartDoctypeDeclHandler(parser, xmlDoctype)
        let isWhole = bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                vortex_xml_parse(parser, $0.baseAddress, Int32($0.count)) != 0
            }
        }
        if building.isTooMuch { throw .tooMuch }
        guard isWhole, let root = building.root else { throw .malformed }
        return root
    }

    /// Without whitespace around it.
    var trimmedText: String {
        var characters = Substring(text)
        while let first = characters.first, first.isWhitespace { characters.removeFirst() }
        while let last = characters.last, last.isWhitespace { characters.removeLast() }
        return String(characters)
    }

    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The text of a child, without whitespace around it; nil where there is no such child.
    func value(_ name: String) -> String? { child(name)?.trimmedText }
}

/// The elements that are open while a document is read.
private final class XMLBuilding {
    private let parser: XML_Parser
    private var open: [XMLElement] = []
    private var elements = 0
    private(set) var root: XMLElement?
    private(set) var isTooMuch = false

    init(_ parser: XML_Parser) { self.parser = parser }

    func begin(_ name: String) {
        elements += 1
        guard elements <= XMLElement.elementsMax, open.count < XMLElement.depthMax else {
            return stop()
        }
        open.append(XMLElement(name: name))
    }

    func add(_ text: String) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += text
    }

    func end() {
        guard let done = open.popLast() else { return }
        if open.isEmpty {
            root = done
        } else {
            open[open.count - 1].children.append(done)
        }
    }

    func stop() {
        isTooMuch = true
        vortex_xml_stop(parser)
    }
}

private func building(_ context: UnsafeMutableRawPointer?) -> XMLBuilding? {
    context.map { Unmanaged<XMLBuilding>.fromOpaque($0).takeUnretainedValue() }
}

private func xmlStart(
    _ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?,
    _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) {
    guard let name else { return }
    let full = String(cString: name)
    building(context)?.begin(full.split(separator: "\n").last.map(String.init) ?? full)
}

private func xmlEnd(_ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?) {
    building(context)?.end()
}

private func xmlText(
    _ context: UnsafeMutableRawPointer?, _ text: UnsafePointer<CChar>?, _ count: Int32
) {
    guard let text else { return }
    let bytes = UnsafeRawBufferPointer(start: text, count: Int(count))
    building(context)?.add(String(decoding: bytes, as: UTF8.self))
}

private func xmlDoctype(
    _ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?,
    _ system: UnsafePointer<CChar>?, _ public: UnsafePointer<CChar>?, _ hasSubset: Int32
) {
    building(context)?.stop()
}
