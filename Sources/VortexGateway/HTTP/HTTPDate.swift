/// Seconds since 1970 as HTTP spells them (RFC 9110, 5.6.7): written as IMF-fixdate, read in all
/// three forms.
///
///     Sun, 06 Nov 1994 08:49:37 GMT        IMF-fixdate
///     Sunday, 06-Nov-94 08:49:37 GMT       RFC 850
///     Sun Nov  6 08:49:37 1994             asctime
public enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    public static func string(seconds: Int64) -> String {
        let date = CivilTime(seconds: seconds)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: days[date.weekday].utf8)
        text.append(contentsOf: ", ".utf8)
        text.append(digits: date.day, width: 2)
        text.append(0x20)
        text.append(contentsOf: months[date.month - 1].utf8)
        text.append(0x20)
        text.append(digits: date.year, width: 4)
        text.append(0x20)
        text.append(clock: date)
        text.append(contentsOf: " GMT".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything else: a field with an invalid date is to be ignored (RFC 9110, 13.1.3).
    /// `nowSeconds` settles the century of RFC 850's two digits: at most 50 years ahead.
    public static func seconds(_ text: String, nowSeconds: Int64) -> Int64? {
        var scanner = FieldScanner(text)
        let name = scanner.take { $0 >= 0x41 && $0 <= 0x7a }
        guard name.count >= 3 else { return nil }
        let short = String(decoding: name.prefix(3), as: UTF8.self)
        guard days.contains(short) else { return nil }
        let parsed: CivilTime? =
            if scanner.take(",") {
                name.count == 3 ? fixdate(&scanner) : dashed(&scanner, nowSeconds: nowSeconds)
            } else {
                name.count == 3 ? asctime(&scanner) : nil
            }
        guard let parsed, scanner.isAtEnd else { return nil }
        return parsed.seconds
    }

    private static func fixdate(_ scanner: inout FieldScanner) -> CivilTime? {
        guard scanner.take(" "), let day = scanner.takeDigits(2), scanner.take(" "),
            let month = month(&scanner), scanner.take(" "), let year = scanner.takeDigits(4),
            scanner.take(" "), let clock = clock(&scanner), scanner.take(ignoringCase: " GMT")
        else { return nil }
        return CivilTime(year: year, month: month, day: day, clock: clock)
    }

    private static func dashed(_ scanner: inout FieldScanner, nowSeconds: Int64) -> CivilTime? {
        guard scanner.take(" "), let day = scanner.takeDigits(2), scanner.take("-"),
            let month = month(&scanner), scanner.take("-"), let short = scanner.takeDigits(2),
            scanner.take(" "), let clock = clock(&scanner), scanner.take(ignoringCase: " GMT")
        else { return nil }
        let thisYear = CivilTime(seconds: nowSeconds).year
        var year = thisYear - thisYear % 100 + short
        if year > thisYear + 50 { year -= 100 }
        return CivilTime(year: year, month: month, day: day, clock: clock)
    }

    private static func asctime(_ scanner: inout FieldScanner) -> CivilTime? {
        guard scanner.take(" "), let month = month(&scanner), scanner.take(" "),
            let day = scanner.take(" ") ? scanner.takeDigits(1) : scanner.takeDigits(2),
            scanner.take(" "), let clock = clock(&scanner), scanner.take(" "),
            let year = scanner.takeDigits(4)
        else { return nil }
        return CivilTime(year: year, month: month, day: day, clock: clock)
    }

    private static func month(_ scanner: inout FieldScanner) -> Int? {
        let name = scanner.take { $0 >= 0x41 && $0 <= 0x7a }
        return months.firstIndex { $0.utf8.elementsEqual(name) }.map { $0 + 1 }
    }

    private static func clock(
        _ scanner: inout FieldScanner
    ) -> (hour: Int, minute: Int, second: Int)? {
        guard let hour = scanner.takeDigits(2), scanner.take(":"),
            let minute = scanner.takeDigits(2), scanner.take(":"),
            let second = scanner.takeDigits(2)
        else { return nil }
        return (hour, minute, second)
    }
}

/// RFC 3339 in UTC with milliseconds: what JSON answers carry.
public enum RFC3339 {
    public static func string(milliseconds: UInt64) -> String {
        String(decoding: bytes(milliseconds: milliseconds), as: UTF8.self)
    }

    static func bytes(milliseconds: UInt64) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(rfc3339: milliseconds)
        return text
    }
}

extension [UInt8] {
    mutating func append(rfc3339 milliseconds: UInt64) {
        let date = CivilTime(seconds: Int64(milliseconds / 1_000))
        append(digits: date.year, width: 4)
        append(UInt8(ascii: "-"))
        append(digits: date.month, width: 2)
        append(UInt8(ascii: "-"))
        append(digits: date.day, width: 2)
        append(UInt8(ascii: "T"))
        append(clock: date)
        append(UInt8(ascii: "."))
        append(digits: Int(milliseconds % 1_000), width: 3)
        append(UInt8(ascii: "Z"))
    }

    fileprivate mutating func append(clock date: CivilTime) {
        append(digits: date.hour, width: 2)
        append(UInt8(ascii: ":"))
        append(digits: date.minute, width: 2)
        append(UInt8(ascii: ":"))
        append(digits: date.second, width: 2)
    }

    fileprivate mutating func append(digits value: Int, width: Int) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
