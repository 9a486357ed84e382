// What each user may have under way and send, in bounded memory. A value without a clock.

/// Whose budget a request is charged to.
package enum RequestUser: Hashable, Sendable {
    /// A user whose credential was good.
    case name(String)
    /// A client that did not show one: an IPv4 address, or the network of an IPv6 address (its first 64 bits).
    case address(high: UInt64, low: UInt64)
    /// A client on this machine without an address.
    case local
}

package struct RequestBudgets: Sendable {
    /// 0: no limit.
    package struct Limits: Equatable, Sendable {
        /// Under way at the same time.
        package var requests = 0
        /// Per second.
        package var requestRate = 0
        /// Of bodies as they are sent, per second.
        package var bytesRate = 0

        package init() {}

        package var isOff: Bool { self == Limits() }
    }

    package enum Refusal: Equatable, Sendable {
        case requests
        /// Nanoseconds until it may come again.
        case requestRate(wait: Int64)
        case bytesRate(wait: Int64)
    }

    private struct Rates: Sendable {
        var requests: RateLimit?
        var bytes: RateLimit?
    }

    private let limits: Limits
    private var rates: RecentMap<RequestUser, Rates>
    /// Those with requests under way only: as many as there are requests at most.
    private var active: [RequestUser: Int] = [:]

    /// - Parameter capacity: of how many users the rates are remembered. Whoever is forgotten begins with a full budget.
    package init(_ limits: Limits, capacity: Int = 10_000) {
        self.limits = limits
        rates = RecentMap(capacity: capacity)
    }

    /// A request wants to begin; nil: it may, and `end` follows.
    package mutating func begin(_ user: RequestUser, now: Int64) -> Refusal? {
        if limits.requests > 0, active[user, default: 0] >= limits.requests { return .requests }
        if limits.requestRate > 0 || limits.bytesRate > 0 {
            var own = rates[user] ?? fresh
            // Bodies are charged as they come: who owes more than a second's worth waits.
            if let wait = own.bytes?.wait(for: 0, now: now), wait > 0 { return .bytesRate(wait: wait) }
            if let wait = own.requests?.wait(for: 1, now: now), wait > 0 { return .requestRate(wait: wait) }
            own.requests?.charge(1, now: now)
            rates[user] = own
        }
        active[user, default: 0] += 1
        return nil
    }

    package mutating func charge(_ bytes: Int, to user: RequestUser, now: Int64) {
        guard limits.bytesRate > 0 else { return }
        var own = rates[user] ?? fresh
        own.bytes?.charge(bytes, now: now)
        rates[user] = own
    }

    package mutating func end(_ user: RequestUser) {
        guard let count = active[user] else { return }
        active[user] = count > 1 ? count - 1 : nil
    }

    private var fresh: Rates {
        Rates(
            requests: limits.requestRate > 0 ? RateLimit(perSecond: limits.requestRate) : nil,
            bytes: limits.bytesRate > 0 ? RateLimit(perSecond: limits.bytesRate) : nil)
    }

    /// Users in memory.
    package var count: Int { max(rates.count, active.count) }
}
