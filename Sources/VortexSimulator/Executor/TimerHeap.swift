/// Timers by when they are due, those due together in the order in which they were set: a binary
/// heap, from which a timer that was called off is dropped only when its turn comes.
struct TimerHeap: Sendable {
    private struct Entry {
        var due: UInt64
        var ticket: UInt64
        func isBefore(_ other: Entry) -> Bool { (due, ticket) < (other.due, other.ticket) }
    }
    private var entries: [Entry] = []
    /// Looked up by ticket, never walked.
    private var actions: [UInt64: @Sendable () -> Void] = [:]
    private var lastTicket: UInt64 = 0

    /// Timers that are still to fire.
    var count: Int { actions.count }

    mutating func add(due: UInt64, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        lastTicket += 1
        actions[lastTicket] = action
        entries.append(Entry(due: due, ticket: lastTicket))
        rise(entries.count - 1)
        return lastTicket
    }

    /// False where it has fired, or was called off before.
    mutating func cancel(_ ticket: UInt64) -> Bool { actions.removeValue(forKey: ticket) != nil }

    /// When the next timer is due; nil where there is none.
    mutating func nextDue() -> UInt64? {
        while let first = entries.first {
            if actions[first.ticket] != nil { return first.due }
            removeFirst()
        }
        return nil
    }

    /// Takes out the next timer.
    mutating func pop() -> (@Sendable () -> Void)? {
        while let first = entries.first {
            removeFirst()
            if let action = actions.removeValue(forKey: first.ticket) { return action }
        }
        return nil
    }

    mutating func removeAll() {
        entries = []
        actions = [:]
    }

    private mutating func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        sink(0)
    }

    private mutating func rise(_ start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard entries[place].isBefore(entries[parent]) else { return }
            entries.swapAt(place, parent)
            place = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while true {
            var first = place
            let (left, right) = (2 * place + 1, 2 * place + 2)
            if left < entries.count, entries[left].isBefore(entries[first]) { first = left }
            if right < entries.count, entries[right].isBefore(entries[first]) { first = right }
            guard first != place else { return }
            entries.swapAt(place, first)
            place = first
        }
    }
}
