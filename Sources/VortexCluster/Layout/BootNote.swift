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
    /// Proposed since then, oldest first: each may have been agreed without our hearing of it, and
    /// one that only a minority of the council has accepted may be chosen when nobody thinks of it
    /// any more.
    var tried: [Boot] = []
    /// A start that waits for the council does not end: so many in a row were ended from outside.
    private static let triedMax = 1_024

    /// The boot of a start that begins; `above` is one that the layout is known to list.
    mutating func tries(above listed: UInt32 = 0, start: UInt64) -> Boot {
        let boot = Boot(number: max((tried.last ?? last).number, listed) + 1, start: start)
        if tried.count == Self.triedMax { tried.removeFirst() }
        tried.append(boot)
        return boot
    }

    func knows(_ boot: Boot) -> Bool { boot == last || tried.contains(boot) }

    private static let note = "boot"

    static func read(_ store: Store) throws(ClusterError) -> BootNote? {
        do throws(StoreError) {
            guard let bytes = try store.note(note) else { return nil }
            do throws(CodingError) {
                return try ByteReader.decode(bytes) { (reader) throws(CodingError) in
                    let number: UInt32 = try reader.readFixed()
                    // A directory of the time before clusters has its number alone.
                    guard reader.remaining > 0 else { return BootNote(last: Boot(number: number)) }
                    var note = BootNote(
                        last: Boot(number: number, start: try reader.readFixed()))
                    while reader.remaining > 0 {
                        note.tried.append(
                            Boot(
                                number: try reader.readFixed(), start: try reader.readFixed()))
                    }
                    return note
                }
            } catch { throw StoreError.coding(error) }
        } catch { throw ClusterError(error) }
    }

    func write(to store: Store) async throws(ClusterError) {
        var writer = ByteWriter(reserving: 12 * (1 + tried.count))
        for boot in [last] + tried {
            writer.write(fixed: boot.number)
            writer.write(fixed: boot.start)
        }
        do throws(StoreError) { try await store.setNote(Self.note, writer.bytes) } catch {
            throw ClusterError(error)
        }
    }
}
