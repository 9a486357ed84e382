// Durations and sizes as people write them ("1m30s", "64MiB"), because a bare number in a configuration
// file is a guess that somebody will make wrongly.

/// Why a value cannot be used and what to write instead.
package struct ValueFault: Error, Equatable, Sendable {
    /// What is wrong, to be read after the key's name.
    package let what: String
    /// What to do.
    package let advice: String

    package init(_ what: String, advice: String) {
        self.what = what
        self.advice = advice
    }
}

/// Durations with units: `250ms`, `2s`, `1m30s`, `1.5h`.
package enum DurationText {
    /// Units with their length in nanoseconds, longest first.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000), ("µs", 1_000), ("ns", 1),
    ]

    /// Reads one duration; several parts are added up.
    package static func parse(_ text: String) throws(ValueFault) -> Duration {
        let parts = try NumberWithUnit.split(text, kind: "duration", example: "\(text)s or \(text)ms")
        var total: Int64 = 0
        for part in parts {
            guard let unit = units.first(where: { $0.name == part.unit }) else {
                throw ValueFault(
                    "has the unknown unit \"\(part.unit)\"", advice: "use ns, us, ms, s, m, h or d, such as 2s or 1m30s"
                )
            }
            let value = part.number * Double(unit.nanoseconds)
            guard value < 9e18, total <= Int64.max - Int64(value) else {
                throw ValueFault("is too long", advice: "write a shorter duration")
            }
            total += Int64(value.rounded())
        }
        return .nanoseconds(total)
    }

    /// The shortest exact form, as `parse` reads it.
    package static func render(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var rest = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        guard rest > 0 else { return "0s" }
        var text = ""
        for (name, length) in units where name != "us" && rest >= length {
            text += "\(rest / length)\(name)"
            rest %= length
        }
        return text
    }
}

/// Sizes with units: `25MB` (decimal), `64MiB` (binary).
package enum SizeText {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("kB", 1_000), ("B", 1),
    ]

    /// Reads one size, in bytes.
    package static func parse(_ text: String) throws(ValueFault) -> Int {
        let parts = try NumberWithUnit.split(text, kind: "size", example: "\(text)MB or \(text)MiB")
        guard parts.count == 1, let part = parts.first else {
            throw ValueFault("is not a size", advice: "write one number with one unit, such as 25MB or 64MiB")
        }
        guard let unit = units.first(where: { $0.name == part.unit }) else {
            throw ValueFault(
                "has the unknown unit \"\(part.unit)\"",
                advice: "use B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, such as 64MiB")
        }
        let value = part.number * Double(unit.bytes)
        guard value < 9e18 else { throw ValueFault("is too large", advice: "write a smaller size") }
        return Int(value.rounded())
    }

    /// The largest unit that divides the size, as `parse` reads it.
    package static func render(_ bytes: Int) -> String {
        guard bytes > 0 else { return "0B" }
        let binary = units.first { $0.name.contains("i") && bytes % $0.bytes == 0 }
        let decimal = units.first { !$0.name.contains("i") && $0.name != "kB" && bytes % $0.bytes == 0 }
        switch (binary, decimal) {
        case (let b?, let d?): return b.bytes > d.bytes ? "\(bytes / b.bytes)\(b.name)" : "\(bytes / d.bytes)\(d.name)"
        case (let unit?, nil), (nil, let unit?): return "\(bytes / unit.bytes)\(unit.name)"
        case (nil, nil): return "\(bytes)B"
        }
    }
}

/// The common form of durations and sizes: numbers, each followed by a unit.
private enum NumberWithUnit {
    struct Part {
        let number: Double
        let unit: String
    }

    static func split(_ text: String, kind: String, example: String) throws(ValueFault) -> [Part] {
        let usual = kind == "size" ? "25MB or 64MiB" : "2s or 1m30s"
        var parts: [Part] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits) else {
                throw ValueFault("is not a \(kind)", advice: "write a number with its unit, such as \(usual)")
            }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            guard !unit.isEmpty else {
                guard parts.isEmpty, rest.isEmpty else {
                    throw ValueFault("is not a \(kind)", advice: "write a number with its unit, such as \(usual)")
                }
                throw ValueFault("has no unit", advice: "write \(example)")
            }
            rest = rest.dropFirst(unit.count)
            parts.append(Part(number: number, unit: String(unit)))
        }
        guard !parts.isEmpty else {
            throw ValueFault("is empty", advice: "write a number with its unit, such as \(usual)")
        }
        return parts
    }
}
