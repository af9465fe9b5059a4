import Testing
import VortexCore

struct IdentifiersTests {
    @Test func `an id is its 32 lower-case digits`() {
        let id = BlobID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
        #expect("\(id)" == "0123456789abcdeffedcba9876543210")
        #expect(BlobID("0123456789abcdeffedcba9876543210") == id)
        #expect(BlobID("0123456789ABCDEFFEDCBA9876543210") == id)
    }

    @Test(arguments: [
        "", "0123456789abcdeffedcba987654321", "0123456789abcdeffedcba98765432100",
        "0123456789abcdeg0123456789abcdef", "+123456789abcdef0123456789abcdef",
        "é123456789abcdef0123456789abcde",
    ])
    func `anything else is no id`(text: String) {
        #expect(BlobID(text) == nil)
    }

    @Test func `ids made later sort later`() {
        let early = UploadID(milliseconds: 1_000, tag: .max, random: .max)
        let late = UploadID(milliseconds: 1_001, tag: 0, random: 0)
        #expect(early < late)
        #expect(late.milliseconds == 1_001)
        #expect(early.tag == .max)
    }

    @Test func `a forced generation is above every number`() {
        #expect(Epoch(generation: 0, number: .max) < Epoch(generation: 1, number: 0))
    }

    @Test func `hexadecimal of bytes and numbers agree`() {
        #expect(Hex.string([0x00, 0xff, 0x1a]) == "00ff1a")
        #expect(Hex.string(UInt64(0x1a)) == "000000000000001a")
        #expect(Hex.value("fFfFfFfFfFfFfFfF".utf8) == .max)
        #expect(Hex.value("".utf8) == nil)
        #expect(Hex.value("00000000000000001".utf8) == nil)
        #expect(NodeID(10).description == "000000000000000a")
    }
}
