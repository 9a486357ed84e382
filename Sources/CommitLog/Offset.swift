// The words in which everyone speaks about the log: a record's number, its kind, the log's identity.

/// A record's number in the log: dense, 64 bits, never used again for another record.
///
/// As a bound it means "everything below": the durable end and the cursors are offsets of the first record
/// that is *not* durable, *not* applied.
package struct Offset: RawRepresentable, Comparable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package static let zero = Offset(rawValue: 0)
    /// Behind every record there will ever be.
    package static let end = Offset(rawValue: .max)

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: Offset, right: Offset) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The offset `count` records further on (or back, if negative).
    package func advanced(by count: Int) -> Offset {
        count >= 0
            ? Offset(rawValue + UInt64(count))
            : Offset(rawValue - UInt64(-count))
    }

    /// Records from here to `other`; negative if `other` lies before.
    package func distance(to other: Offset) -> Int {
        other.rawValue >= rawValue ? Int(other.rawValue - rawValue) : -Int(rawValue - other.rawValue)
    }

    package var description: String {
        String(rawValue)
    }
}

/// What a record's body is. The raw values are on disk: never change or reuse one.
package enum RecordKind: UInt8, Sendable, CaseIterable {
    /// Line protocol; a ``PointsRecord``.
    case points = 1
    /// A statement that changes data or schema; a ``MutationRecord``.
    case mutation = 2
    /// A node's final no to some lines of a record; a ``RefusalRecord``.
    case refusal = 3
}

/// The identity of a log: 128 random bits, made when its folder is first opened.
package struct LogID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func random() -> LogID {
        LogID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
    }

    /// Reads what ``description`` writes: 32 hexadecimal digits.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    package var description: String {
        Self.hexadecimal(high) + Self.hexadecimal(low)
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
