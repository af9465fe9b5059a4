import Testing

@testable import VortexGateway

struct RangesTests {
    @Test(
        arguments: [
            ("bytes=0-0", 10, .ranges([0..<1])),
            ("bytes=0-", 10, .ranges([0..<10])),
            ("bytes=3-5", 10, .ranges([3..<6])),
            ("BYTES= 3-5 ,", 10, .ranges([3..<6])),
            ("bytes=3-500", 10, .ranges([3..<10])),
            ("bytes=-3", 10, .ranges([7..<10])),
            ("bytes=-30", 10, .ranges([0..<10])),
            ("bytes=9-99999999999999999999999", 10, .ranges([9..<10])),
            ("bytes=10-", 10, .unsatisfiable),
            ("bytes=99999999999999999999999-", 10, .unsatisfiable),
            ("bytes=-0", 10, .unsatisfiable),
            ("bytes=20-30,-0", 10, .unsatisfiable),
            ("bytes=20-30,0-1", 10, .ranges([0..<2])),
            ("bytes=0-", 0, .unsatisfiable),
            ("bytes=-5", 0, .whole),
            ("bytes=5-3", 10, .whole), ("bytes=", 10, .whole), ("bytes=a-b", 10, .whole),
            ("bytes", 10, .whole), ("bytes=1", 10, .whole), ("lines=1-2", 10, .whole),
            ("bytes=--1", 10, .whole), ("bytes=1-2x", 10, .whole), ("bytes=0-1;2-3", 10, .whole),
            ("bytes=0-1,500-501", 1_000, .ranges([0..<2, 500..<502])),
            ("bytes=500-501,0-1", 1_000, .ranges([500..<502, 0..<2])),
            ("bytes=0-99,50-149", 1_000, .ranges([0..<150])),
            ("bytes=500-599,0-9,550-649", 1_000, .ranges([0..<10, 500..<650])),
            ("bytes=0-9,20-29", 1_000, .ranges([0..<30])),
            ("bytes=0-0,-1", 1_000, .ranges([0..<1, 999..<1_000])),
        ] as [(String, UInt64, ByteRanges.Selection)])
    func `a Range selects`(line: String, size: UInt64, selection: ByteRanges.Selection) {
        #expect(ByteRanges.select([line], size: size) == selection)
    }

    @Test func `no Range, two of them, or too many ranges select all`() {
        #expect(ByteRanges.select([], size: 10) == .whole)
        #expect(ByteRanges.select(["bytes=0-1", "bytes=0-1"], size: 10) == .whole)
        let many = (0...ByteRanges.rangesMax).map { "\($0 * 1_000)-\($0 * 1_000)" }
        let line = "bytes=" + many.joined(separator: ",")
        #expect(ByteRanges.select([line], size: 1_000_000) == .whole)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `no Range traps, and what is selected lies within and apart`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            let line = "bytes=" + random.text(from: "0123456789--,, x", upTo: 24)
            let size = UInt64.random(in: 0...2_000, using: &random)
            guard case .ranges(let ranges) = ByteRanges.select([line], size: size) else { continue }
            let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
            #expect(!ranges.isEmpty && ranges.allSatisfy { !$0.isEmpty && $0.upperBound <= size })
            for (left, right) in zip(sorted, sorted.dropFirst()) {
                #expect(left.upperBound < right.lowerBound)
            }
        }
        #expect(
            ByteRanges.select(["bytes=0-18446744073709551615"], size: .max)
                == .ranges([0..<UInt64.max]))
    }

    @Test(arguments: [
        ("\"e\"", true), ("\"x\"", false), ("W/\"e\"", false), ("e", false), ("", false),
        ("Thu, 01 Jan 1970 00:01:40 GMT", true), ("Thu, 01 Jan 1970 00:01:41 GMT", false),
        ("\"e\", \"x\"", false),
    ])
    func `If-Range compares strongly`(text: String, holds: Bool) {
        let condition = RangeCondition(text, nowSeconds: HTTPDateTests.now)
        #expect(condition.holds(etag: "e", modifiedSeconds: 100) == holds)
    }

    @Test func `a multipart layout has the length of its pieces, and each byte one place`() {
        let layout = MultipartLayout(
            ranges: [5..<7, 0..<3], size: 9, contentType: "text/plain", boundary: "b")
        #expect(layout.length == layout.pieces.reduce(0) { $0 + $1.length })
        for offset in 0..<layout.length {
            let place = layout.piece(at: offset)!
            #expect(layout.starts[place.index] + place.into == offset)
            #expect(place.into < layout.pieces[place.index].length)
        }
        #expect(layout.piece(at: layout.length) == nil)
        guard case .text(let first) = layout.pieces[0] else {
            Issue.record("a part begins with its header")
            return
        }
        #expect(
            String(decoding: first, as: UTF8.self)
                == "\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/9\r\n\r\n")
    }
}
