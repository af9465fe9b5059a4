import Testing
import VortexStore

@testable import VortexCluster
@testable import VortexCore
@testable import VortexSimulator

/// A body's name is added once: where nobody can tell whether it was, as when the row's owners
/// change, a client that never retries got 503 before a byte of its body was sent.
struct FreshNameTests {
    /// What the body is named by is accepted at one owner, which then cannot be reached.
    private static func interrupted(
        _ script: Script, _ body: @escaping @Sendable (ClusterNode) async throws -> Void
    ) -> Bool {
        let isAnswered = Box(false)
        let task = script.begin(95, [1, 2, 3], holding: Script.kind(.accept)) { node in
            try await body(node)
            isAnswered.set(true)
        }
        script.deliver(95, [1])
        script.lose(Script.kind(.accept))
        // The retry does not see it.
        script.network.timeOut(95)
        script.settle()
        for question in script.network.held where question.asker == 95 {
            if [2, 3].contains(question.target) { script.network.deliver(question) }
        }
        script.settle()
        // What names the body then, does.
        script.end(task, 95, [1, 2])
        return isAnswered.now
    }

    /// Nothing stays of the first name.
    private static func expectTidy(_ script: Script, named count: Int) {
        let object = script.object
        let left = Box<[OpenUpload]?>(nil)
        script.go(97, Script.everybody) { node in
            guard case .object(let row) = try await node.coordinator.read(object) else { return }
            left.set(row.openUploads)
        }
        #expect(left.now?.count == count)
    }

    @Test func `a PUT goes on under a fresh name`() {
        let script = Script.bodies(omitting: [])
        #expect(Self.interrupted(script, Script.put(Script.bytes)))
        #expect(script.lost(Script.bytes, at: 98) == nil)
        Self.expectTidy(script, named: 0)
        #expect(script.lost(Script.bytes, at: 98) == nil)
        script.close()
    }

    @Test func `a part goes on under a fresh name`() {
        let script = Script.bodies(omitting: [])
        let place = Box<UploadPlace?>(nil)
        script.go(95, [1, 2, 3]) { node in
            let id = try await node.createMultipart(
                bucket: Script.bucket, key: Script.key, attributes: ObjectAttributes(),
                checksum: nil)
            place.set(UploadPlace(bucket: Script.bucket, key: Script.key, id: id))
        }
        guard let place = place.now else {
            Issue.record("no upload")
            return
        }
        #expect(
            Self.interrupted(script) { node in
                _ = try await node.putPart(place, number: 1, body: ScriptBody(Script.bytes))
            })
        script.close()
    }

    @Test func `a multipart upload begins under a fresh id`() {
        let script = Script.bodies(omitting: [])
        #expect(
            Self.interrupted(script) { node in
                _ = try await node.createUpload(
                    bucket: Script.bucket, key: Script.key, attributes: ObjectAttributes(),
                    condition: .none, expectedBytes: nil)
            })
        script.close()
    }
}
