// Times and durations as InfluxDB (that is, Go) writes them in SHOW DIAGNOSTICS and SHOW RETENTION POLICIES.

package enum GoText {
    /// Nanoseconds since 1970 of a time in UTC such as `2026-11-21T02:38:04.812424504Z`; nil for anything else,
    /// and for what 64 bits do not hold: before 1677-09-21T00:12:44Z, after 2262-04-11T23:47:16.854775807Z.
    package static func time(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"), bytes[4] == UInt8(ascii: "-"),
            bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"),
            let year = digits(bytes[0..<4]), let month = digits(bytes[5..<7]), let day = digits(bytes[8..<10]),
            let hour = digits(bytes[11..<13]), let minute = digits(bytes[14..<16]), let second = digits(bytes[17..<19]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int64 = 0
        if bytes.count > 20 {
            let places = bytes[20..<bytes.count - 1]
            guard bytes[19] == UInt8(ascii: "."), (1...9).contains(places.count), let value = digits(places) else {
                return nil
            }
            fraction = (places.count..<9).reduce(value) { value, _ in value * 10 }
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        let (whole, isTooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (nanoseconds, overflow) = whole.addingReportingOverflow(fraction)
        return isTooFar || overflow ? nil : nanoseconds
    }

    /// Nanoseconds of a duration such as `168h0m0s`, `1.5s`, `100ms` or `0s`; nil for anything else.
    package static func duration(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        var rest = Substring(text)
        var sum = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let scale = scale(of: unit) else { return nil }
            sum += value * scale
        }
        return Int64(exactly: sum.rounded())
    }

    private static func scale(of unit: Substring) -> Double? {
        switch unit {
        case "ns": 1
        case "us", "µs", "μs": 1e3
        case "ms": 1e6
        case "s": 1e9
        case "m": 60e9
        case "h": 3600e9
        default: nil
        }
    }

    private static func digits(_ bytes: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for byte in bytes {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }

    /// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, days_from_civil).
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
