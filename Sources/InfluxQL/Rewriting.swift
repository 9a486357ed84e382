// Changes to a statement's text before it is logged or shown: one literal for now(), no passwords.

extension Statement {
    /// Whether the statement asks for the time of its execution. A continuous query does so at each run, not now.
    package var callsNow: Bool { kind != .createContinuousQuery && !nowCalls.isEmpty }

    /// The statement's text with each call of `now()` replaced by the literal of one moment, so that every node that
    /// runs it, whenever it does, means the same moment. A continuous query keeps its calls.
    ///
    /// In conditions the literal is an RFC 3339 string: in 1.6.7 it means what the call means, in arithmetic too
    /// (`'...' - 1h`), while an integer or a duration is refused in some places. As the offset of `GROUP BY time()`, where
    /// strings are refused, it is the duration that InfluxDB computes there.
    /// - Parameter nanoseconds: since 1970-01-01T00:00:00Z.
    package func replacingNow(with nanoseconds: Int64) -> String {
        guard callsNow else { return text }
        let moment = "'\(Timestamp.rfc3339(nanoseconds))'"
        return replacing(
            nowCalls.map { call in
                guard let interval = call.interval else { return (call.range, call.hasSign ? "(\(moment))" : moment) }
                guard interval > 0 else { return (call.range, "now()") }
                // Go truncates times from the year 1 on.
                let sinceYearOne = Int128(nanoseconds) + 62_135_596_800_000_000_000
                return (call.range, "\(sinceYearOne % Int128(interval))ns")
            })
    }

    /// The text that means the same wherever and whenever it runs, without the request's parameters: with the literal
    /// of one moment for `now()`, and with values for bound parameters. nil: a value has no spelling.
    /// - Parameter nanoseconds: since 1970-01-01T00:00:00Z.
    package func executable(at nanoseconds: Int64, parameters: [String: BoundValue]) -> String? {
        let timeless = replacingNow(with: nanoseconds)
        guard usesParameters else { return timeless }
        guard case .statements(let bound) = Parsed(timeless, parameters: parameters), bound.count == 1 else {
            return nil
        }
        let printed = bound[0].body.unredacted
        guard case .statements(let read) = Parsed(printed, parameters: [:]), read.map(\.body) == [bound[0].body] else {
            return nil
        }
        return printed
    }

    /// There is a password in it.
    package var hasSecrets: Bool { !secrets.isEmpty }

    /// The statement's text with each password replaced by `[REDACTED]`, as InfluxDB shows it; in normal form where the
    /// text needs the values of bound parameters.
    package var redacted: String {
        usesParameters ? "\(body)" : replacing(secrets.map { ($0, "[REDACTED]") })
    }

    private func replacing(_ pieces: [(Range<Int>, String)]) -> String {
        var result = ""
        var at = range.lowerBound
        for (piece, replacement) in pieces {
            result += Runes.text(of: source, at..<piece.lowerBound) + replacement
            at = piece.upperBound
        }
        return result + Runes.text(of: source, at..<range.upperBound)
    }
}

package enum Timestamp {
    /// `2026-11-20T23:24:30Z`
    package static func seconds(_ nanoseconds: Int64) -> String { String(rfc3339(nanoseconds).prefix(19)) + "Z" }

    /// `2026-11-20T23:24:30.123456789Z`: always nine digits, always UTC.
    package static func rfc3339(_ nanoseconds: Int64) -> String {
        let (days, time) = floorDivide(nanoseconds, 86_400_000_000_000)
        // Civil date from days since the epoch, in eras of 400 years that begin on 1 March.
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let (seconds, fraction) = floorDivide(time, 1_000_000_000)
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2) + "T" + padded(seconds / 3_600, 2) + ":"
            + padded(seconds / 60 % 60, 2) + ":" + padded(seconds % 60, 2) + "." + padded(fraction, 9) + "Z"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let remainder = value % divisor
        return remainder < 0 ? (value / divisor - 1, remainder + divisor) : (value / divisor, remainder)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
