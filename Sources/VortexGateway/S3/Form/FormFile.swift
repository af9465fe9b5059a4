internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A form's file as a body: what lies between its part's header and the next delimiter. Its length
/// is known at its end only, so its bounds are held against it as it comes.
final class FormFile: BodySource {
    private let source: any BodySource
    /// Of its length, as a policy sets them.
    private let bytes: ClosedRange<UInt64>
    private let state: Mutex<State>

    private struct State {
        var scanner: FormScanner
        var count: UInt64 = 0
        var isWhole = false
        var hasSourceEnded = false
        var failure: S3Error?
    }

    /// Taken from the source at a time.
    private static let pieceBytes = 64 << 10
    /// Fields behind the file are passed over, as in Amazon's; so much of them.
    private static let restBytesMax = 20 << 10

    init(_ source: any BodySource, _ scanner: FormScanner, bytes: ClosedRange<UInt64>) {
        self.source = source
        self.bytes = bytes
        state = Mutex(State(scanner: scanner))
    }

    var expectedBytes: UInt64? { nil }
    /// Why it was refused, in S3's words.
    var failure: S3Error? { state.withLock { $0.failure } }

    func fill(_ buffer: ChunkBuffer) async throws(ClusterError) -> Bool {
        while true {
            let isDone = try move(into: buffer)
            if isDone { return true }
            if buffer.isFull { return false }
            try await more()
        }
    }

    /// What is there goes into the buffer; true at the file's end.
    private func move(into buffer: ChunkBuffer) throws(ClusterError) -> Bool {
        let (most, least) = (bytes.upperBound, bytes.lowerBound)
        let result = state.withLock { state -> Result<Bool, ClusterError> in
            if state.isWhole { return .success(true) }
            let (piece, isAll) = state.scanner.takeContent(buffer.unfilled.count)
            state.count += UInt64(piece.count)
            guard state.count <= most else {
                state.failure = S3Error(
                    .entityTooLarge, nil, [.init(name: .proposedSize, value: "\(state.count)")])
                return .failure(.tooLarge(limitBytes: most))
            }
            _ = piece.withUnsafeBytes { buffer.append($0) }
            guard isAll else { return .success(false) }
            guard state.count >= least else {
                state.failure = S3Error(
                    .entityTooSmall, nil,
                    [
                        .init(name: .proposedSize, value: "\(state.count)"),
                        .init(name: .minSizeAllowed, value: "\(least)"),
                    ])
                return .failure(.bodyMalformed)
            }
            state.isWhole = true
            return .success(true)
        }
        return try result.get()
    }

    private func more() async throws(ClusterError) {
        guard !state.withLock({ $0.hasSourceEnded }) else { throw malformed() }
        let piece = ChunkBuffer(capacity: Self.pieceBytes)
        let hasEnded = try await source.fill(piece)
        state.withLock { state in
            state.scanner.add(piece.bytes)
            state.hasSourceEnded = hasEnded
        }
    }

    /// The form has to be whole before anything is stored: to its last delimiter, and to the end of
    /// the request's body.
    func verify() async throws(ClusterError) {
        var passed = 0
        var isOver = false
        while true {
            if !isOver {
                switch state.withLock({ Self.passPart(&$0.scanner) }) {
                case .end: isOver = true
                case .part: continue
                case .wantsMore: break
                case .malformed: throw malformed()
                }
            }
            if state.withLock({ $0.hasSourceEnded }) {
                guard isOver else { throw malformed() }
                break
            }
            let piece = ChunkBuffer(capacity: Self.pieceBytes)
            let hasEnded = try await source.fill(piece)
            passed += piece.count
            guard passed <= Self.restBytesMax else { throw malformed() }
            state.withLock { state in
                state.hasSourceEnded = hasEnded
                if !isOver { state.scanner.add(piece.bytes) }
            }
        }
        try await source.verify()
    }

    /// A delimiter, or what lies before one.
    private static func passPart(_ scanner: inout FormScanner) -> FormScanner.Step {
        scanner.takeContent(.max).isAll ? scanner.takeDelimiter() : .wantsMore
    }

    private func malformed() -> ClusterError {
        state.withLock { $0.failure = $0.failure ?? S3Error(.malformedPOST) }
        return .bodyMalformed
    }
}
