internal import Synchronization
internal import VortexCore

/// The file `shared`: this node has not always been alone. It lies beside the journal, for the day
/// on which the journal is damaged: a node that has forgotten the others would take itself for a
/// cluster of one, and serve what it has left as the whole truth.
final class SharedMark: Sendable {
    private static let fileName = "shared"
    private let disk: any Disk
    private let isThere: Atomic<Bool>

    init(disk: any Disk) async throws(StoreError) {
        self.disk = disk
        let names = try await onDisk { () async throws(DiskError) in try await disk.list() }
        let isNamed = names.contains(Self.fileName)
        isThere = Atomic(isNamed)
        // A process that was killed may have left it named, and not yet durable.
        if isNamed {
            try await onDisk { () async throws(DiskError) in try await disk.syncDirectory() }
        }
    }

    var isSet: Bool { isThere.load(ordering: .acquiring) }

    /// Durable when this returns.
    func set() async throws(StoreError) {
        guard !isSet else { return }
        let disk = disk
        try await onDisk { () async throws(DiskError) in
            _ = try await disk.create(Self.fileName, allocatedBytes: 0)
            try await disk.syncDirectory()
        }
        isThere.store(true, ordering: .releasing)
    }
}
