// Times as programs write them to each other.

package enum RFC3339 {
    /// Nanoseconds since the epoch; nil: the text is no time with its zone, or one that InfluxDB cannot hold.
    package static func nanoseconds(_ text: String) -> Int64? {
        guard let (nanoseconds, hasOffset) = TimeLiteral.parse(text), hasOffset else { return nil }
        return Int64(exactly: nanoseconds)
    }
}
