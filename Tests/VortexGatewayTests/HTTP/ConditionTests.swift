import Testing

@testable import VortexGateway

struct ConditionTests {
    @Test(
        arguments: [
            (["*"], EntityTagList.any),
            ([" * "], .any),
            (["\"a\""], .tags([ClientTag("a")])),
            (["\"a\", W/\"b\""], .tags([ClientTag("a"), ClientTag("b", isWeak: true)])),
            (["\"a\"", "\"b\""], .tags([ClientTag("a"), ClientTag("b")])),
            ([", ,\"a,b\" ,"], .tags([ClientTag("a,b")])),
            (["\"\""], .tags([ClientTag("")])),
            ([], nil),
        ] as [([String], EntityTagList?)])
    func `tag lists are read`(lines: [String], list: EntityTagList?) throws {
        #expect(try EntityTagList.parse(lines, .ifMatch) == list)
    }

    @Test(arguments: [
        "", "a", "\"a", "w/\"a\"", "*, \"a\"", "\"a\" \"b\"", "\"a\u{1}\"", "W/", ",",
    ])
    func `malformed tag lists are refused`(line: String) {
        #expect(throws: RequestError.malformed(.ifMatch)) {
            try EntityTagList.parse([line], .ifMatch)
        }
    }

    static let tag = EntityTagList.tags([ClientTag("e")])
    static let other = EntityTagList.tags([ClientTag("x")])
    static let weak = EntityTagList.tags([ClientTag("e", isWeak: true)])

    /// The object's tag is `e`, it was modified at 100.
    @Test(
        arguments: [
            (nil, nil, nil, nil, .proceed),
            (tag, nil, nil, nil, .proceed), (.any, nil, nil, nil, .proceed),
            (other, nil, nil, nil, .failed), (weak, nil, nil, nil, .failed),
            // If-Match silences If-Unmodified-Since.
            (tag, 50, nil, nil, .proceed), (nil, 50, nil, nil, .failed),
            (nil, 100, nil, nil, .proceed),
            (nil, nil, tag, nil, .notModified), (nil, nil, weak, nil, .notModified),
            (nil, nil, .any, nil, .notModified), (nil, nil, other, nil, .proceed),
            // If-None-Match silences If-Modified-Since.
            (nil, nil, other, 100, .proceed), (nil, nil, nil, 100, .notModified),
            (nil, nil, nil, 99, .proceed),
            // 412 before 304.
            (other, nil, tag, nil, .failed), (tag, nil, tag, nil, .notModified),
            (nil, 50, tag, nil, .failed),
        ] as [(EntityTagList?, Int64?, EntityTagList?, Int64?, ReadConditions.Outcome)])
    func `conditions count in the order of RFC 9110`(
        ifMatch: EntityTagList?, unmodified: Int64?, ifNoneMatch: EntityTagList?,
        modified: Int64?, outcome: ReadConditions.Outcome
    ) {
        var conditions = ReadConditions()
        conditions.ifMatch = ifMatch
        conditions.ifUnmodifiedSinceSeconds = unmodified
        conditions.ifNoneMatch = ifNoneMatch
        conditions.ifModifiedSinceSeconds = modified
        #expect(conditions.outcome(etag: "e", modifiedSeconds: 100) == outcome)
    }

    @Test(arguments: [UInt64(1), 2])
    func `no tag list traps`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let line = random.text(from: "W/\"\"\"ab*,, \té", upTo: 20)
            do throws(RequestError) {
                _ = try EntityTagList.parse([line], .ifNoneMatch)
            } catch { #expect(error == .malformed(.ifNoneMatch)) }
        }
    }
}
