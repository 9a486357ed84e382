// The unit of a request's timestamps: InfluxDB's `precision` parameter.

/// The unit in which the timestamps of a request are written.
///
/// The raw value is stored in the log: never renumber.
package enum Precision: UInt8, Sendable, CaseIterable {
    case nanoseconds = 0
    case microseconds = 1
    case milliseconds = 2
    case seconds = 3
    case minutes = 4
    case hours = 5

    /// Reads the `precision` parameter of `/write`; `nil` for a value that InfluxDB 1.8 and later refuse.
    ///
    /// An absent parameter is the empty string: nanoseconds.
    package init?(parameter: some StringProtocol) {
        switch parameter {
        case "", "n", "ns": self = .nanoseconds
        case "u": self = .microseconds
        case "ms": self = .milliseconds
        case "s": self = .seconds
        case "m": self = .minutes
        case "h": self = .hours
        default: return nil
        }
    }

    /// Reads the `precision` parameter of `/api/v2/write`: `ns`, `us`, `ms`, `s` or empty; `nil` for all others.
    package init?(version2Parameter parameter: some StringProtocol) {
        switch parameter {
        case "", "ns": self = .nanoseconds
        case "us": self = .microseconds
        case "ms": self = .milliseconds
        case "s": self = .seconds
        default: return nil
        }
    }

    /// The `precision` parameter for a node's `/write`; all 1.x versions know these.
    package var parameter: String {
        switch self {
        case .nanoseconds: "n"
        case .microseconds: "u"
        case .milliseconds: "ms"
        case .seconds: "s"
        case .minutes: "m"
        case .hours: "h"
        }
    }

    /// The length of one unit in nanoseconds.
    package var nanoseconds: Int64 {
        switch self {
        case .nanoseconds: 1
        case .microseconds: 1_000
        case .milliseconds: 1_000_000
        case .seconds: 1_000_000_000
        case .minutes: 60_000_000_000
        case .hours: 3_600_000_000_000
        }
    }

    /// Expresses a time in this unit, rounded down as InfluxDB does for points without a timestamp.
    package func truncate(nanosecondsSinceEpoch time: Int64) -> Int64 {
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: nanoseconds)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The largest timestamp in this unit that InfluxDB stores; the smallest is its negative.
    ///
    /// InfluxDB keeps the three outermost nanosecond values for itself: the range is ±9223372036854775806 ns.
    package var maximumTimestamp: Int64 { (Int64.max - 1) / nanoseconds }
}
