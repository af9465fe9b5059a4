internal import VortexCore
internal import VortexStore

/// What a data directory remembers of its starts; written before the council hears of one.
struct BootNote: Sendable {
    struct Boot: Hashable, Sendable {
        var number: UInt32 = 0
        var start: UInt64 = 0
    }
    /// The last that was agreed.
    var last = Boot()
    /// The last that was proposed: it may have been agreed without our hearing of it.
    var tried = Boot()

    private static let note = "boot"

    static func read(_ store: Store) throws(ClusterError) -> BootNote? {
        do throws(StoreError) {
            guard let bytes = try store.note(note) else { return nil }
            do throws(CodingError) {
                return try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                    let number: UInt32 = try reader.readFixed()
                    // A directory of the time before clusters has its number alone.
                    guard reader.remaining > 0 else {
                        return BootNote(last: Boot(number: number), tried: Boot(number: number))
                    }
                    return BootNote(
                        last: Boot(number: number, start: try reader.readFixed()),
                        tried: Boot(
                            number: try reader.readFixed(), start: try reader.readFixed()))
                }
            } catch { throw StoreError.coding(error) }
        } catch { throw ClusterError(error) }
    }

    func write(to store: Store) async throws(ClusterError) {
        var writer = ByteWriter(reserving: 24)
        for boot in [last, tried] {
            writer.write(fixed: boot.number)
            writer.write(fixed: boot.start)
        }
        do throws(StoreError) { try await store.setNote(Self.note, writer.bytes) } catch {
            throw ClusterError(error)
        }
    }
}
