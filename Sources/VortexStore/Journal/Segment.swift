internal import VortexCore

/// The head of a segment file: what it is, whose it is, its salt, and where its predecessor ended.
/// Written twice, since without the salt nothing in the file can be verified.
struct SegmentHeader: Equatable {
    static let magic: UInt64 = 0x314C_4E52_4A58_5456  // "VTXJRNL1"
    static let formatVersion: UInt32 = 1
    static let copyBytes = 4096
    /// Where the first batch begins.
    static let bytes = 2 * copyBytes

    var number: UInt32
    var cluster: ClusterID
    var node: NodeID
    var salt: UInt64
    /// The segment written before this one, and where its valid batches end: what lies behind that
    /// was torn, and has been written again here where it was whole.
    var previous: UInt32
    var previousEnd: UInt64
    var createdMilliseconds: UInt64

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.copyBytes)
        writer.write(fixed: Self.magic)
        writer.write(fixed: Self.formatVersion)
        writer.write(fixed: number)
        writer.write(cluster)
        writer.write(fixed: node.value)
        writer.write(fixed: salt)
        writer.write(fixed: previous)
        writer.write(fixed: previousEnd)
        writer.write(fixed: createdMilliseconds)
        writer.write(fixed: CRC32C.checksum(writer.bytes, seed: Self.formatVersion))
        writer.write(raw: [UInt8](repeating: 0, count: Self.copyBytes - writer.count))
        return writer.bytes + writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(CodingError) -> SegmentHeader {
        let result = bytes.withUnsafeBytes { raw -> Result<SegmentHeader, CodingError> in
            do throws(CodingError) {
                var reader = ByteReader(raw)
                let magic = try reader.readFixed(UInt64.self)
                guard magic == Self.magic else { throw .unknown(tag: magic) }
                let version = try reader.readFixed(UInt32.self)
                guard version == Self.formatVersion else { throw .unknown(tag: UInt64(version)) }
                let header = SegmentHeader(
                    number: try reader.readFixed(), cluster: try reader.readID(),
                    node: NodeID(try reader.readFixed()), salt: try reader.readFixed(),
                    previous: try reader.readFixed(), previousEnd: try reader.readFixed(),
                    createdMilliseconds: try reader.readFixed())
                let covered = UnsafeRawBufferPointer(rebasing: raw[..<reader.offset])
                let expected = CRC32C.checksum(covered, seed: version)
                let found = try reader.readFixed(UInt32.self)
                guard found == expected else { throw .outOfRange(UInt64(found)) }
                return .success(header)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    static func name(_ number: UInt32) -> String {
        "segment-" + String(Hex.string(UInt64(number)).suffix(8))
    }

    /// The number in a segment file's name.
    static func number(in name: String) -> UInt32? {
        guard name.hasPrefix("segment-"), name.utf8.count == 16 else { return nil }
        return Hex.value(name.utf8.suffix(8)).map { UInt32($0) }
    }
}

/// An open segment. Readers hold it while they read, so its file lives as long as the last of them.
final class Segment: Sendable {
    let header: SegmentHeader
    let file: any DiskFile
    let sizeBytes: UInt64

    var number: UInt32 { header.number }

    init(header: SegmentHeader, file: any DiskFile, sizeBytes: UInt64) {
        self.header = header
        self.file = file
        self.sizeBytes = sizeBytes
    }

    enum Opened {
        case segment(Segment)
        /// Zeros, or what the file was before: nothing has been acknowledged from it.
        case unbegun
        /// Neither copy of the header can be read or verifies, and one was there.
        case damaged
    }

    /// Opens a segment by its first intact header copy.
    static func open(
        _ file: any DiskFile, number: UInt32
    ) async throws(StoreError) -> Opened {
        let size = try await onDisk { () async throws(DiskError) in try await file.size() }
        var newer: UInt64?
        var isBlank = true
        for copy in 0..<2 {
            let offset = UInt64(copy * SegmentHeader.copyBytes)
            guard
                let bytes = try await readUnlessLost(
                    file, at: offset, count: SegmentHeader.copyBytes)
            else {
                isBlank = false
                continue
            }
            do throws(CodingError) {
                let header = try SegmentHeader.decode(bytes)
                guard header.number == number else { continue }
                return .segment(Segment(header: header, file: file, sizeBytes: size))
            } catch .unknown(let tag) where tag > SegmentHeader.formatVersion && tag < 1 << 16 {
                // Or a damaged copy: the other one decides, if it is intact.
                newer = tag
                isBlank = false
            } catch {
                if bytes.contains(where: { $0 != 0 }) { isBlank = false }
            }
        }
        if let newer {
            throw .refused(
                .formatTooNew(found: UInt32(newer), supported: SegmentHeader.formatVersion))
        }
        return isBlank ? .unbegun : .damaged
    }
}

/// Runs a disk operation with its error in the store's terms.
func onDisk<Value>(
    _ body: () async throws(DiskError) -> Value
) async throws(StoreError) -> Value {
    do throws(DiskError) { return try await body() } catch { throw .disk(error) }
}

/// Reads up to `count` bytes; fewer where the file ends.
func readBytes(
    _ file: any DiskFile, at offset: UInt64, count: Int
) async throws(StoreError) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 4096)
    defer { buffer.deallocate() }
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    let read = try await onDisk { () async throws(DiskError) in
        try await file.read(into: target, at: offset)
    }
    return Array(target[..<read])
}

/// Reads of the same bytes that fail before they count as lost: recovery goes past what it takes
/// for damage for good, so one failure that passes must not cost acknowledged records.
private let readAttempts = 3

/// Fills the buffer, less of it where the file ends; nil where the bytes cannot be read, after
/// several attempts.
func readUnlessLost(
    _ file: any DiskFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
) async throws(StoreError) -> Int? {
    for _ in 0..<readAttempts {
        do throws(DiskError) { return try await file.read(into: buffer, at: offset) } catch {
            guard error.errno == DiskError.inputOutputErrno else { throw .disk(error) }
        }
    }
    return nil
}

/// Up to `count` bytes; nil where they cannot be read.
func readUnlessLost(
    _ file: any DiskFile, at offset: UInt64, count: Int
) async throws(StoreError) -> [UInt8]? {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 4096)
    defer { buffer.deallocate() }
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    let read = try await readUnlessLost(file, at: offset, into: target)
    return read.map { Array(target[..<$0]) }
}
