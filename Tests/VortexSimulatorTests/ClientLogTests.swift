import Testing
import VortexSimulator

struct ClientLogTests {
    private func line(
        _ operation: ClientLog.Line.Operation, _ start: UInt64, _ end: UInt64?, _ status: Int?,
        etag: String? = nil, digest: String? = nil, ifMatch: String? = nil
    ) -> ClientLog.Line {
        var line = ClientLog.Line(
            client: 1, operation: operation, bucket: "b", key: "k", start: start, end: end,
            status: status)
        line.etag = etag
        line.digest = digest
        line.ifMatch = ifMatch
        return line
    }

    private func problems(_ lines: [ClientLog.Line]) -> Int {
        var log = ClientLog()
        for line in lines { log.add(line) }
        return log.problems().count
    }

    @Test func `a put of unknown outcome is known again by its digest`() {
        let put = line(.put, 1, nil, nil, digest: "d")
        let later = line(.put, 3, nil, 503, digest: "e")
        #expect(problems([put, line(.get, 2, 3, 200, etag: "\"t-1\"", digest: "d")]) == 0)
        #expect(problems([later, line(.get, 1, 2, 200, etag: "\"t-1\"", digest: "e")]) == 1)
        #expect(
            problems([
                put, line(.get, 2, 3, 200, etag: "\"t-1\"", digest: "d"),
                line(.put, 4, 5, 200, etag: "u-1", digest: "f", ifMatch: "\"t-1\""),
            ]) == 0)
    }

    @Test func `a head may tell the tag of a put whose answer was lost, one and the same`() {
        let put = line(.put, 1, 2, 201, etag: "t", digest: "d")
        let lost = line(.put, 3, nil, nil, digest: "e")
        let new = line(.head, 5, 6, 200, etag: "u")
        #expect(problems([put, lost, new]) == 0)
        #expect(problems([put, new]) == 1, "nobody put it")
        let old = line(.head, 7, 8, 200, etag: "t")
        #expect(problems([put, lost, new, old]) == 1, "what was replaced comes back")
        let other = line(.head, 9, 10, 200, etag: "v")
        #expect(problems([put, lost, new, other]) == 1, "one put, two tags")
        let second = line(.put, 4, nil, 503, digest: "f")
        #expect(problems([put, lost, second, new, other]) == 0)
        let again = line(.head, 11, 12, 200, etag: "u")
        #expect(problems([put, lost, second, new, other, again]) == 1)
    }

    @Test func `an acknowledged put has to stay`() {
        let put = line(.put, 1, 2, 201, etag: "\"t\"")
        #expect(problems([put, line(.head, 3, 4, 200, etag: "W/\"t\"")]) == 0)
        #expect(problems([put, line(.head, 3, 4, 404)]) == 1)
        #expect(problems([put, line(.delete, 3, 4, 204), line(.head, 5, 6, 404)]) == 0)
    }

    @Test func `what a client did wrong, and a full disk, change nothing`() {
        let put = line(.put, 1, 2, 201, etag: "t")
        for status in [400, 409, 413, 507] {
            #expect(
                problems([
                    put, line(.put, 3, 4, status, digest: "u"), line(.get, 5, 6, 200, etag: "t"),
                ]) == 0)
            #expect(
                problems([
                    put, line(.put, 3, 4, status, digest: "u"),
                    line(.get, 5, 6, 200, etag: "x", digest: "u"),
                ]) == 1)
        }
    }

    @Test func `one entity tag stands for one body`() {
        #expect(
            problems([
                line(.put, 1, 2, 201, etag: "t", digest: "d"),
                line(.get, 3, 4, 200, etag: "t", digest: "e"),
            ]) > 0)
    }
}
