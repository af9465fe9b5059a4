internal import VortexCore
internal import VortexStore

/// What became of a body that was cut into chunks.
struct Received: Sendable {
    /// What its chunks are of.
    var blob: BlobID
    /// Durable.
    var bytes: UInt64 = 0
    var digest = Digest128(high: 0, low: 0)
    /// Why it is not the whole body.
    var failure: ClusterError?
}

extension ClusterNode {
    /// Chunks of one body on their way to the disk together.
    private static let windowChunks = 3
    /// Chunks between two notes of an upload's progress.
    private static let progressChunks: UInt32 = 8

    private enum Step: Sendable {
        case opened(Result<BlobID, ClusterError>)
        case stored(Int, ClusterError?)
    }

    /// Cuts a body into chunks of `blob` and makes them durable, a few at a time: the window is
    /// what presses back on the client's socket. `open` names the blob in a row, or another in its
    /// place, while the first chunk is arriving; no chunk is stored before it is done. Of a
    /// resumable upload what arrived is kept where the client breaks off, and `progress` is told
    /// now and then how much is durable.
    func receive(
        _ body: any BodySource, into blob: BlobID, of key: RowKey, for upload: ActiveUpload,
        beginning: ChunkBuffer?,
        open: @escaping @Sendable () async throws(ClusterError) -> BlobID,
        progress: (UInt64) async throws(ClusterError) -> Void = { _ in }
    ) async -> Received {
        await withTaskGroup(of: Step.self) { group in
            group.addTask { await Self.opening(open) }
            var cutter = Cutter(blob: blob, upload: upload, window: Self.windowChunks)
            cutter.isOpen = self.omitted.contains(.nameFirst)
            var filled = beginning
            while !cutter.hasEnded, cutter.failure == nil {
                let buffer: ChunkBuffer
                if let first = filled {
                    buffer = first
                    filled = nil
                } else {
                    buffer = await self.buffers.take(cutter.capacity(of: body))
                    await cutter.fill(buffer, from: body)
                }
                if !cutter.isOpen { await cutter.next(&group, self.now) }
                guard cutter.takes(buffer) else { continue }
                let chunk = self.chunk(
                    ChunkID(blob: cutter.blob, index: cutter.chunks), of: key, buffer)
                cutter.cut(buffer)
                while cutter.isFull { await cutter.next(&group, self.now) }
                cutter.inFlight += 1
                group.addTask { await self.store(chunk) }
                if upload.isResumable, cutter.chunks % Self.progressChunks == 0 {
                    while cutter.inFlight > 0 { await cutter.next(&group, self.now) }
                    await cutter.note(progress)
                }
            }
            while !cutter.isOpen || cutter.inFlight > 0 {
                await cutter.next(&group, self.now)
            }
            return cutter.received
        }
    }

    private static func opening(
        _ open: @Sendable () async throws(ClusterError) -> BlobID
    ) async -> Step {
        do throws(ClusterError) { return .opened(.success(try await open())) } catch {
            return .opened(.failure(error))
        }
    }

    private func store(_ chunk: ChunkWrite) async -> Step {
        do throws(ClusterError) { try await chunks.put(chunk) } catch {
            return .stored(chunk.buffer.count, error)
        }
        return .stored(chunk.buffer.count, nil)
    }

    /// Where a body stands between its source and the disk.
    private struct Cutter: ~Copyable {
        private(set) var blob: BlobID
        let upload: ActiveUpload
        let window: Int
        /// The blob is named: chunks may be stored.
        var isOpen = false
        var inFlight = 0
        var chunks: UInt32 = 0
        var hasEnded = false
        var failure: ClusterError?
        private var cutBytes: UInt64 = 0
        private var durableBytes: UInt64 = 0
        private var hash = XXH3.Stream()

        init(blob: BlobID, upload: ActiveUpload, window: Int) {
            self.blob = blob
            self.upload = upload
            self.window = window
        }

        var isFull: Bool { inFlight >= window }

        var received: Received {
            Received(
                blob: blob, bytes: durableBytes, digest: hash.digest(), failure: failure)
        }

        func capacity(of body: any BodySource) -> Int {
            let whole = UInt64(Limits.chunkBytes)
            return Int(min(whole, (body.expectedBytes ?? .max) - cutBytes))
        }

        mutating func fill(_ buffer: ChunkBuffer, from body: any BodySource) async {
            guard !upload.isAborted else {
                failure = .uploadExpired
                return
            }
            do throws(ClusterError) {
                while !hasEnded, !buffer.isFull { hasEnded = try await body.fill(buffer) }
                let bytes = cutBytes + UInt64(buffer.count)
                if let expected = body.expectedBytes {
                    if hasEnded, bytes < expected { throw .bodyEndedEarly }
                    if bytes == expected { hasEnded = true }
                } else if upload.firstByte + bytes > Limits.objectBytesMax {
                    throw .tooLarge(limitBytes: Limits.objectBytesMax)
                }
            } catch { failure = error }
        }

        /// Whether these bytes are to be stored: of a body that failed, only what can be resumed.
        func takes(_ buffer: ChunkBuffer) -> Bool {
            buffer.count > 0 && isOpen && (failure == nil || keepsRest)
        }

        private var keepsRest: Bool {
            guard upload.isResumable, !upload.isAborted else { return false }
            switch failure {
            case .bodyEndedEarly, .bodyTimedOut, .bodyAborted, .bodyMalformed: return true
            default: return false
            }
        }

        mutating func cut(_ buffer: ChunkBuffer) {
            hash.update(buffer.bytes)
            cutBytes += UInt64(buffer.count)
            chunks += 1
        }

        /// Waits for one child.
        mutating func next(_ group: inout TaskGroup<Step>, _ now: UInt64) async {
            switch await group.next() {
            case .opened(let opened):
                isOpen = true
                switch opened {
                case .success(let named): blob = named
                case .failure(let error): failure = error
                }
            case .stored(let count, let error):
                inFlight -= 1
                if let error {
                    failure = error
                } else {
                    durableBytes += UInt64(count)
                    upload.progress(UInt64(count), now: now)
                }
            case nil: preconditionFailure("no child is left to wait for")
            }
        }

        mutating func note(
            _ progress: (UInt64) async throws(ClusterError) -> Void
        ) async {
            guard failure == nil else { return }
            do throws(ClusterError) { try await progress(durableBytes) } catch { failure = error }
        }
    }
}
