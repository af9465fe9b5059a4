import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// body_traces.py: uploads with a row of their own, and what is collected of them.
private let a = [1, 2, 3]

/// An upload with one part, and what a complete of it was answered.
private final class Upload: Sendable {
    let id = Box(UploadID(high: 0, low: 0))
    let isAcknowledged = Box(false)

    init(_ s: Script, appending: Bool = true) {
        let id = id
        s.go(95, Script.everybody) { node in
            id.set(
                try await node.createUpload(
                    bucket: Script.bucket, key: Script.key, attributes: ObjectAttributes(),
                    condition: .none, expectedBytes: nil
                ).id)
            guard appending else { return }
            _ = try await node.append(to: id.now, offset: 0, body: ScriptBody(Script.bytes))
        }
    }

    var complete: @Sendable (ClusterNode) async throws -> Void {
        let (id, isAcknowledged) = (id, isAcknowledged)
        return { node in
            _ = try await node.completeUpload(id.now, expectedSHA256: nil)
            isAcknowledged.set(true)
        }
    }

    /// Completing is chosen; the change of the object's row is held back.
    func beginCompleting(_ s: Script) -> Box<Bool> {
        s.begin(96, Script.everybody, holding: Script.changes(of: { $0 == .object }), complete)
    }

    func verdict(_ s: Script) -> String? { isAcknowledged.now ? s.lost(Script.bytes) : nil }
}

/// An upload with numbered parts.
private final class Numbered: Sendable {
    let id = Box(UploadID(high: 0, low: 0))
    let isAcknowledged = Box(false)

    init(_ s: Script) {
        let id = id
        s.go(95, Script.everybody) { node in
            id.set(
                try await node.createMultipart(
                    bucket: Script.bucket, key: Script.key, attributes: ObjectAttributes(),
                    checksum: nil))
        }
    }

    private var place: UploadPlace {
        UploadPlace(bucket: Script.bucket, key: Script.key, id: id.now)
    }

    func part(_ bytes: [UInt8]) -> @Sendable (ClusterNode) async throws -> Void {
        let place = place
        return { node in
            _ = try await node.putPart(place, number: 1, body: ScriptBody(bytes))
        }
    }

    /// With the parts that there are.
    var complete: @Sendable (ClusterNode) async throws -> Void {
        let (place, isAcknowledged) = (place, isAcknowledged)
        return { node in
            let tag = EntityTag(digest: Digest128(high: 1, low: 1), parts: 1)
            _ = try await node.completeMultipart(place, tag: tag, condition: .none) {
                (_, parts) throws(ClusterError) in
                ClusterNode.ChosenParts(extents: parts.map(\.extent), checksum: nil)
            }
            isAcknowledged.set(true)
        }
    }

    var abort: @Sendable (ClusterNode) async throws -> Void {
        let place = place
        return { node in try await node.abortMultipart(place) }
    }
}

extension Script {
    /// Changes of rows of that kind.
    static func changes(of isHeld: @escaping (RowKey.Kind) -> Bool) -> Holds {
        { question in
            guard kind(.prepare, .accept)(question) else { return false }
            let key = question.message.head.withUnsafeBytes { bytes -> RowKey? in
                var reader = ByteReader(bytes)
                do throws(CodingError) { return try reader.readRowKey() } catch { return nil }
            }
            guard let key, key.bucket != .zero else { return false }
            return isHeld(key.kind)
        }
    }

    fileprivate func tidy() {
        for owner in a { go(owner, Script.everybody) { try await $0.tidyUploads() } }
    }
}

let uploadSchedules = [
    BodySchedule("abort refused", [.abortRefused]) { s in
        let upload = Upload(s)
        let completing = upload.beginCompleting(s)
        let id = upload.id
        s.go(97, Script.everybody) { try await $0.abortUpload(id.now) }
        s.end(completing, 96)
        return upload.verdict(s)
    },
    BodySchedule("finish", [.finish]) { s in
        let upload = Upload(s)
        _ = upload.beginCompleting(s)  // And dies.
        let id = upload.id
        s.tidy()
        let state = Box<UploadRow.State?>(nil)
        s.go(97, Script.everybody) { state.set(try await $0.find(id.now).row.state) }
        return state.now == .completing ? "it stays completing" : s.lost(Script.bytes)
    },
    BodySchedule("done last", [.doneLast]) { s in
        let upload = Upload(s)
        _ = upload.beginCompleting(s)  // And dies.
        s.go(97, Script.everybody, upload.complete)
        return upload.isAcknowledged.now ? upload.verdict(s) : "no second complete"
    },
    BodySchedule("multi entry", [.multiEntry]) { s in
        let upload = Upload(s)
        let completing = upload.beginCompleting(s)
        // The version is chosen, and the gateway dies before it says so.
        s.deliver(
            96, Script.everybody, Script.changes { if case .upload = $0 { true } else { false } })
        s.go(95, Script.everybody, Script.put(Script.small))
        s.tidy()
        _ = completing
        return s.lost(Script.small)
    },
    BodySchedule("entry stays", [.entryStays]) { s in
        let upload = Upload(s)
        let completing = upload.beginCompleting(s)
        s.pass(2 * Limits.uploadIdleMilliseconds)
        for owner in a { s.go(owner, Script.everybody) { try await $0.sweep() } }
        s.end(completing, 96)
        return upload.verdict(s)
    },
    BodySchedule("part orphan", [.partOrphan]) { s in
        let upload = Upload(s)
        let id = upload.id
        s.go(97, Script.everybody) { try await $0.abortUpload(id.now) }
        s.tidy()
        s.collect()
        return s.holders().isEmpty ? nil : "garbage stays"
    },
    BodySchedule("part keeps", [.partKeeps]) { s in
        let upload = Upload(s, appending: false)
        let id = upload.id
        let appending = s.begin(95, a, holding: Script.kind(.putChunk)) { node in
            _ = try await node.append(
                to: id.now, offset: 0, body: ScriptBody(Script.small, failing: .digestMismatch))
        }
        let answers = s.network.held.filter { $0.asker == 95 && $0.target < 3 }
            .map { s.network.answer($0) }
        s.settle()
        // Complete reads the part's row, and is about to name its body.
        let completing = s.begin(
            96, Script.everybody,
            holding: Script.changes { if case .upload = $0 { true } else { false } },
            upload.complete)
        for answer in answers { answer() }
        s.end(appending, 95, a)
        s.collect()
        s.end(completing, 96)
        return upload.isAcknowledged.now ? s.lost(Script.small) : nil
    },
    BodySchedule("replaced part keeps", [.partKeeps]) { s in
        let upload = Numbered(s)
        s.go(95, Script.everybody, upload.part(Script.small))
        // Complete has read the part's row, and is about to name its body.
        let completing = s.begin(
            96, Script.everybody,
            holding: Script.changes { if case .upload = $0 { true } else { false } },
            upload.complete)
        s.go(97, Script.everybody, upload.part([1, 2, 3]))
        s.collect()
        s.end(completing, 96)
        return upload.isAcknowledged.now ? s.lost(Script.small) : "not completed"
    },
    BodySchedule("numbered part orphan", [.partOrphan]) { s in
        let upload = Numbered(s)
        let sending = s.begin(
            95, Script.everybody,
            holding: Script.changes { if case .part = $0 { true } else { false } },
            upload.part(Script.bytes))
        s.go(97, Script.everybody, upload.abort)
        s.tidy()
        // Only now its body is named.
        s.end(sending, 95)
        s.collect()
        return s.holders().isEmpty ? nil : "garbage stays"
    },
    BodySchedule("collect order", [.collectOrder]) { s in
        let upload = Upload(s)
        let id = upload.id
        let isDone = s.begin(2, Script.everybody, holding: Script.changes { $0 != .object }) {
            (node) in
            guard let part = try await node.partRows(of: id.now).first,
                let blob = part.content.blobs.first
            else { return }
            _ = try await node.collectEverywhere(
                UnnamedBlob(blob: blob, owner: part.key, sinceMilliseconds: 0))
        }
        // The name moves on meanwhile, and the part's row goes.
        s.go(97, Script.everybody, upload.complete)
        s.go(1, Script.everybody) { try await $0.tidyUploads() }
        s.end(isDone, 2)
        return upload.verdict(s)
    },
]
