internal import Synchronization
internal import VortexCore

/// A body that this gateway is receiving: shown while it lasts, and told to stop by an abort.
final class ActiveUpload: Sendable {
    private let name: Mutex<UploadID>
    let bucket: String
    let key: [UInt8]
    let isResumable: Bool
    let expectedBytes: UInt64?
    let startedMilliseconds: UInt64
    /// Where this request began in an upload that goes on.
    let firstByte: UInt64
    private let durable: Atomic<UInt64>
    private let progressed: Atomic<UInt64>
    private let aborted = Atomic<Bool>(false)

    init(
        id: UploadID, bucket: String, key: [UInt8], isResumable: Bool, expectedBytes: UInt64?,
        startedMilliseconds: UInt64, firstByte: UInt64
    ) {
        name = Mutex(id)
        self.bucket = bucket
        self.key = key
        self.isResumable = isResumable
        self.expectedBytes = expectedBytes
        self.startedMilliseconds = startedMilliseconds
        self.firstByte = firstByte
        durable = Atomic(firstByte)
        progressed = Atomic(startedMilliseconds)
    }

    var id: UploadID { name.withLock { $0 } }
    /// Bytes of the whole upload that are durable.
    var durableBytes: UInt64 { durable.load(ordering: .relaxed) }
    var progressedMilliseconds: UInt64 { progressed.load(ordering: .relaxed) }
    var isAborted: Bool { aborted.load(ordering: .acquiring) }

    func progress(_ bytes: UInt64, now: UInt64) {
        durable.add(bytes, ordering: .relaxed)
        progressed.store(now, ordering: .relaxed)
    }

    func abort() { aborted.store(true, ordering: .releasing) }

    fileprivate func rename(_ id: UploadID) { name.withLock { $0 = id } }

    func info(now: UInt64) -> UploadInfo {
        let elapsed = max(1, now - min(now, startedMilliseconds))
        return UploadInfo(
            id: id, bucket: bucket, key: key, bytes: durableBytes,
            startedMilliseconds: startedMilliseconds,
            lastProgressMilliseconds: progressedMilliseconds,
            bytesPerSecond: Double(durableBytes - firstByte) * 1_000 / Double(elapsed),
            resumable: isResumable, expectedBytes: expectedBytes)
    }
}

/// The bodies that this gateway is receiving, bounded; one request at a time for each upload.
final class ActiveUploads: Sendable {
    private let table = Mutex<[UploadID: ActiveUpload]>([:])
    static let uploadsMax = 16_384

    var count: Int { table.withLock { $0.count } }
    /// By id, which is by age.
    var all: [ActiveUpload] { table.withLock { $0.values.sorted { $0.id < $1.id } } }

    func find(_ id: UploadID) -> ActiveUpload? { table.withLock { $0[id] } }

    func begin(_ upload: ActiveUpload) throws(ClusterError) {
        let failure = table.withLock { table -> ClusterError? in
            if table[upload.id] != nil { return .uploadBusy }
            if table.count >= Self.uploadsMax { return .tooManyUploads }
            table[upload.id] = upload
            return nil
        }
        if let failure { throw failure }
    }

    /// It goes on under a fresh id.
    func rename(_ upload: ActiveUpload, _ id: UploadID) {
        table.withLock { table in
            table[upload.id] = nil
            upload.rename(id)
            table[id] = upload
        }
    }

    func end(_ upload: ActiveUpload) { table.withLock { $0[upload.id] = nil } }
}

extension UploadID {
    /// A plain PUT is listed and aborted under its blob's id.
    init(of blob: BlobID) { self.init(high: blob.high, low: blob.low) }
    var blob: BlobID { BlobID(high: high, low: low) }
}
