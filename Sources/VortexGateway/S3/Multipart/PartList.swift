internal import VortexCluster
internal import VortexCore

/// The parts that CompleteMultipartUpload names, and Amazon's rules about them.
struct PartList: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        var number: UInt32
        var digest: Digest128
        var checksum: StoredChecksum?
    }
    var entries: [Entry] = []

    static let numbers: ClosedRange<UInt32> = 1...UInt32(Limits.partsPerUploadMax)
    /// Of every part but the last: 5 MiB.
    static let partBytesMin: UInt64 = 5 << 20

    init(_ root: XMLElement) throws(S3Error) {
        let parts = root.all("Part")
        guard root.name == "CompleteMultipartUpload",
            (1...Limits.partsPerUploadMax).contains(parts.count)
        else { throw S3Error(.malformedXML) }
        entries.reserveCapacity(parts.count)
        for part in parts {
            let entry = try Self.entry(part)
            guard entry.number > entries.last?.number ?? 0 else {
                throw S3Error(.invalidPartOrder)
            }
            entries.append(entry)
        }
    }

    private static func entry(_ part: XMLElement) throws(S3Error) -> Entry {
        guard let text = part.value("PartNumber"), let tag = part.value("ETag") else {
            throw S3Error(.malformedXML)
        }
        guard let number = UInt32(text), numbers.contains(number) else {
            throw .argument("partNumber", text, "PartNumber must be from 1 to 10000.")
        }
        let bare = tag.filter { $0 != "\"" }
        guard bare.utf8.count == 32, let bytes = Hex.bytes(bare.utf8) else {
            throw invalid(number, bare)
        }
        var entry = Entry(number: number, digest: Digest128(bigEndian: bytes))
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = part.value("\(algorithm.element)") else { continue }
            guard let value = Base64.decode(text.utf8), value.count == algorithm.bytes else {
                throw S3Error(
                    .invalidRequest, "Value for \(algorithm.element) is invalid.")
            }
            guard entry.checksum == nil else {
                throw S3Error(.invalidRequest, "Expecting a single checksum for each part.")
            }
            entry.checksum = StoredChecksum(algorithm, value: value)
        }
        return entry
    }

    private static func invalid(_ number: UInt32, _ tag: String) -> S3Error {
        S3Error(
            .invalidPart, nil,
            [
                .init(name: .partNumber, value: String(number)), .init(name: .etag, value: tag),
            ])
    }

    /// MD5 over the parts' MD5s.
    var tag: EntityTag {
        var joined: [UInt8] = []
        joined.reserveCapacity(16 * entries.count)
        for entry in entries { joined += entry.digest.bigEndian }
        var digest = MD5Digest()
        joined.withUnsafeBytes { digest.update($0) }
        return EntityTag(
            digest: Digest128(bigEndian: digest.finish()), parts: UInt32(entries.count))
    }

    /// Those that are named, of those that are there, which come in the order of their numbers.
    func choose(from stored: [StoredPart]) throws(S3Error) -> [StoredPart] {
        var chosen: [StoredPart] = []
        chosen.reserveCapacity(entries.count)
        var place = 0
        for entry in entries {
            while place < stored.count, stored[place].number < entry.number { place += 1 }
            guard place < stored.count, stored[place].number == entry.number,
                stored[place].digest == entry.digest
            else { throw Self.invalid(entry.number, entry.digest.hex) }
            if let promised = entry.checksum {
                guard stored[place].checksum?.algorithm == promised.algorithm,
                    stored[place].checksum?.value == promised.value
                else { throw Self.invalid(entry.number, entry.digest.hex) }
            }
            chosen.append(stored[place])
        }
        for part in chosen.dropLast() where part.extent.length < Self.partBytesMin {
            throw S3Error(
                .entityTooSmall, nil,
                [
                    .init(name: .proposedSize, value: String(part.extent.length)),
                    .init(name: .minSizeAllowed, value: String(Self.partBytesMin)),
                    .init(name: .partNumber, value: String(part.number)),
                    .init(name: .etag, value: part.digest.hex),
                ])
        }
        return chosen
    }
}

extension Digest128 {
    var bigEndian: [UInt8] {
        [high, low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
    }
}
