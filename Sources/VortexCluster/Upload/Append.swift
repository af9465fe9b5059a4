public import VortexCore

/// An append to a resumable upload: a part of its own.
///
///     change: the part's row names its blob
///     -> chunks, each durable; every 8 MiB a note of the progress
///     -> change: the part's row has length and digest
///
/// A crash between leaves the part without a digest; its durable chunks count all the same.
extension ClusterNode {
    /// Keeps what arrived even where the client breaks off; durable before it returns or throws.
    public func append(
        to id: UploadID, offset: UInt64, body: any BodySource
    ) async throws(ClusterError) -> UploadInfo {
        let found = try await find(id)
        guard !found.row.isNumbered else { throw .noSuchUpload }
        let receiving = ActiveUpload(
            id: id, bucket: found.row.bucket, key: found.key.key, isResumable: true,
            expectedBytes: found.row.expectedBytes, startedMilliseconds: now, firstByte: offset)
        try active.begin(receiving)
        defer { active.end(receiving) }
        // Looked at again: another append may have ended meanwhile.
        let upload = try await find(id)
        guard upload.row.state == .open else { throw .noSuchUpload }
        let parts = try await finishParts(of: upload)
        let bytes = parts.reduce(0) { $0 + $1.row.extent.length }
        guard bytes == offset else { throw .offsetMismatch(expected: bytes) }
        let limit = upload.row.expectedBytes ?? Limits.objectBytesMax
        if let more = body.expectedBytes, bytes + more > limit {
            throw .tooLarge(limitBytes: limit)
        }
        if body.expectedBytes == 0 {
            try await body.verify()
            return info(upload, parts: parts)
        }
        try await receivePart(of: upload, receiving, body)
        return info(upload, parts: try await self.parts(of: upload))
    }

    private func receivePart(
        of upload: FoundUpload, _ receiving: ActiveUpload, _ body: any BodySource
    ) async throws(ClusterError) {
        let number = (try await partRows(of: upload.id).map(\.number).max() ?? 0) + 1
        guard number <= Limits.partsPerUploadMax else {
            throw .tooLarge(limitBytes: receiving.firstByte)
        }
        let key = RowKey(
            bucket: upload.key.bucket, key: upload.key.key, kind: .part(upload.id, number))
        let blob = newBlob()
        let received = await receive(
            body, into: blob, of: key, for: receiving, beginning: nil
        ) { () async throws(ClusterError) in
            try await self.createPart(key, self.part(blob, 0, nil))
            return blob
        } progress: { (durable) async throws(ClusterError) in
            try await self.setPart(key, self.part(blob, durable, nil))
        }
        switch received.failure {
        case nil:
            do throws(ClusterError) { try await body.verify() } catch {
                // It goes on naming its body, of which nothing counts: a complete that has read the
                // row may be about to name it too.
                if omitted.contains(.partKeeps) {
                    try await removePart(key)
                } else {
                    try await setPart(key, part(blob, 0, XXH3.Stream().digest()))
                }
                throw error
            }
            try await setPart(key, part(blob, received.bytes, received.digest))
        case .bodyEndedEarly, .bodyTimedOut, .bodyAborted, .bodyMalformed:
            try await setPart(key, part(blob, received.bytes, received.digest))
        default:
            // Chunks may be missing in the middle: the next to come finds out how far it goes.
            break
        }
        if let failure = received.failure { throw failure }
    }

    private func part(_ blob: BlobID, _ length: UInt64, _ digest: Digest128?) -> PartRow {
        PartRow(
            extent: Extent(blob: blob, length: length), digest: digest, changedMilliseconds: now)
    }
}
