internal import Synchronization

/// Failed attempts to get in, by address: after sixty in a minute an address waits. The table is
/// bounded, so that a flood from many addresses costs no memory; the total is counted for the
/// metrics.
public final class FailedAttempts: Sendable {
    private struct Entry {
        var since: UInt64
        var count: Int
    }
    private let table = Mutex<[String: Entry]>([:])
    private let addressesMax: Int
    public let total = Counter()
    public let refused = Counter()

    static let windowMilliseconds: UInt64 = 60_000
    static let attemptsMax = 60

    public init(addressesMax: Int = 4_096) { self.addressesMax = max(1, addressesMax) }

    /// Whether the address has to wait. Right secrets are not asked for meanwhile: else guessing
    /// would only have to go on.
    func isBlocked(_ address: String, now: UInt64) -> Bool {
        let isBlocked = table.withLock { table in
            guard let entry = table[address], now - min(now, entry.since) < Self.windowMilliseconds
            else { return false }
            return entry.count >= Self.attemptsMax
        }
        if isBlocked { refused.add(1) }
        return isBlocked
    }

    func note(_ address: String, now: UInt64) {
        total.add(1)
        table.withLock { table in
            if var entry = table[address],
                now - min(now, entry.since) < Self.windowMilliseconds
            {
                entry.count += 1
                table[address] = entry
                return
            }
            if table.count >= addressesMax {
                table = table.filter { now - min(now, $0.value.since) < Self.windowMilliseconds }
                // Everyone in it is recent: forgetting them all is the smaller harm.
                if table.count >= addressesMax { table.removeAll() }
            }
            table[address] = Entry(since: now, count: 1)
        }
    }
}
