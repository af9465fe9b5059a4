import Testing
import VortexCore

struct HybridClockTests {
    @Test func `values rise whatever the wall clock does`() {
        var clock = HybridClock()
        var last: UInt64 = 0
        for milliseconds in [UInt64(1_000), 1_000, 900, 0, 2_000, 1_999, 2_000] {
            let value = clock.next(milliseconds: milliseconds)
            #expect(value > last)
            #expect(HybridClock.milliseconds(of: value) >= milliseconds)
            last = value
        }
        #expect(HybridClock.milliseconds(of: last) == 2_000)
    }

    @Test func `what was observed is overtaken, what is older changes nothing`() {
        var clock = HybridClock()
        clock.observe(5_000 << 16 | 9)
        #expect(clock.next(milliseconds: 1) == 5_000 << 16 | 10)
        clock.observe(3)
        #expect(clock.next(milliseconds: 1) == 5_000 << 16 | 11)
        #expect(clock.next(milliseconds: 6_000) == 6_000 << 16)
    }

    @Test func `65,536 values in one millisecond run into the next`() {
        var clock = HybridClock(last: 7 << 16 | 0xffff)
        #expect(HybridClock.milliseconds(of: clock.next(milliseconds: 7)) == 8)
    }

    @Test func `ballots order by clock, then node, then boot`() {
        let ballots = [
            Ballot.none, Ballot(clock: 1, node: NodeID(9), boot: 9),
            Ballot(clock: 2, node: NodeID(1), boot: 5), Ballot(clock: 2, node: NodeID(2), boot: 1),
            Ballot(clock: 2, node: NodeID(2), boot: 2),
        ]
        #expect(ballots.reversed().sorted() == ballots)
    }

    @Test func `a ballot is read as it was written`() throws {
        let ballot = Ballot(clock: .max, node: NodeID(3), boot: 4)
        var writer = ByteWriter()
        writer.write(ballot)
        #expect(writer.count == Ballot.encodedBytes)
        let read = try ByteReader.decode(writer.bytes) { reader throws(CodingError) in
            try reader.readBallot()
        }
        #expect(read == ballot)
    }
}
