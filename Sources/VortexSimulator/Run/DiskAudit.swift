internal import VortexCluster
internal import VortexCore
internal import VortexStore

/// What the disks of a run hold, counted from the disks themselves: nobody is asked what he thinks
/// there is. Only who should have what comes from the layout.
struct DiskAudit: Sendable {
    let nodes: [SimulatedNode]

    struct Findings: Sendable {
        /// Rows and chunks of visible objects that one of their owners lacks.
        var missing: [String] = []
        /// Copies that are there and do not verify, on a disk that was to keep what it got.
        var rotten: [String] = []
        /// Chunks and rows where they do not belong.
        var strays: [String] = []
    }

    private struct Machine: Sendable {
        var place: Int
        var store: Store
    }

    private struct Copy: Hashable {
        var chunk: ChunkID
        var length: Int
        var owners: [NodeID]
    }

    /// nil where it cannot be told: a node is down, or the nodes know different layouts, or owners
    /// are changing. `verifying`: reads every byte of every copy. `rotting`: the disk that may
    /// hold copies that do not verify.
    func findings(verifying: Bool, rotting: Int?) async throws(StoreError) -> Findings? {
        var machines: [NodeID: Machine] = [:]
        var known: Layout?
        for node in nodes {
            guard let process = node.process else { return nil }
            let layout = process.node.layout
            guard !layout.isMigrating, known.map({ $0.epoch == layout.epoch }) ?? true else {
                return nil
            }
            known = layout
            machines[process.store.identity.node] = Machine(
                place: node.place, store: process.store)
        }
        guard let layout = known else { return nil }
        var findings = Findings()
        var copies: [Copy] = []
        for partition in layout.ring.partitions {
            try rows(of: partition, layout, machines, &findings, &copies)
        }
        try await look(for: copies, machines, verifying, rotting, &findings)
        let expected = Dictionary(
            copies.map { ($0.chunk, $0.owners) }, uniquingKeysWith: { one, _ in one })
        for node in nodes {
            guard let process = node.process else { return nil }
            let id = process.store.identity.node
            for chunk in try process.store.chunks(limit: 100_000) {
                guard let owners = expected[chunk], !owners.contains(id) else { continue }
                findings.strays.append("\(chunk.blob) \(chunk.index) on node \(node.place)")
            }
        }
        for partition in layout.ring.partitions where !layout.sources(of: partition).isEmpty {
            findings.strays.append("partition \(partition.value) has sources")
        }
        return findings
    }

    private func rows(
        of partition: Partition, _ layout: Layout, _ machines: [NodeID: Machine],
        _ findings: inout Findings, _ copies: inout [Copy]
    ) throws(StoreError) {
        let owners = layout.rowOwners(of: partition)
        var found: [RowKey: [NodeID: StoredRow]] = [:]
        for id in machines.keys.sorted() {
            guard let machine = machines[id] else { continue }
            for key in try Self.keys(of: partition, machine.store) {
                guard let row = try machine.store.row(key) else { continue }
                if owners.contains(id), row.since == layout.since(id, in: partition) {
                    found[key, default: [:]][id] = row
                } else {
                    findings.strays.append("row \(Self.name(key)) on node \(machine.place)")
                }
            }
        }
        for key in found.keys.sorted() {
            let rows = found[key] ?? [:]
            guard let newest = rows.values.max(by: { $0.accepted < $1.accepted }),
                !newest.value.isTombstone
            else { continue }
            for owner in owners where rows[owner]?.accepted != newest.accepted {
                findings.missing.append(
                    "row \(Self.name(key)) on node \(machines[owner]?.place ?? -1)")
            }
            do throws(CodingError) {
                let content = try RowContent(newest.value.content, of: key)
                guard case .object(let row) = content else { continue }
                for version in row.versions {
                    copies += Self.copies(of: version, key, layout)
                }
            } catch { throw .coding(error) }
        }
    }

    private static func keys(
        of partition: Partition, _ store: Store
    ) throws(StoreError) -> [RowKey] {
        var keys: [RowKey] = []
        var after: [UInt8]?
        repeat {
            let page = try store.rows(of: partition.value, after: after, limit: 1_000)
            keys += page.rows.map(\.key)
            after = page.next
        } while after != nil
        return keys
    }

    /// Rows of parts that are more than tombstones.
    static func parts(on store: Store) throws(StoreError) -> [String] {
        var names: [String] = []
        var after: UploadID?
        var ids: [UploadID] = []
        repeat {
            let page = try store.uploads(after: after, limit: 1_000)
            for case .upload(let id) in page.rows.map(\.key.kind) { ids.append(id) }
            after = page.isTruncated ? ids.last : nil
        } while after != nil
        for id in ids {
            for (key, row) in try store.parts(of: id, limit: 1_000).rows
            where !row.value.isTombstone { names.append(name(key)) }
        }
        return names
    }

    private static func name(_ key: RowKey) -> String {
        "\(key.bucket) \(String(decoding: key.key, as: UTF8.self)) \(key.kind)"
    }

    private static func copies(
        of version: ObjectVersion, _ key: RowKey, _ layout: Layout
    ) -> [Copy] {
        switch version.body {
        case .empty: return []
        case .row(let blob):
            return [
                Copy(
                    chunk: ChunkID(blob: blob, index: 0), length: Int(version.size),
                    owners: layout.rowOwners(of: layout.ring.partition(of: key)))
            ]
        case .spread(let extents):
            return extents.flatMap { extent in
                (0..<extent.chunks).map { index in
                    let chunk = ChunkID(blob: extent.blob, index: UInt32(index))
                    let size = UInt64(extent.chunkBytes)
                    return Copy(
                        chunk: chunk, length: Int(min(size, extent.length - index * size)),
                        owners: layout.rowOwners(of: layout.ring.partition(of: chunk)))
                }
            }
        }
    }

    private func look(
        for copies: [Copy], _ machines: [NodeID: Machine], _ verifying: Bool, _ rotting: Int?,
        _ findings: inout Findings
    ) async throws(StoreError) {
        for copy in copies {
            for owner in copy.owners {
                guard let machine = machines[owner] else { continue }
                let what = "\(copy.chunk.blob) \(copy.chunk.index) on node \(machine.place)"
                guard let chunk = try machine.store.chunk(copy.chunk),
                    chunk.length == copy.length
                else {
                    findings.missing.append(what)
                    continue
                }
                guard verifying, machine.place != rotting else { continue }
                if try await !Self.verifies(chunk, machine.store) { findings.rotten.append(what) }
            }
        }
    }

    private static func verifies(
        _ chunk: StoredChunk, _ store: Store
    ) async throws(StoreError) -> Bool {
        let buffer = ChunkBuffer(capacity: chunk.length)
        do throws(StoreError) {
            try await store.read(chunk, range: 0..<chunk.length, into: buffer.unfilled)
            return true
        } catch {
            guard case .damaged = error else { throw error }
            return false
        }
    }
}
