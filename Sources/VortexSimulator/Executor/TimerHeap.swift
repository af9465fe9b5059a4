/// Timers by when they are due, those due together in the order in which they were set: a binary
/// heap, from which a timer that was called off is dropped only when its turn comes.
struct TimerHeap: Sendable {
    private struct Entry {
        var due: UInt64
        var number: UInt64
        var slot: Int
        func isBefore(_ other: Entry) -> Bool {
            due == other.due ? number < other.number : due < other.due
        }
    }
    /// Where a timer's action waits for its turn; used again when that has come.
    private struct Slot {
        var number: UInt64
        var action: (@Sendable () -> Void)?
    }
    private var entries: [Entry] = []
    private var slots: [Slot] = []
    private var spares: [Int] = []
    private var last: UInt64 = 0
    /// A ticket is the timer's number and, in so many low bits, its slot.
    private static let slotBits: UInt64 = 24

    /// Timers that are still to fire.
    private(set) var count = 0

    mutating func add(due: UInt64, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        last += 1
        count += 1
        let slot: Int
        if let spare = spares.popLast() {
            slot = spare
            slots[slot] = Slot(number: last, action: action)
        } else {
            slot = slots.count
            precondition(slot < 1 << Self.slotBits, "timers are bounded by their tickets")
            slots.append(Slot(number: last, action: action))
        }
        entries.append(Entry(due: due, number: last, slot: slot))
        rise(entries.count - 1)
        return last << Self.slotBits | UInt64(slot)
    }

    /// False where it has fired, or was called off before.
    mutating func cancel(_ ticket: UInt64) -> Bool {
        let slot = Int(ticket & (1 << Self.slotBits - 1))
        guard slot < slots.count, slots[slot].number == ticket >> Self.slotBits,
            slots[slot].action != nil
        else { return false }
        slots[slot].action = nil
        count -= 1
        return true
    }

    /// When the next timer is due; nil where there is none.
    mutating func nextDue() -> UInt64? {
        while let first = entries.first {
            if slots[first.slot].action != nil { return first.due }
            removeFirst()
        }
        return nil
    }

    /// Takes out the next timer.
    mutating func pop() -> (@Sendable () -> Void)? {
        while let first = entries.first {
            let action = slots[first.slot].action
            removeFirst()
            if let action {
                count -= 1
                return action
            }
        }
        return nil
    }

    mutating func removeAll() { self = TimerHeap() }

    private mutating func removeFirst() {
        slots[entries[0].slot].action = nil
        spares.append(entries[0].slot)
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
