internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A request's body for S3: its framing taken away, its digests made on another thread, and what
/// the request promises about it checked before anything is committed.
final class S3Body: BodySource {
    private let source: any BodySource
    private let plan: BodyPlan
    private let digester: BodyDigester
    private let state: Mutex<State>

    private struct State {
        var decoder: ChunkedDecoder?
        /// Framed bytes, and how far they are decoded.
        var framed: ChunkBuffer?
        var position = 0
        var hasSourceEnded = false
        var failure: S3Error?
        var tag: EntityTag?
        var checksum: StoredChecksum?
    }

    /// Framed bytes are taken in pieces of this size.
    private static let framedBytes = 64 << 10

    init(_ source: any BodySource, _ plan: BodyPlan, wantsTag: Bool, lanes: DigestLanes) {
        self.source = source
        self.plan = plan
        digester = BodyDigester(plan.digests(wantsTag: wantsTag), on: lanes.lane())
        state = Mutex(State(decoder: plan.decoder))
    }

    var expectedBytes: UInt64? { plan.length }
    var tag: EntityTag? { state.withLock { $0.tag } }
    /// Why it was refused, in S3's words; `ClusterError` has not as many.
    var failure: S3Error? { state.withLock { $0.failure } }
    var checksum: StoredChecksum? { state.withLock { $0.checksum } }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        let start = buffer.count
        let hasEnded =
            plan.decoder == nil ? try await source.fill(buffer) : try await decode(into: buffer)
        await digester.add(buffer, from: start)
        return hasEnded
    }

    private enum Step {
        case full, ended, wantsMore
    }

    /// Until `buffer` is full or the content has ended, and then to the end of the framing: nobody
    /// asks for more once the content is there.
    private func decode(into buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        while true {
            switch try step(buffer) {
            case .full: return false
            case .ended: return true
            case .wantsMore:
                let framed = ChunkBuffer(capacity: Self.framedBytes)
                let hasEnded = try await source.fill(framed)
                state.withLock { state in
                    state.framed = framed
                    state.position = 0
                    state.hasSourceEnded = hasEnded
                }
            }
        }
    }

    private func step(_ buffer: ChunkBuffer) throws(ClusterError) -> Step {
        let result = state.withLock { state -> Result<Step, ClusterError> in
            do throws(ChunkedDecoder.Failure) {
                if let framed = state.framed {
                    let rest = UnsafeRawBufferPointer(rebasing: framed.bytes[state.position...])
                    state.position += try state.decoder?.decode(rest, into: buffer) ?? 0
                    if state.position < framed.count { return .success(.full) }
                    state.framed = nil
                }
                guard state.hasSourceEnded else {
                    let isFull = buffer.isFull && state.decoder?.hasAllContent == false
                    return .success(isFull ? .full : .wantsMore)
                }
                try state.decoder?.finish()
                return .success(.ended)
            } catch {
                state.failure = S3Error(chunked: error)
                return .failure(.bodyMalformed)
            }
        }
        return try result.get()
    }

    func verify() async throws(ClusterError) {
        // Content of no bytes is not asked for; its framing and trailers are there all the same.
        if plan.decoder != nil, plan.length == 0 {
            _ = try await decode(into: ChunkBuffer(capacity: 0))
        }
        try await source.verify()
        let digests = await digester.finish()
        let failure = state.withLock { state -> S3Error? in
            state.checksum = digests.checksum.map {
                StoredChecksum($0.algorithm, value: $0.value())
            }
            let failure = Self.mismatch(
                plan, digests, state.checksum?.value, state.decoder?.trailers)
            state.failure = failure
            if failure == nil, let md5 = digests.md5?.finish() {
                state.tag = EntityTag(digest: Digest128(bigEndian: md5), parts: 0)
            }
            return failure
        }
        if failure != nil { throw .digestMismatch }
    }

    private static func mismatch(
        _ plan: BodyPlan, _ digests: BodyDigests, _ checksum: [UInt8]?,
        _ trailers: [(name: String, value: String)]?
    ) -> S3Error? {
        if let promised = plan.sha256, digests.sha256?.finish() != promised {
            return S3Error(.contentSHA256Mismatch)
        }
        if let promised = plan.md5, digests.md5?.finish() != promised {
            return S3Error(.badDigest)
        }
        guard let claimed = plan.checksum else { return nil }
        var promised = claimed.value
        if promised == nil {
            let text = trailers?.first { $0.name == claimed.algorithm.header }?.value
            promised = text.flatMap { Base64.decode($0.utf8) }
            guard promised?.count == claimed.algorithm.bytes else {
                return S3Error(
                    .invalidRequest,
                    "Value for \(claimed.algorithm.header) trailing header is invalid.")
            }
        }
        guard checksum == promised else {
            return S3Error(
                .badDigest,
                "The \(claimed.algorithm.name) you specified did not match the calculated "
                    + "checksum.")
        }
        return nil
    }
}

extension Digest128 {
    /// Of 16 bytes.
    init(bigEndian bytes: [UInt8]) {
        precondition(bytes.count == 16)
        func half(_ range: Range<Int>) -> UInt64 {
            bytes[range].reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.init(high: half(0..<8), low: half(8..<16))
    }
}

extension S3Error {
    init(chunked failure: ChunkedDecoder.Failure) {
        switch failure {
        case .malformed:
            self.init(.incompleteBody, "The aws-chunked framing is malformed.")
        case .wrongLength:
            self.init(
                .incompleteBody, "The content is not as long as x-amz-decoded-content-length says.")
        case .wrongSignature: self.init(.signatureDoesNotMatch)
        case .malformedTrailer: self.init(.malformedTrailer)
        case .incomplete: self.init(.incompleteBody)
        }
    }
}
