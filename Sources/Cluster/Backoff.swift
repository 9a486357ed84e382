// How long to leave a node alone after it said no, or said nothing (A4: no hot retry loops).

/// Exponential with jitter: the n-th failure in a row waits between half and the whole of `first` * 2^(n-1), at most
/// `limit`; a node's own `Retry-After` is a lower bound (at most `limit` * 6).
package struct Backoff: Equatable, Sendable {
    package let first: Int64
    package let limit: Int64
    package private(set) var failures = 0

    /// Durations in nanoseconds.
    package init(first: Int64 = 100_000_000, limit: Int64 = 5_000_000_000) {
        precondition(first > 0 && limit >= first)
        self.first = first
        self.limit = limit
    }

    /// The pause after one more failure, in nanoseconds.
    /// - Parameters:
    ///   - jitter: evenly distributed in 0..<1.
    ///   - retryAfter: what the node asked for, in nanoseconds.
    package mutating func pause(jitter: Double, retryAfter: Int64? = nil) -> Int64 {
        let doublings = min(failures, 30)
        failures += 1
        let (product, overflow) = first.multipliedReportingOverflow(by: 1 << Int64(doublings))
        let whole = overflow ? limit : min(product, limit)
        let own = whole / 2 + Int64(Double(whole / 2) * max(0, min(jitter, 1)))
        return max(own, min(retryAfter ?? 0, limit * 6))
    }

    package mutating func succeeded() { failures = 0 }
}
