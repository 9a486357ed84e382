// Times as InfluxQL writes them in quotes: RFC 3339, `2020-01-31 12:34:56.789`, or a day.

enum TimeLiteral {
    /// Whether InfluxDB takes the text for a time when `time` is compared with it.
    static func looksLikeTime(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(10))
        guard bytes.count == 10 else { return false }
        for (index, byte) in bytes.enumerated() {
            let isDash = index == 4 || index == 7
            guard isDash ? byte == UInt8(ascii: "-") : (0x30...0x39).contains(byte) else { return false }
        }
        // Go's `.` matches no newline.
        return text.utf8.dropFirst(10).first != 0x0A
    }

    /// The time in nanoseconds since the epoch, and whether the text says in which zone it is; nil if it is no time.
    static func parse(_ text: String) -> (nanoseconds: Int128, hasOffset: Bool)? {
        guard looksLikeTime(text) else { return nil }
        var reader = Reader(bytes: Array(text.utf8))
        guard let year = reader.digits(4), reader.skip("-"), let month = reader.digits(2), reader.skip("-"),
            let day = reader.digits(2), (1...12).contains(month), day >= 1, day <= days(in: month, of: year)
        else { return nil }
        let midnight = Int128(daysSinceEpoch(year, month, day)) * 86_400_000_000_000
        if reader.isAtEnd { return (midnight, false) }
        let isRFC3339 = reader.peek == UInt8(ascii: "T")
        guard isRFC3339 || reader.peek == UInt8(ascii: " ") else { return nil }
        reader.at += 1
        guard let hour = reader.hour(), reader.skip(":"), let minute = reader.digits(2), reader.skip(":"),
            let second = reader.digits(2), hour < 24, minute < 60, second < 60, let fraction = reader.fraction()
        else { return nil }
        var time = midnight + Int128(hour * 3_600 + minute * 60 + second) * 1_000_000_000 + Int128(fraction)
        guard isRFC3339 else { return reader.isAtEnd ? (time, false) : nil }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        time -= Int128(offset) * 1_000_000_000
        return (time, true)
    }

    /// RFC 3339 to the second, in UTC.
    static func text(ofSecond nanoseconds: Int128) -> String {
        // Whole cycles of the calendar, so that the years before 1677 and after 2262 need no wider type.
        let cycle: Int128 = 146_097 * 86_400_000_000_000
        var cycles: Int128 = 0
        var rest = nanoseconds
        if rest > Int128(Int64.max) || rest < Int128(Int64.min) {
            cycles = rest / cycle - (rest % cycle < 0 ? 1 : 0)
            rest -= cycles * cycle
            if rest > Int128(Int64.max) {
                rest -= cycle
                cycles += 1
            }
        }
        let text = Timestamp.rfc3339(Int64(rest))
        let year = (Int(text.prefix(4)) ?? 0) + Int(cycles) * 400
        let digits = String(year)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + text.dropFirst(4).prefix(15) + "Z"
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at == bytes.count }
        var peek: UInt8 { at < bytes.count ? bytes[at] : 0 }

        private var isDigit: Bool { (0x30...0x39).contains(peek) }

        mutating func skip(_ sign: Unicode.Scalar) -> Bool {
            guard peek == UInt8(ascii: sign) else { return false }
            at += 1
            return true
        }

        mutating func digits(_ count: Int) -> Int? {
            var value = 0
            for _ in 0..<count {
                guard isDigit else { return nil }
                value = value * 10 + Int(peek - 0x30)
                at += 1
            }
            return value
        }

        /// Go takes an hour of one digit too.
        mutating func hour() -> Int? {
            let start = at
            if let value = digits(2) { return value }
            at = start
            return digits(1)
        }

        /// In nanoseconds; 0 without one. Digits beyond nine are dropped.
        mutating func fraction() -> Int? {
            guard peek == UInt8(ascii: ".") || peek == UInt8(ascii: ",") else { return 0 }
            at += 1
            guard isDigit else { return nil }
            var value = 0
            var scale = 100_000_000
            while isDigit {
                value += Int(peek - 0x30) * scale
                scale /= 10
                at += 1
            }
            return value
        }

        /// `Z` or `+01:00`, in seconds.
        mutating func offset() -> Int? {
            if skip("Z") { return 0 }
            let isNegative = peek == UInt8(ascii: "-")
            guard isNegative || peek == UInt8(ascii: "+") else { return nil }
            at += 1
            guard let hours = digits(2), skip(":"), let minutes = digits(2), hours <= 24, minutes < 60 else {
                return nil
            }
            return (hours * 3_600 + minutes * 60) * (isNegative ? -1 : 1)
        }
    }
}
