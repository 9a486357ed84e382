// How much may pass in a second. A value without a clock: who charges it says what time it is.

/// What is charged is paid off at an even rate; one second's worth may be owed at any time. So over any time t no more
/// passes than `perSecond` × (t + 1 s), and whoever stays below the rate never waits.
package struct RateLimit: Equatable, Sendable {
    package let perSecond: Int
    /// When all that was charged is paid off. Nanoseconds.
    private var paidOffAt = Int64.min

    private static let second: Int64 = 1_000_000_000
    /// Beyond it a charge counts as this much, so that no sum overflows: about 30 years.
    private static let longest: Int64 = 1 << 60

    /// - Parameter perSecond: at least 1.
    package init(perSecond: Int) {
        precondition(perSecond > 0)
        self.perSecond = perSecond
    }

    /// How long it takes to pay for so much, rounded up. Nanoseconds.
    private func time(for amount: Int) -> Int64 {
        let (product, overflow) = Int64(amount).multipliedReportingOverflow(by: Self.second)
        if overflow { return Self.longest }
        let rate = Int64(perSecond)
        return min(Self.longest, product / rate + (product % rate == 0 ? 0 : 1))
    }

    /// Charges what has passed, or passes now; it may be more than may be owed.
    package mutating func charge(_ amount: Int, now: Int64) {
        paidOffAt = min(max(paidOffAt, now), now + Self.longest) + time(for: amount)
    }

    /// After how many nanoseconds so much may pass; 0: now.
    package func wait(for amount: Int, now: Int64) -> Int64 {
        let cost = time(for: amount)
        let owed = max(paidOffAt, now) - now
        // What costs more than may be owed passes when nothing is owed.
        return max(0, owed + cost - max(Self.second, cost))
    }
}
