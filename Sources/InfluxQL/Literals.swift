// Numbers and durations as text, the way InfluxDB writes them.

enum Literals {
    /// As Go's `strconv.FormatFloat(value, 'f', -1, 64)`: the shortest digits that mean the value, never an exponent.
    static func plain(_ value: Double) -> String {
        let text = value.description
        guard let mark = text.firstIndex(of: "e") else { return text.hasSuffix(".0") ? String(text.dropLast(2)) : text }
        let exponent = Int(text[text.index(after: mark)...]) ?? 0
        let isNegative = text.hasPrefix("-")
        var digits = text[..<mark].filter { $0 != "-" }
        let point = digits.firstIndex(of: ".").map { digits.distance(from: digits.startIndex, to: $0) } ?? digits.count
        digits.removeAll { $0 == "." }
        if digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        let whole = point + exponent
        let sign = isNegative ? "-" : ""
        if whole <= 0 { return sign + "0." + String(repeating: "0", count: -whole) + digits }
        if whole >= digits.count { return sign + digits + String(repeating: "0", count: whole - digits.count) }
        return sign + digits.prefix(whole) + "." + digits.dropFirst(whole)
    }

    /// A number in an expression. InfluxDB writes three decimals [1.6.7], also where that is another number (`0.00001`
    /// becomes `0.000`); here it gets as many as it needs, and at least three.
    static func number(_ value: Double) -> String {
        var text = plain(value)
        let point = text.firstIndex(of: ".").map { text.distance(from: $0, to: text.endIndex) - 1 }
        if point == nil { text += "." }
        return text + String(repeating: "0", count: max(0, 3 - (point ?? 0)))
    }

    private static let week: Int64 = 604_800_000_000_000
    private static let units: [(name: String, length: Int64)] = [
        ("w", week), ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("u", 1_000), ("ns", 1),
    ]

    /// In the largest unit that divides it: `90m`, `2w`, `1001ns`.
    static func duration(_ nanoseconds: Int64) -> String {
        guard nanoseconds != 0 else { return "0s" }
        for unit in units where nanoseconds % unit.length == 0 { return "\(nanoseconds / unit.length)\(unit.name)" }
        return "\(nanoseconds)ns"
    }

    /// `168h0m1s`, as Go writes durations and InfluxDB those of CREATE DATABASE. What is not whole seconds is written
    /// as elsewhere: InfluxQL cannot read Go's `1h0m1.5s`.
    static func clockDuration(_ nanoseconds: Int64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        guard nanoseconds % 1_000_000_000 == 0, seconds > 0 else { return duration(nanoseconds) }
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours)h" : "") + (seconds >= 60 ? "\(minutes)m" : "") + "\(seconds % 60)s"
    }
}
