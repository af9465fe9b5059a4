internal import VortexCore

/// The request headers that belong to S3: those that are understood, those that say nothing here,
/// and those that would change what is done. The last are refused, by name.
enum S3Headers {
    static let metadataPrefix = "x-amz-meta-"

    /// Read somewhere, or of no effect on what is done.
    private static let known: Set<String> = [
        "x-amz-date", "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer",
        "x-amz-user-agent", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-mode",
        "x-amz-checksum-algorithm", "x-amz-copy-source", "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-none-match", "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-unmodified-since", "x-amz-metadata-directive",
        "x-amz-request-payer", "x-amz-optional-object-attributes", "x-amz-object-ownership",
        "x-amz-security-token", "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner", "x-amz-checksum-type", "x-amz-mp-object-size",
        "x-amz-copy-source-range", "x-amz-object-attributes", "x-amz-max-parts",
        "x-amz-part-number-marker", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-acl",
        // Amazon's SDK for C++ says which date of the interface it was made for.
        "x-amz-api-version",
    ]

    /// Understood with one value, which asks for what is done anyway.
    private static let settled: [String: Set<String>] = [
        "x-amz-storage-class": ["STANDARD"],
        "x-amz-bucket-object-lock-enabled": ["false", "False"],
    ]

    /// `x-amz-...`, in any case.
    static func isAmazons(_ name: String) -> Bool {
        var bytes = name.utf8.makeIterator()
        for expected in "x-amz-".utf8 {
            guard let byte = bytes.next(), lower(byte) == expected else { return false }
        }
        return true
    }

    static func check(_ headers: HeaderFields) throws(S3Error) {
        for (name, value) in headers where isAmazons(name) {
            let name = name.lowercased()
            if known.contains(name) || name.hasPrefix(metadataPrefix) { continue }
            if ChecksumAlgorithm(header: name) != nil { continue }
            if settled[name]?.contains(value) == true { continue }
            throw .notImplemented(settled[name] == nil ? name : "\(name): \(value)")
        }
        for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
            guard let owner = headers[name] else { continue }
            guard owner == S3Owner.id else { throw S3Error(.accessDenied) }
        }
    }

    /// What is stored with an object. `aws-chunked` is a matter of the transfer, not of the object.
    static func attributes(of headers: HeaderFields) throws(S3Error) -> ObjectAttributes {
        var attributes = try contentAttributes(of: headers)
        attributes.tags = try S3Tags.find(headers)
        return attributes
    }

    private static func contentAttributes(
        of headers: HeaderFields
    ) throws(S3Error) -> ObjectAttributes {
        do throws(RequestError) {
            var attributes = try ContentHeaders.attributes(
                of: headers, metadataPrefix: metadataPrefix)
            if let coding = attributes.contentEncoding {
                let kept = coding.split(separator: ",")
                    .map { String(decoding: SignatureCheck.trimmed(String($0)), as: UTF8.self) }
                    .filter { $0.lowercased() != "aws-chunked" && !$0.isEmpty }
                attributes.contentEncoding = kept.isEmpty ? nil : kept.joined(separator: ", ")
            }
            return attributes
        } catch { throw S3Error(refused: error) }
    }

    /// The tags of If-Match or If-None-Match. Clients leave the quotes out as often as not.
    static func tags(_ lines: [String]) -> EntityTagList? {
        guard !lines.isEmpty else { return nil }
        let items = lines.flatMap { $0.split(separator: ",") }
            .map { String(decoding: SignatureCheck.trimmed(String($0)), as: UTF8.self) }
        if items == ["*"] { return .any }
        return .tags(
            items.map { item in
                let isWeak = item.hasPrefix("W/")
                let bare = isWeak ? item.dropFirst(2) : item[...]
                return ClientTag(bare.filter { $0 != "\"" }, isWeak: isWeak)
            })
    }
}

/// The one owner of everything: there are keys here, and no accounts.
enum S3Owner {
    /// 64 hex digits, as Amazon's canonical ids have.
    static let id = "766f727465786e65746673000000000000000000000000000000000000000000"
    static let name = "vortexnetfs"
}

extension XMLWriter {
    mutating func owner(_ name: StaticString = "Owner") {
        element(name) { xml in
            xml.element("ID", S3Owner.id)
            xml.element("DisplayName", S3Owner.name)
        }
    }
}
