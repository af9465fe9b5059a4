/// A moment of the Gregorian calendar in UTC, without leap seconds. The arithmetic is Howard
/// Hinnant's ("chrono-compatible low-level date algorithms"), which counts years from March.
struct CivilTime: Hashable {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int

    private static let secondsPerDay = 86_400
    /// Days from 0000-03-01 to 1970-01-01.
    private static let daysBeforeUnix = 719_468
    private static let daysPerEra = 146_097

    /// Years 0 to 9999; moments outside are moved to the nearest second inside.
    init(seconds: Int64) {
        let first: Int64 = -62_167_219_200
        let last: Int64 = 253_402_300_799
        let moment = Int(min(max(seconds, first), last))
        let dayNumber = (moment - Self.mod(moment, Self.secondsPerDay)) / Self.secondsPerDay
        let rest = Self.mod(moment, Self.secondsPerDay)
        let shifted = dayNumber + Self.daysBeforeUnix
        let era = (shifted - Self.mod(shifted, Self.daysPerEra)) / Self.daysPerEra
        let dayOfEra = Self.mod(shifted, Self.daysPerEra)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Nil where no such day or time of day exists. A leap second is the second before it.
    init?(year: Int, month: Int, day: Int, clock: (hour: Int, minute: Int, second: Int)) {
        guard (0...9_999).contains(year), (1...12).contains(month),
            (1...Self.days(in: month, of: year)).contains(day), (0...23).contains(clock.hour),
            (0...59).contains(clock.minute), (0...60).contains(clock.second)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        hour = clock.hour
        minute = clock.minute
        second = min(clock.second, 59)
    }

    var dayNumber: Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted - Self.mod(shifted, 400)) / 400
        let yearOfEra = Self.mod(shifted, 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * Self.daysPerEra + dayOfEra - Self.daysBeforeUnix
    }

    var seconds: Int64 {
        Int64(dayNumber * Self.secondsPerDay + hour * 3_600 + minute * 60 + second)
    }

    /// 0 is Sunday; 1970-01-01 was a Thursday.
    var weekday: Int { Self.mod(dayNumber + 4, 7) }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func mod(_ value: Int, _ divisor: Int) -> Int {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
