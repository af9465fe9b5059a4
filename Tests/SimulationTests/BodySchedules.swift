import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// A schedule about bodies: it tells what is wrong at its end.
struct BodySchedule: Sendable {
    let name: String
    let rules: Omissions
    let body: @Sendable (Script) -> String?

    init(
        _ name: String, _ rules: Omissions, _ body: @escaping @Sendable (Script) -> String?
    ) {
        self.name = name
        self.rules = rules
        self.body = body
    }

    func problem(omitting rules: Omissions) -> String? {
        let script = Script.bodies(omitting: rules)
        defer { script.close() }
        return body(script)
    }
}

private let (a, b, c) = ([1, 2, 3], [4, 5, 6], [7, 8, 9])
private let everybody = Script.everybody

extension Script {
    /// Whether the object has these bytes still.
    func lost(_ bytes: [UInt8], at number: Int = 98, _ nodes: [Int] = everybody) -> String? {
        let found = read(number, nodes)
        return found == bytes ? nil : "the object has \(found?.count ?? -1) bytes"
    }

    fileprivate func putBig(_ nodes: [Int]) { go(95, nodes, Script.put(Script.bytes)) }
}

/// body_traces.py: rows with bodies, chunks that move.
let movingSchedules = [
    BodySchedule("missing", [.missing]) { s in
        _ = s.begin(95, [1, 2], holding: Script.kind(.accept), Script.put(Script.small))
        s.deliver(95, [1])  // Accepted at 1 only.
        s.go(96, [1, 2]) { node in  // Writes it back.
            _ = try await node.head(bucket: Script.bucket, key: Script.key)
        }
        return s.lost(Script.small, [2, 3])
    },
    BodySchedule("sync bodies", [.syncBodies]) { s in
        s.go(95, [1, 2], Script.put(Script.small))
        s.move(to: b, partitions: s.rowPartitions)
        for owner in b { s.sync(owner, from: a) }
        s.finish()
        return s.lost(Script.small, b)
    },
    BodySchedule("stray all", [.strayAll]) { s in
        s.putBig([1, 2])
        s.moveChunks(to: b)
        for _ in 0..<2 { s.walk([1, 2], reaching: a + [4]) }
        return s.lost(Script.bytes, a + [5, 6])
    },
    BodySchedule("stray epoch", [.strayEpoch]) { s in
        s.moveChunks(to: b)
        s.putBig(a + [4, 5])
        s.moveChunks(to: a)
        s.moveChunks(to: c, know: everybody.filter { ![4, 5].contains($0) })
        s.walk(a, reaching: a)
        for _ in 0..<2 { s.walk([4, 5], reaching: a) }
        return s.lost(Script.bytes)
    },
    BodySchedule("fallback source", [.fallbackSource]) { s in
        s.move(to: b, partitions: s.chunkPartitions)
        s.putBig(a + [4, 5])
        s.move(to: a, partitions: s.chunkPartitions)
        return s.lost(Script.bytes)
    },
    BodySchedule("sources", [.sources]) { s in
        s.putBig([1, 2])
        s.moveChunks(to: b)
        return s.lost(Script.bytes)
    },
    BodySchedule("empty true", [.emptyTrue]) { s in
        s.putBig([1, 2])
        s.moveChunks(to: b)
        s.walk(a, reaching: a)
        return s.lost(Script.bytes)
    },
    BodySchedule("empty epoch", [.emptyEpoch]) { s in
        s.moveChunks(to: b)
        let late = [1, 2].map { owner in
            s.begin(owner, everybody, holding: Script.kind(.councilPrepare)) { node in
                _ = try await node.walkChunks()
            }
        }
        s.moveChunks(to: a)
        s.putBig([1, 2])
        s.moveChunks(to: b)
        for (owner, isDone) in zip([1, 2], late) { s.end(isDone, owner) }
        s.refreshLayout()
        return s.lost(Script.bytes)
    },
    BodySchedule("read layout", [.readLayout]) { s in
        s.putBig([1, 2])
        s.moveChunks(to: b, know: everybody.filter { $0 != 95 })
        s.walk([1, 2], reaching: a + b)
        return s.lost(Script.bytes, at: 95)
    },
    BodySchedule("read again", [.readAgain]) { s in
        s.putBig([1, 2])
        s.moveChunks(to: b)
        let found = Box<[UInt8]?>(nil)
        let reading = s.begin(95, everybody, holding: Script.kind(.getChunk)) { node in
            found.set(try await Script.object(at: node))
        }
        s.deliver(95, b)  // The owners have nothing yet.
        s.walk([1, 2], reaching: a + b)  // Moved, and dropped.
        s.end(reading, 95)  // Nor have the former owners any more.
        return found.now == Script.bytes ? nil : "nothing is found"
    },
    BodySchedule("chunk fence", [.chunkFence]) { s in
        let putting = s.begin(
            95, a, holding: Script.kind(.putChunk), Script.put(Script.bytes))
        s.moveChunks(to: b, know: a + b + [99])
        s.walk(a, reaching: a)
        s.end(putting, 95)
        return s.lost(Script.bytes)
    },
    BodySchedule("chunk quorum", [.chunkQuorum]) { s in
        let isPut = Box(false)
        let isLost: Script.Holds = { question in
            question.target != 1 && Script.kind(.putChunk)(question)
        }
        s.go(95, a, holding: isLost) { node in
            try await Script.put(Script.bytes)(node)
            isPut.set(true)
        }
        return isPut.now ? s.lost(Script.bytes, [2, 3]) : nil
    },
    BodySchedule("name first", [.nameFirst]) { s in
        let isPut = Box(false)
        let putting = s.begin(95, [1, 2], holding: Script.kind(.prepare)) { node in
            try await Script.put(Script.bytes)(node)
            isPut.set(true)
        }
        for _ in 0..<2 {
            s.walk(a, reaching: a)
            s.pass(600_000)
        }
        s.end(putting, 95, [1, 2])
        return isPut.now ? s.lost(Script.bytes) : nil
    },
    BodySchedule("commit checks", [.commitChecks]) { s in
        let isPut = Box(false)
        let putting = s.begin(95, a, holding: Script.kind(.putChunk)) { node in
            try await Script.put(Script.bytes)(node)
            isPut.set(true)
        }
        s.deliver(95, a, Script.kind(.prepare))
        let key = s.object
        s.go(96, a) { node in  // The policy thinks that nobody feeds it.
            for upload in try await node.readObject(key).openUploads {
                try await node.closeUpload(upload.kind, key)
            }
        }
        s.collect()
        s.end(putting, 95)
        return isPut.now ? s.lost(Script.bytes) : nil
    },
    BodySchedule("collect row", [.collectRow]) { s in
        // 3 has the chunks, and nothing of the row.
        s.go(
            95, a, holding: { $0.target == 3 && Script.kind(.accept)($0) }, Script.put(Script.bytes)
        )
        let key = s.object
        s.go(3, everybody) { node in
            let some: [StoredChunk] = try node.store.chunks(after: nil, limit: 1)
            for chunk in some {
                _ = try await node.collectEverywhere(
                    UnnamedBlob(blob: chunk.id.blob, owner: key, sinceMilliseconds: 0))
            }
        }
        return s.lost(Script.bytes)
    },
]
