// Who may send how much: rates as arithmetic, budgets of many users in bounded memory.
import Gateway
import Testing

@Suite("Budgets of requests")
struct RequestBudgetTests {
    private static let second: Int64 = 1_000_000_000

    @Test("over any time no more passes than rate × (time + 1 s), and a wait is as long as it says", arguments: 0..<200)
    func bound(seed: UInt64) {
        var dice = SplitMix(state: seed)
        let rate = [1, 3, 10, 1000, 25_000_000][Int(dice.next() % 5)]
        var limit = RateLimit(perSecond: rate)
        var now = Int64(dice.next() % 1_000_000_000_000)
        var passed: [(at: Int64, amount: Int)] = []
        for _ in 0..<300 {
            now += Int64(dice.next() % UInt64(2 * Self.second / Int64(min(rate, 100))))
            let amount = 1 + Int(dice.next() % UInt64(max(1, rate / 2)))
            let wait = limit.wait(for: amount, now: now)
            if wait > 0 {
                #expect(limit.wait(for: amount, now: now + wait) == 0)
                #expect(limit.wait(for: amount, now: now + wait - 1) > 0)
                continue
            }
            limit.charge(amount, now: now)
            passed.append((now, amount))
        }
        for (index, first) in passed.enumerated() {
            var sum = 0
            for last in passed[index...] {
                sum += last.amount
                let time = Double(last.at - first.at) / 1e9
                #expect(Double(sum) <= Double(rate) * (time + 1) + 1, "\(sum) in \(time) s at \(rate)")
            }
        }
    }

    @Test("who stays below the rate never waits", arguments: [1, 7, 1000])
    func below(rate: Int) {
        var limit = RateLimit(perSecond: rate)
        for number in 0..<(3 * Int64(rate)) {
            let now = (number * Self.second + Int64(rate) - 1) / Int64(rate)
            #expect(limit.wait(for: 1, now: now) == 0)
            limit.charge(1, now: now)
        }
    }

    @Test("amounts and times of any size do not overflow; a clock that goes back does no harm")
    func extremes() {
        var limit = RateLimit(perSecond: 1)
        for amount in [Int.max, Int.max, 1] {
            limit.charge(amount, now: 5)
            #expect(limit.wait(for: Int.max, now: 5) > 0)
        }
        var other = RateLimit(perSecond: 10)
        other.charge(1, now: 100 * Self.second)
        #expect(other.wait(for: 1, now: 99 * Self.second) > 0)
        #expect(other.wait(for: 1, now: 100 * Self.second) == 0)
    }

    private func limits(_ requests: Int = 0, rate: Int = 0, bytes: Int = 0) -> RequestBudgets.Limits {
        var limits = RequestBudgets.Limits()
        limits.requests = requests
        limits.requestRate = rate
        limits.bytesRate = bytes
        return limits
    }

    @Test("requests under way are counted for each user, and end")
    func active() {
        var budgets = RequestBudgets(limits(2))
        let (ann, bob) = (RequestUser.name("ann"), RequestUser.name("bob"))
        #expect(budgets.begin(ann, now: 0) == nil && budgets.begin(ann, now: 0) == nil)
        #expect(budgets.begin(ann, now: 0) == .requests)
        #expect(budgets.begin(bob, now: 0) == nil)
        budgets.end(ann)
        #expect(budgets.begin(ann, now: 0) == nil)
        for _ in 0..<2 { budgets.end(ann) }
        budgets.end(bob)
        #expect(budgets.count == 0)
    }

    @Test("one user's rate is no other's; a name is not the address of the same text")
    func rates() {
        var budgets = RequestBudgets(limits(rate: 2))
        let users: [RequestUser] = [.name("a"), .name("b"), .address(high: 0, low: 1), .local]
        for user in users {
            #expect(budgets.begin(user, now: 0) == nil && budgets.begin(user, now: 0) == nil)
            #expect(budgets.begin(user, now: 0) == .requestRate(wait: Self.second / 2))
        }
        #expect(budgets.begin(users[0], now: Self.second / 2) == nil)
    }

    @Test("bytes are charged as they come: a body that began is not cut, who owes waits")
    func bytes() {
        var budgets = RequestBudgets(limits(bytes: 1000))
        let user = RequestUser.name("a")
        #expect(budgets.begin(user, now: 0) == nil)
        budgets.charge(3500, to: user, now: 0)
        #expect(budgets.begin(user, now: 0) == .bytesRate(wait: 5 * Self.second / 2))
        #expect(budgets.begin(user, now: 5 * Self.second / 2) == nil)
    }

    @Test("I8 a flood of users takes bounded memory, and does not end what is under way")
    func flood() {
        var budgets = RequestBudgets(limits(1, rate: 1), capacity: 100)
        #expect(budgets.begin(.name("a"), now: 0) == nil)
        for number in 0..<10_000 {
            let user = RequestUser.address(high: UInt64(number), low: 0)
            #expect(budgets.begin(user, now: 0) == nil)
            budgets.end(user)
        }
        #expect(budgets.count <= 101)
        #expect(budgets.begin(.name("a"), now: 0) == .requests)
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}
