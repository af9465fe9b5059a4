import Glibc
import Testing

@testable import VortexStore

/// The two implementations, and how each starts again.
enum IndexKind: CaseIterable, Sendable {
    case memory, rocks
}

/// One index of either kind, in a directory that goes with it.
final class IndexUnderTest {
    let directory = ScratchDirectory()
    private(set) var index: any Index
    private var generation = 0
    private let kind: IndexKind

    init(_ kind: IndexKind) throws(IndexError) {
        self.kind = kind
        index =
            kind == .memory
            ? MemoryIndex() : try RocksIndex(path: directory.path + "/index-0")
    }

    /// Goes on with what would be on disk if the process had been killed now.
    func crash() throws(IndexError) {
        if let memory = index as? MemoryIndex {
            index = memory.crash()
            return
        }
        let old = directory.path + "/index-\(generation)"
        generation += 1
        let new = directory.path + "/index-\(generation)"
        ScratchDirectory.copyFiles(from: old, to: new)
        index.close()
        index = try RocksIndex(path: new)
    }

    func rows(from lower: [UInt8] = [], before upper: [UInt8]? = nil) throws(IndexError) -> [Row] {
        var rows: [Row] = []
        try index.scan(from: lower, before: upper) { key, value in
            rows.append(Row(key: Array(key), value: Array(value)))
            return .next
        }
        return rows
    }

    deinit { index.close() }
}

struct Row: Equatable {
    var key: [UInt8]
    var value: [UInt8]
    init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
    init(_ key: String, _ value: String) {
        self.key = Array(key.utf8)
        self.value = Array(value.utf8)
    }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

struct IndexTests {
    @Test(arguments: IndexKind.allCases)
    func `a batch is read back, its last change of a key winning`(kind: IndexKind) throws {
        let test = try IndexUnderTest(kind)
        var batch = IndexBatch()
        batch.put(bytes("a"), bytes("1"))
        batch.put(bytes("b"), bytes("2"))
        batch.put(bytes("c"), [])
        batch.put(bytes("a"), bytes("3"))
        batch.delete(bytes("b"))
        try test.index.write(batch)
        #expect(try test.index.get(bytes("a")) == bytes("3"))
        #expect(try test.index.get(bytes("b")) == nil)
        #expect(try test.index.get(bytes("c")) == [])
        #expect(try test.index.get(bytes("d")) == nil)
        #expect(try test.rows() == [Row("a", "3"), Row("c", "")])
        #expect(test.index.approximateBytes > 0)
    }

    @Test(arguments: IndexKind.allCases)
    func `a range delete takes its lower bound and leaves its upper one`(kind: IndexKind) throws {
        let test = try IndexUnderTest(kind)
        var batch = IndexBatch()
        for key in ["a", "b", "b0", "c", "d"] { batch.put(bytes(key), bytes("x")) }
        try test.index.write(batch)
        batch.removeAll()
        batch.delete(from: bytes("b"), before: bytes("c"))
        batch.delete(from: bytes("d"), before: bytes("a"))
        batch.put(bytes("b1"), bytes("after"))
        try test.index.write(batch)
        #expect(
            try test.rows() == [Row("a", "x"), Row("b1", "after"), Row("c", "x"), Row("d", "x")])
    }

    @Test(arguments: IndexKind.allCases)
    func `a scan is ordered by unsigned bytes, bounded, steered and stopped`(
        kind: IndexKind
    ) throws {
        let test = try IndexUnderTest(kind)
        let keys: [[UInt8]] = [[], [0], [0, 0], [1], [0x7f], [0x80], [0xff], [0xff, 0xff]]
        var batch = IndexBatch()
        for key in keys.reversed() { batch.put(key, key) }
        try test.index.write(batch)
        #expect(try test.rows().map(\.key) == keys)
        #expect(try test.rows(from: [0, 0], before: [0x80]).map(\.key) == Array(keys[2..<5]))
        #expect(try test.rows(from: [2], before: [2]).isEmpty)
        var seen: [[UInt8]] = []
        try test.index.scan(from: [0], before: [0xff, 0xff]) { key, _ in
            seen.append(Array(key))
            switch seen.count {
            case 1: return .seek([2])
            case 2: return .seek([0x80])
            default: return .stop
            }
        }
        #expect(seen == [[0], [0x7f], [0x80]])
        seen = []
        try test.index.scan(from: [], before: [1]) { key, _ in
            seen.append(Array(key))
            return .seek([1])
        }
        #expect(seen == [[]])
    }

    @Test(arguments: IndexKind.allCases)
    func `a scan sees the rows as they were when it began`(kind: IndexKind) throws {
        let test = try IndexUnderTest(kind)
        var batch = IndexBatch()
        for number in 0..<500 { batch.put(bytes("k\(1_000 + number)"), bytes("old")) }
        try test.index.write(batch)
        var seen = 0
        var failure: IndexError?
        try test.index.scan(from: [], before: nil) { _, value in
            seen += 1
            #expect(Array(value) == bytes("old"))
            var change = IndexBatch()
            change.put(bytes("k\(1_000 + seen)"), bytes("new"))
            change.put(bytes("l\(seen)"), bytes("new"))
            do throws(IndexError) { try test.index.write(change) } catch { failure = error }
            return .next
        }
        #expect(failure == nil)
        #expect(seen == 500)
        #expect(try test.rows().count == 1_001)
    }

    @Test(arguments: IndexKind.allCases)
    func `what was flushed survives a crash, and the state after it is that of some batch`(
        kind: IndexKind
    ) throws {
        let test = try IndexUnderTest(kind)
        var batch = IndexBatch()
        batch.put(bytes("kept"), bytes("1"))
        try test.index.write(batch)
        try test.index.flush()
        batch.removeAll()
        batch.put(bytes("lost"), bytes("2"))
        batch.put(bytes("kept"), bytes("2"))
        try test.index.write(batch)
        try test.crash()
        #expect(try test.rows() == [Row("kept", "1")])
        try test.index.write(batch)
        try test.index.flush()
        try test.crash()
        #expect(try test.rows() == [Row("kept", "2"), Row("lost", "2")])
    }

    @Test(arguments: 1...6)
    func `RocksDB and the map in memory agree after random changes`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let memory = try IndexUnderTest(.memory)
        let rocks = try IndexUnderTest(.rocks)
        func randomKey() -> [UInt8] {
            (0..<Int.random(in: 0...4, using: &random)).map { _ in
                UInt8.random(in: 0...7, using: &random)
            }
        }
        for _ in 0..<300 {
            var batch = IndexBatch()
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                switch Int.random(in: 0...19, using: &random) {
                case 0: batch.delete(from: randomKey(), before: randomKey())
                case 1...5: batch.delete(randomKey())
                default: batch.put(randomKey(), randomKey())
                }
            }
            try memory.index.write(batch)
            try rocks.index.write(batch)
            let (lower, upper) = (randomKey(), Bool.random(using: &random) ? randomKey() : nil)
            #expect(
                try memory.rows(from: lower, before: upper)
                    == rocks.rows(from: lower, before: upper))
            let key = randomKey()
            #expect(try memory.index.get(key) == rocks.index.get(key))
            switch Int.random(in: 0...49, using: &random) {
            case 0...2:
                try memory.index.flush()
                try rocks.index.flush()
            case 3:
                try memory.crash()
                try rocks.crash()
            default: break
            }
        }
        #expect(try memory.rows() == rocks.rows())
    }

    @Test func `a closed index opens again with everything`() throws {
        let directory = ScratchDirectory()
        let first = try RocksIndex(path: directory.path + "/index")
        var batch = IndexBatch()
        batch.put(bytes("a"), bytes("1"))
        try first.write(batch)
        #expect(throws: IndexError.failed(.open)) {
            try RocksIndex(path: directory.path + "/index")
        }
        first.close()
        let second = try RocksIndex(path: directory.path + "/index")
        #expect(try second.get(bytes("a")) == bytes("1"))
    }

    @Test(arguments: ["CURRENT", "MANIFEST", ".sst"])
    func `an index with a broken file is damaged, and removed it is empty`(part: String) throws {
        let directory = ScratchDirectory()
        let path = directory.path + "/index"
        let first = try RocksIndex(path: path)
        var batch = IndexBatch()
        for number in 0..<1_000 { batch.put(bytes("key \(number)"), bytes("value")) }
        try first.write(batch)
        try first.flush()
        first.close()
        let name = try #require(ScratchDirectory.files(of: path).first { $0.contains(part) })
        ScratchDirectory.overwrite(path + "/" + name, with: Array(repeating: 0x5a, count: 7))
        #expect(throws: IndexError.damaged) { try RocksIndex(path: path) }
        try RocksIndex.remove(at: path)
        let second = try RocksIndex(path: path)
        #expect(try second.get(bytes("key 1")) == nil)
    }

    @Test func `a flipped bit in a row's block is damage to whoever reads it`() throws {
        let directory = ScratchDirectory()
        let path = directory.path + "/index"
        let first = try RocksIndex(path: path)
        var batch = IndexBatch()
        for number in 0..<1_000 { batch.put(bytes("key \(number)"), bytes("value \(number)")) }
        try first.write(batch)
        try first.flush()
        first.close()
        let name = try #require(ScratchDirectory.files(of: path).first { $0.hasSuffix(".sst") })
        ScratchDirectory.flipBit(of: path + "/" + name, at: 100)
        let second = try RocksIndex(path: path)
        #expect(throws: IndexError.damaged) { try second.get(bytes("key 0")) }
        #expect(throws: IndexError.damaged) {
            try second.scan(from: [], before: nil) { _, _ in .next }
        }
    }

    @Test func `an index that flushes itself loses less, by its seed`() throws {
        let index = MemoryIndex(flushesItselfOneIn: 4, seed: 7)
        var kept: [Int] = []
        for number in 0..<50 {
            var batch = IndexBatch()
            batch.put(bytes("k\(100 + number)"), bytes("v"))
            try index.write(batch)
            kept.append(index.crash().rowCount)
        }
        #expect(kept == kept.sorted())
        #expect(Set(kept).count > 5)
    }

    @Test func `rows put in any order lie in order, through splits and removals`() throws {
        var random = SeededGenerator(seed: 11)
        let index = MemoryIndex()
        let numbers = (10_000..<15_000).shuffled(using: &random)
        for number in numbers {
            var batch = IndexBatch()
            batch.put(bytes("\(number)"), bytes("\(number)"))
            try index.write(batch)
        }
        #expect(index.rowCount == 5_000)
        var batch = IndexBatch()
        batch.delete(from: bytes("11001"), before: bytes("14000"))
        try index.write(batch)
        var keys: [String] = []
        try index.scan(from: [], before: nil) { key, _ in
            keys.append(String(decoding: key, as: UTF8.self))
            return .next
        }
        #expect(keys == (Array(10_000...11_000) + Array(14_000..<15_000)).map { "\($0)" })
        #expect(index.approximateBytes == UInt64(10 * keys.count))
    }
}
