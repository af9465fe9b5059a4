internal import VortexCore

/// The tags of an object or a bucket, as a header or a document brings them, and Amazon's rules
/// about them.
enum S3Tags {
    private static let keyCharactersMax = 128
    private static let valueCharactersMax = 256

    static let header = "x-amz-tagging"

    /// `x-amz-tagging: a=b&c=d`, encoded as in a query.
    static func find(_ headers: HeaderFields) throws(S3Error) -> [ObjectTag] {
        guard let text = headers[header], !text.isEmpty else { return [] }
        var tags: [ObjectTag] = []
        for pair in Array(text.utf8).split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let value = equals == pair.endIndex ? [] : pair[(equals + 1)...]
            tags.append(ObjectTag(key: try decoded(pair[..<equals]), value: try decoded(value)))
        }
        return try checked(tags, most: Limits.tagsMax)
    }

    private static func decoded(_ raw: ArraySlice<UInt8>) throws(S3Error) -> String {
        let bytes: [UInt8]
        do throws(RequestError) {
            bytes = try PercentCoding.decode(raw, plusIsSpace: true)
        } catch { throw malformedHeader }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw malformedHeader }
        return text
    }

    private static var malformedHeader: S3Error {
        .argument(
            header, "",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                + "parameters without tag name duplicates.")
    }

    /// `<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>`
    static func parse(
        _ body: [UInt8], most: Int = Limits.tagsMax
    ) throws(S3Error) -> [ObjectTag] {
        let root: XMLElement
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedXML)
        }
        guard root.name == "Tagging", let set = root.child("TagSet") else {
            throw S3Error(.malformedXML)
        }
        return try tags(in: set, most: most)
    }

    /// Those that are the element's children.
    static func tags(in set: XMLElement, most: Int) throws(S3Error) -> [ObjectTag] {
        var tags: [ObjectTag] = []
        for tag in set.children {
            guard tag.name == "Tag", let key = tag.child("Key")?.text,
                let value = tag.child("Value")?.text
            else { throw S3Error(.malformedXML) }
            tags.append(ObjectTag(key: key, value: value))
        }
        return try checked(tags, most: most)
    }

    private static func checked(
        _ tags: [ObjectTag], most: Int
    ) throws(S3Error) -> [ObjectTag] {
        guard tags.count <= most else {
            let what = most == Limits.tagsMax ? "Object" : "Bucket"
            throw S3Error(.badRequest, "\(what) tags cannot be greater than \(most)")
        }
        for tag in tags {
            guard (1...keyCharactersMax).contains(tag.key.unicodeScalars.count),
                !tag.key.hasPrefix("aws:")
            else { throw S3Error(.invalidTag, "The TagKey you have provided is invalid") }
            guard tag.value.unicodeScalars.count <= valueCharactersMax else {
                throw S3Error(.invalidTag, "The TagValue you have provided is invalid")
            }
        }
        guard Set(tags.map(\.key)).count == tags.count else {
            throw S3Error(.invalidTag, "Cannot provide multiple Tags with the same key")
        }
        return tags
    }

    static func document(_ tags: [ObjectTag]) -> [UInt8] {
        XMLWriter.document("Tagging") { xml in
            xml.element("TagSet") { xml in
                for tag in tags {
                    xml.element("Tag") { xml in
                        xml.element("Key", tag.key)
                        xml.element("Value", tag.value)
                    }
                }
            }
        }
    }
}
