// Durations such as `1h30m`: which ones InfluxDB takes. The scanner calls anything a duration that is digits and
// letters.

package enum DurationLiteral {
    /// The length in nanoseconds, wrapped as Go's arithmetic wraps; nil if it is none. A minus sign may stand before it
    /// in the value of a bound parameter; elsewhere it is a token of its own.
    package static func nanoseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 2 else { return nil }
        var total: Int64 = 0
        let isNegative = bytes[0] == UInt8(ascii: "-")
        var at = isNegative ? 1 : 0
        while at < bytes.count {
            var count: Int64 = 0
            let start = at
            while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
                let (product, overflow) = count.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int64(bytes[at] - 0x30))
                guard !overflow, !carry else { return nil }
                count = sum
                at += 1
            }
            guard at > start, at < bytes.count else { return nil }
            let followedByS = at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "s")
            let unit: Int64
            switch bytes[at] {
            case UInt8(ascii: "n") where followedByS: (unit, at) = (1, at + 2)
            case UInt8(ascii: "u"): (unit, at) = (1_000, at + 1)
            case 0xC2: (unit, at) = (1_000, at + 2)  // µ, the only character beyond ASCII that the lexer lets in
            case UInt8(ascii: "m") where followedByS: (unit, at) = (1_000_000, at + 2)
            case UInt8(ascii: "s"): (unit, at) = (1_000_000_000, at + 1)
            case UInt8(ascii: "m"): (unit, at) = (60_000_000_000, at + 1)
            case UInt8(ascii: "h"): (unit, at) = (3_600_000_000_000, at + 1)
            case UInt8(ascii: "d"): (unit, at) = (86_400_000_000_000, at + 1)
            case UInt8(ascii: "w"): (unit, at) = (604_800_000_000_000, at + 1)
            default: return nil
            }
            total &+= count &* unit
        }
        return isNegative ? 0 &- total : total
    }

    /// The length in nanoseconds, or what InfluxDB has against `text`.
    static func read(_ text: String) throws(Complaint) -> Int64 {
        guard let length = nanoseconds(text) else { throw Complaint(text: "invalid duration") }
        if length < 0, !text.hasPrefix("-") {
            throw Complaint(text: "overflowed duration \(text): choose a smaller duration or INF")
        }
        return length
    }

    struct Complaint: Error {
        var text: String
    }
}
