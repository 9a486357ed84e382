// Times, durations and numbers as Go prints them.

enum GoText {
    static let second: Int64 = 1_000_000_000
    static let hour: Int64 = 3600 * second
    static let day: Int64 = 24 * hour

    // MARK: Times

    /// RFC 3339 in UTC; `places`: with the fraction, trailing zeros cut.
    static func time(_ nanoseconds: Int64, places: Bool) -> String {
        var seconds = nanoseconds / second
        var fraction = nanoseconds % second
        if fraction < 0 {
            fraction += second
            seconds -= 1
        }
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let (year, month, day) = date(days)
        var text = padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2) + "T"
        text += padded(rest / 3600, 2) + ":" + padded(rest / 60 % 60, 2) + ":" + padded(rest % 60, 2)
        if places, fraction != 0 {
            var digits = padded(fraction, 9)
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    /// `2006-01-02`, `2006-01-02 15:04:05.999`, `2006-01-02T15:04:05.999Z`; UTC only.
    static func parseTime(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy(Byte.isDigit) else { return nil }
            return Int64(String(decoding: bytes[range], as: UTF8.self))
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10) else { return nil }
        var seconds = days(year, month, day) * 86_400
        guard bytes.count > 10 else { return seconds * second }
        guard let hour = number(11..<13), let minute = number(14..<16), let wholeSecond = number(17..<19) else {
            return nil
        }
        seconds += hour * 3600 + minute * 60 + wholeSecond
        var rest = bytes[19...]
        if rest.last == UInt8(ascii: "Z") { rest = rest.dropLast() }
        var fraction: Int64 = 0
        if rest.first == Byte.dot {
            let digits = rest.dropFirst()
            guard digits.allSatisfy(Byte.isDigit), (1...9).contains(digits.count) else { return nil }
            fraction = digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
            for _ in digits.count..<9 { fraction *= 10 }
        } else if !rest.isEmpty {
            return nil
        }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: second)
        return overflow ? nil : whole &+ fraction
    }

    /// Go truncates since the first day of the year 1, a Monday; and so lie shard groups.
    static func truncated(_ time: Int64, to period: Int64) -> Int64 {
        let sinceYearOne = Int128(time) + Int128(62_135_596_800) * Int128(second)
        let start = Int128(time) - sinceYearOne % Int128(period)
        return Int64(clamping: start)
    }

    /// Howard Hinnant, civil_from_days.
    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    // MARK: Durations

    /// As `time.Duration` prints itself: `168h0m0s`, `1.5s`, `17µs`.
    static func duration(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        if nanoseconds < second {
            if nanoseconds < 1000 { return "\(nanoseconds)ns" }
            if nanoseconds < 1_000_000 { return decimal(nanoseconds, 1000) + "µs" }
            return decimal(nanoseconds, 1_000_000) + "ms"
        }
        let minutes = nanoseconds / (60 * second)
        let seconds = decimal(nanoseconds % (60 * second), second) + "s"
        if minutes == 0 { return seconds }
        return minutes < 60 ? "\(minutes)m" + seconds : "\(minutes / 60)h\(minutes % 60)m" + seconds
    }

    private static func decimal(_ value: Int64, _ unit: Int64) -> String {
        var digits = String(value % unit)
        digits = String(repeating: "0", count: String(unit).count - 1 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(value / unit)" + (digits.isEmpty ? "" : "." + digits)
    }

    /// As InfluxQL prints it: in the largest unit that divides it.
    static func statementDuration(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        for (suffix, unit) in units where nanoseconds % unit == 0 { return "\(nanoseconds / unit)\(suffix)" }
        return "\(nanoseconds)ns"
    }

    static let units: [(String, Int64)] = [
        ("w", 7 * day), ("d", day), ("h", hour), ("m", 60 * second), ("s", second), ("ms", 1_000_000), ("u", 1000),
    ]

    // MARK: Numbers

    /// As `encoding/json` prints a float: the shortest digits, an exponent below 1e-6 and from 1e21 on.
    static func json(_ value: Double) -> String {
        if value == 0 { return value.sign == .minus ? "-0" : "0" }
        let (digits, point) = shortest(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if value.magnitude < 1e-6 || value.magnitude >= 1e21 {
            let exponent = point - 1
            let fraction = digits.dropFirst()
            return sign + digits.prefix(1) + (fraction.isEmpty ? "" : "." + fraction) + "e"
                + (exponent < 0 ? "-" : "+") + "\(exponent.magnitude)"
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if point >= digits.count { return sign + digits + String(repeating: "0", count: point - digits.count) }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// The shortest digits that stand for the value, and where the decimal point belongs: 0.DIGITS * 10^point.
    private static func shortest(_ value: Double) -> (digits: String, point: Int) {
        let parts = "\(value)".split(separator: "e")
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = String(mantissa[0]) + (mantissa.count > 1 ? String(mantissa[1]) : "")
        exponent += mantissa[0].count
        while digits.hasPrefix("0"), digits.count > 1 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        return (digits, exponent)
    }
}
