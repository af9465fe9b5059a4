internal import VortexCluster
internal import VortexCore

/// An object's bytes, made from seeds wherever they are needed, so that nobody has to keep them.
struct Content: Hashable, Sendable {
    struct Piece: Hashable, Sendable {
        var seed: UInt64
        var bytes: Int
    }
    var pieces: [Piece]

    init(seed: UInt64, bytes: Int) { pieces = [Piece(seed: seed, bytes: bytes)] }
    init(pieces: [Piece]) { self.pieces = pieces }

    var bytes: Int { pieces.reduce(0) { $0 + $1.bytes } }

    /// Fills all of `buffer` with the bytes from `offset` on.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        precondition(offset + buffer.count <= bytes)
        var start = 0
        for piece in pieces {
            let (from, to) = (
                max(offset, start), min(offset + buffer.count, start + piece.bytes)
            )
            if from < to {
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[from - offset..<to - offset])
                piece.fill(target, at: from - start)
            }
            start += piece.bytes
        }
    }

    /// The tag that the store has to give to it: of a put, or of an upload of these parts.
    func tag(isUpload: Bool) -> EntityTag {
        let digests = pieces.map(\.digest)
        guard isUpload else { return EntityTag(digest: digests[0], parts: 1) }
        var writer = ByteWriter(reserving: 16 * digests.count)
        for digest in digests { writer.write(digest) }
        return EntityTag(
            digest: XXH3.hash128(writer.bytes), parts: UInt32(max(1, digests.count)))
    }

    /// Whether these are the bytes from `offset` on.
    func matches(_ found: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard offset + found.count <= bytes else { return false }
        let expected = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, found.count), alignment: 64)
        defer { expected.deallocate() }
        let same = UnsafeMutableRawBufferPointer(rebasing: expected[..<found.count])
        fill(same, at: offset)
        // In words: a byte at a time is slow.
        let words = found.count / 8
        for word in 0..<words {
            let left = same.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
            let right = found.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)
            guard left == right else { return false }
        }
        return same[(8 * words)...].elementsEqual(found[(8 * words)...])
    }
}

extension Content.Piece {
    /// SplitMix64 by position: the word at 8 × n is the generator's n-th.
    fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        var place = 0
        // Whole words, one after the other, are most of it.
        if offset % 8 == 0 {
            var number = UInt64(offset / 8)
            while place + 8 <= buffer.count {
                buffer.storeBytes(of: word(number), toByteOffset: place, as: UInt64.self)
                number += 1
                place += 8
            }
        }
        while place < buffer.count {
            let position = offset + place
            let word = word(UInt64(position / 8))
            let skip = position % 8
            if skip == 0, buffer.count - place >= 8 {
                buffer.storeBytes(of: word, toByteOffset: place, as: UInt64.self)
                place += 8
            } else {
                buffer[place] = UInt8(truncatingIfNeeded: word >> UInt64(8 * skip))
                place += 1
            }
        }
    }

    private func word(_ number: UInt64) -> UInt64 {
        var mixed = seed &+ (number &+ 1) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return (mixed ^ mixed >> 31).littleEndian
    }

    fileprivate var digest: Digest128 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, min(bytes, 64 << 10)), alignment: 64)
        defer { buffer.deallocate() }
        var hash = XXH3.Stream()
        var place = 0
        while place < bytes {
            let count = min(bytes - place, buffer.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            fill(part, at: place)
            hash.update(UnsafeRawBufferPointer(part))
            place += count
        }
        return hash.digest()
    }
}
