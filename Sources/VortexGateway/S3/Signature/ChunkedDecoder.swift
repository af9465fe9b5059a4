internal import VortexCore

/// Takes the framing of `aws-chunked` away from a body that comes in pieces of any size:
///
///     size line      10000;chunk-signature=ad80...    (hex; without the signature if unsigned)
///     data           as many bytes, then CRLF
///     ...
///     last line      0;chunk-signature=b6c6...
///     trailers       x-amz-checksum-crc32c:sOO8/Q==
///                    x-amz-trailer-signature:d81f...  (if signed)
///     empty line
///
/// A chunk's bytes leave before its signature can be checked, as it covers all of them: what comes
/// out is good only when `finish` has not thrown. Line ends are CRLF up to the last chunk; in the
/// trailers clients are less exact, and an LF is enough, and empty lines may stand between.
struct ChunkedDecoder: Sendable {
    enum Failure: Error, Hashable, Sendable {
        /// Not the framing, or a line that is too long.
        case malformed
        /// More or less content than `x-amz-decoded-content-length` says.
        case wrongLength
        case wrongSignature
        /// A trailer that was not announced, or an announced one that did not come, or no text.
        case malformedTrailer
        /// The body ended within the framing.
        case incomplete
    }

    private enum Stage: Sendable {
        case size, data, dataEnd, trailers
    }

    private var stage = Stage.size
    private var signer: ChunkSigner?
    private let signsTrailers: Bool
    private let trailerNames: [String]
    private let length: UInt64
    private var decoded: UInt64 = 0
    /// Of the current chunk.
    private var remaining: UInt64 = 0
    private var line: [UInt8] = []
    private var trailerBytes = 0
    /// What is signed of the trailers.
    private var signedLines: [UInt8] = []
    private var trailerSignature: [UInt8]?
    private(set) var trailers: [(name: String, value: String)] = []

    private static let sizeLineBytesMax = 128
    private static let trailerBytesMax = 8_192
    static let trailerNamesMax = 16

    /// `length` is `x-amz-decoded-content-length`; `trailerNames` those of `x-amz-trailer`, in
    /// lower case. Without a signer nothing is signed.
    init(length: UInt64, signer: ChunkSigner?, signsTrailers: Bool, trailerNames: [String]) {
        self.length = length
        self.signer = signer
        self.signsTrailers = signsTrailers
        self.trailerNames = trailerNames
    }

    /// All content is out; what may still come is framing.
    var hasAllContent: Bool { decoded == length && stage != .data }

    /// Takes of `piece` what it can, content going to `output`; returns how much. Less than all
    /// where `output` is full.
    mutating func decode(
        _ piece: UnsafeRawBufferPointer, into output: ChunkBuffer
    ) throws(Failure) -> Int {
        var taken = 0
        while taken < piece.count {
            guard stage == .data else {
                taken += try takeLine(UnsafeRawBufferPointer(rebasing: piece[taken...]))
                continue
            }
            let wanted = min(UInt64(piece.count - taken), remaining)
            let content = UnsafeRawBufferPointer(
                rebasing: piece[taken..<taken + Int(wanted)])
            let count = output.append(content)
            guard count > 0 else { return taken }
            signer?.update(UnsafeRawBufferPointer(rebasing: content[..<count]))
            taken += count
            decoded += UInt64(count)
            remaining -= UInt64(count)
            if remaining == 0 {
                if signer?.end() == false { throw .wrongSignature }
                stage = .dataEnd
            }
        }
        return taken
    }

    /// Up to and with the line feed, if there is one.
    private mutating func takeLine(_ piece: UnsafeRawBufferPointer) throws(Failure) -> Int {
        let end = piece.firstIndex(of: UInt8(ascii: "\n"))
        let part = piece[..<(end ?? piece.endIndex)]
        if stage == .trailers {
            trailerBytes += part.count + 1
            guard trailerBytes <= Self.trailerBytesMax else { throw .malformedTrailer }
        } else {
            guard line.count + part.count <= Self.sizeLineBytesMax else { throw .malformed }
        }
        line += part
        guard end != nil else { return part.count }
        let whole = line
        line = []
        if stage == .trailers {
            try trailer(whole)
        } else {
            guard whole.last == UInt8(ascii: "\r") else { throw .malformed }
            try framing(whole.dropLast())
        }
        return part.count + 1
    }

    private mutating func framing(_ text: ArraySlice<UInt8>) throws(Failure) {
        if stage == .dataEnd {
            guard text.isEmpty else { throw .malformed }
            stage = .size
            return
        }
        let semicolon = text.firstIndex(of: UInt8(ascii: ";")) ?? text.endIndex
        guard let size = Hex.value(text[..<semicolon]) else { throw .malformed }
        if signer != nil {
            let name = Array(";chunk-signature=".utf8)
            let rest = text[semicolon...]
            guard rest.starts(with: name), let signature = Hex.bytes(rest.dropFirst(name.count)),
                signature.count == 32
            else { throw .malformed }
            signer?.begin(signature)
        } else if semicolon != text.endIndex {
            throw .malformed
        }
        guard size <= length - decoded else { throw .wrongLength }
        remaining = size
        stage = .data
        if size == 0 {
            guard decoded == length else { throw .wrongLength }
            if signer?.end() == false { throw .wrongSignature }
            stage = .trailers
        }
    }

    private mutating func trailer(_ raw: [UInt8]) throws(Failure) {
        let text = raw.last == UInt8(ascii: "\r") ? raw.dropLast() : raw[...]
        if text.isEmpty { return }
        guard let line = String(validating: text, as: UTF8.self),
            let colon = line.firstIndex(of: ":"), trailerSignature == nil
        else { throw .malformedTrailer }
        let name = line[..<colon].lowercased()
        let value = String(
            decoding: SignatureCheck.trimmed(String(line[line.index(after: colon)...])),
            as: UTF8.self)
        if signsTrailers, name == "x-amz-trailer-signature" {
            guard let signature = Hex.bytes(value.utf8), signature.count == 32 else {
                throw .malformedTrailer
            }
            trailerSignature = signature
            return
        }
        guard trailerNames.contains(name), !trailers.contains(where: { $0.name == name }) else {
            throw .malformedTrailer
        }
        trailers.append((name, value))
        signedLines += "\(name):\(value)\n".utf8
    }

    /// The body has ended.
    mutating func finish() throws(Failure) {
        guard stage == .trailers else { throw .incomplete }
        if !line.isEmpty {
            let last = line
            line = []
            try trailer(last)
        }
        guard trailers.count == trailerNames.count else { throw .malformedTrailer }
        guard signsTrailers else { return }
        guard let trailerSignature else { throw .incomplete }
        guard signer?.endTrailers(signedLines, trailerSignature) == true else {
            throw .wrongSignature
        }
    }
}
