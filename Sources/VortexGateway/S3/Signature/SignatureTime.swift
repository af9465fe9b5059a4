/// The moment of a signature: `20130524T000000Z` (ISO 8601's basic format), kept as it came since
/// it is signed.
struct SignatureTime: Hashable, Sendable {
    var text: String
    var seconds: Int64

    /// The day, as in the scope.
    var date: Substring { text.prefix(8) }

    init?(_ text: String) {
        var scanner = FieldScanner(text)
        guard let year = scanner.takeDigits(4), let month = scanner.takeDigits(2),
            let day = scanner.takeDigits(2), scanner.take("T"),
            let hour = scanner.takeDigits(2), let minute = scanner.takeDigits(2),
            let second = scanner.takeDigits(2), scanner.take("Z"), scanner.isAtEnd,
            let time = CivilTime(
                year: year, month: month, day: day, clock: (hour, minute, second))
        else { return nil }
        self.text = text
        seconds = time.seconds
    }

    init(seconds: Int64) {
        let time = CivilTime(seconds: seconds)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        text =
            padded(time.year, 4) + padded(time.month, 2) + padded(time.day, 2) + "T"
            + padded(time.hour, 2) + padded(time.minute, 2) + padded(time.second, 2) + "Z"
        self.seconds = seconds
    }
}
