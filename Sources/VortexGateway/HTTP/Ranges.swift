/// Range requests (RFC 9110, 14): which bytes of an object an answer has.
///
///     bytes=0-499      first 500          bytes=-500    last 500
///     bytes=500-       from 500 on        bytes=0-0,-1  first and last, as multipart/byteranges
///
/// What the RFC lets a server ignore is ignored, and the whole object sent: another unit, a value
/// that is not of the grammar, more than `rangesMax` ranges.
public enum ByteRanges {
    /// Many small ranges are an old way to make servers work (CVE-2011-3192).
    public static let rangesMax = 64
    /// A gap smaller than a part's header costs less when it is sent along.
    static let gapBytes: UInt64 = 80

    public enum Selection: Sendable, Hashable {
        /// 200 with all of it.
        case whole
        /// 206, one range as it is, more as multipart/byteranges. None is empty; no two overlap.
        case ranges([Range<UInt64>])
        /// 416
        case unsatisfiable
    }

    /// What `lines`, the Range fields of a request, select of an object of `size` bytes.
    public static func select(_ lines: [String], size: UInt64) -> Selection {
        guard lines.count == 1, let specifiers = parse(lines[0]) else { return .whole }
        var ranges: [Range<UInt64>] = []
        for specifier in specifiers {
            if let range = specifier.range(size: size) { ranges.append(range) }
        }
        if ranges.isEmpty {
            // The suffix of an empty object is all of it, which no Content-Range can say.
            let isSuffix = specifiers.contains { $0.isNonEmptySuffix }
            return size == 0 && isSuffix ? .whole : .unsatisfiable
        }
        return .ranges(coalesced(ranges))
    }

    enum Specifier: Hashable {
        case from(UInt64, through: UInt64?)
        case suffix(UInt64)

        var isNonEmptySuffix: Bool {
            if case .suffix(let length) = self { length > 0 } else { false }
        }

        func range(size: UInt64) -> Range<UInt64>? {
            switch self {
            case .from(let first, let last):
                guard first < size else { return nil }
                return first..<(last.map { min($0, size - 1) } ?? size - 1) + 1
            case .suffix(let length):
                guard length > 0, size > 0 else { return nil }
                return size - min(length, size)..<size
            }
        }
    }

    /// Nil where the field is to be ignored.
    static func parse(_ text: String) -> [Specifier]? {
        var scanner = FieldScanner(text)
        guard scanner.take(ignoringCase: "bytes"), scanner.take("=") else { return nil }
        var specifiers: [Specifier] = []
        scanner.skipWhitespace()
        while !scanner.isAtEnd {
            if scanner.peek != UInt8(ascii: ",") {
                guard let specifier = specifier(&scanner) else { return nil }
                specifiers.append(specifier)
                guard specifiers.count <= rangesMax else { return nil }
                scanner.skipWhitespace()
            }
            guard scanner.isAtEnd || scanner.take(",") else { return nil }
            scanner.skipWhitespace()
        }
        return specifiers.isEmpty ? nil : specifiers
    }

    private static func specifier(_ scanner: inout FieldScanner) -> Specifier? {
        if scanner.take("-") { return scanner.takeNumber().map { .suffix($0) } }
        guard let first = scanner.takeNumber(), scanner.take("-") else { return nil }
        guard let last = scanner.takeNumber() else { return .from(first, through: nil) }
        return last < first ? nil : .from(first, through: last)
    }

    /// As asked for where all ranges lie apart; in order and joined where two overlap or nearly
    /// touch.
    static func coalesced(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
        var joined: [Range<UInt64>] = []
        for range in sorted {
            if let last = joined.last,
                range.lowerBound <= last.upperBound
                    || range.lowerBound - last.upperBound < gapBytes
            {
                joined[joined.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined.count == ranges.count ? ranges : joined
    }

    /// The value of Content-Range for one range.
    static func contentRange(_ range: Range<UInt64>, size: UInt64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    }
}

/// If-Range (RFC 9110, 13.1.5): the ranges count only while the object is still the one that the
/// client has a part of.
public enum RangeCondition: Sendable, Hashable {
    case tag(ClientTag)
    case modifiedSeconds(Int64)
    /// Neither a tag nor a date: never true.
    case invalid

    public init(_ text: String, nowSeconds: Int64) {
        var scanner = FieldScanner(text)
        if let tag = ClientTag.scan(&scanner), scanner.isAtEnd {
            self = .tag(tag)
        } else if let seconds = HTTPDate.seconds(text, nowSeconds: nowSeconds) {
            self = .modifiedSeconds(seconds)
        } else {
            self = .invalid
        }
    }

    /// Strong comparison for tags, an exact match for dates.
    public func holds(etag: String, modifiedSeconds: Int64) -> Bool {
        switch self {
        case .tag(let tag): !tag.isWeak && tag.value == etag
        case .modifiedSeconds(let seconds): seconds == modifiedSeconds
        case .invalid: false
        }
    }
}
