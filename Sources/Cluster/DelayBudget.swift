// How long a node may make acknowledgements wait beyond the fastest one (DESIGN: "Delay budget"; A12). A plain time-out
// cannot tell a node that stalls once from one that is always nearly too slow; a budget per minute can.

import CommitLog

/// The waiting that one node has caused within the last `refill`, bounded by `capacity`.
///
/// Within any `refill` no more than `capacity` is charged, one charge more at most. Once spent it stays spent until it
/// is full again: `refill` after the last charge.
package struct DelayBudget: Sendable {
    private struct Slice {
        let start: Int64
        var charged: Int64
    }

    package let capacity: Int64
    package let refill: Int64
    package private(set) var isSpent = false
    /// The charges that still count, in slices of a sixtieth of `refill`, so that memory is bounded.
    private var slices = Fifo<Slice>()
    private var charged: Int64 = 0

    /// Durations in nanoseconds.
    package init(capacity: Int64, refill: Int64) {
        precondition(capacity > 0 && refill >= 60, "a delay budget has room and refills")
        self.capacity = capacity
        self.refill = refill
    }

    /// 1: full, 0: spent.
    package var left: Double {
        isSpent ? 0 : max(0, 1 - Double(charged) / Double(capacity))
    }

    /// Gives back what was charged more than `refill` ago.
    package mutating func advance(to now: Int64) {
        let width = refill / 60
        while let oldest = slices.first, oldest.start + width + refill <= now {
            charged -= oldest.charged
            _ = slices.popFirst()
        }
        if slices.isEmpty { isSpent = false }
    }

    /// True: nothing is left now, or was before.
    package mutating func charge(_ waited: Int64, at now: Int64) -> Bool {
        guard waited > 0 else { return false }
        if let newest = slices.last, now - newest.start < refill / 60 {
            slices[slices.count - 1].charged += waited
        } else {
            slices.append(Slice(start: now, charged: waited))
        }
        charged += waited
        if charged >= capacity { isSpent = true }
        return isSpent
    }
}

/// The budgets of all nodes, and the comparison that charges them.
///
/// A node is slow while it lacks a record that another node in the ack set applied more than the grace ago. The grace is
/// a setting, or as long as the other node itself took for that record, if that is longer (up to twice the capacity):
/// nodes that are equally slow take turns in being ahead, and none of them is to blame. Once the grace is exceeded the
/// whole wait is charged, the grace included.
package struct DelayBudgets: Sendable {
    package struct Settings: Sendable {
        /// Waiting that a node may cause within `refill`; nanoseconds.
        package var capacity: Int64 = 2_000_000_000
        /// Nanoseconds from empty to full.
        package var refill: Int64 = 60_000_000_000
        /// Being behind by less is not charged; nanoseconds.
        package var grace: Int64 = 100_000_000

        package init() {}
    }

    /// A node at one tick.
    package struct Standing: Sendable {
        package let cursor: Offset
        package let isInAckSet: Bool

        package init(cursor: Offset, isInAckSet: Bool) {
            self.cursor = cursor
            self.isInAckSet = isInAckSet
        }
    }

    private struct Account {
        var budget: DelayBudget
        /// Where the node stood, while it was in the ack set.
        var applied = DurableHistory(reach: reach)
        /// Since when acknowledgements wait for it; nil: they do not.
        var inAckSetSince: Int64?
        /// Waiting before this is charged already.
        var chargedUntil: Int64 = 0
        var chargedInAll: Int64 = 0
    }

    /// How far back nodes are compared; more than any grace.
    private static let reach: Int64 = 10_000_000_000

    private let settings: Settings
    /// By node: whom it is compared with.
    private let peers: [NodeSet]
    private var accounts: [Account]
    private var durable = DurableHistory(reach: reach)
    private var lastTick: Int64?
    /// The time that ticks have seen. It stands still while the process does, so that nobody is charged for our sleep.
    private var elapsed: Int64 = 0

    /// - Parameter peers: by node, those with which it shares a replica set; nil: all.
    package init(nodes: Int, peers: [NodeSet]? = nil, settings: Settings = Settings()) {
        self.settings = settings
        self.peers = peers ?? Array(repeating: .everybody, count: nodes)
        accounts = Array(
            repeating: Account(budget: DelayBudget(capacity: settings.capacity, refill: settings.refill)), count: nodes)
    }

    /// 1: full, 0: spent.
    package func left(_ node: NodeIndex) -> Double { accounts[Int(node.value)].budget.left }

    /// It may not make anybody wait before its budget is full again.
    package func isSpent(_ node: NodeIndex) -> Bool { accounts[Int(node.value)].budget.isSpent }

    /// Nanoseconds that the node made acknowledgements wait beyond the fastest, since the start.
    package func chargedInAll(_ node: NodeIndex) -> Int64 { accounts[Int(node.value)].chargedInAll }

    /// Time passes; call it every 50 ms or so. `now` is monotonic, in nanoseconds; `standings` has one entry per node.
    ///
    /// Returns the nodes that were charged and have nothing left. Among nodes with equal cursors, and with one node alone,
    /// nobody is charged; so the node that is furthest is never among them.
    package mutating func tick(now: Int64, durableEnd: Offset, standings: [Standing]) -> [NodeIndex] {
        precondition(standings.count == accounts.count, "one standing per node")
        elapsed += max(0, min(now - (lastTick ?? now), settings.capacity / 4))
        lastTick = now
        durable.note(durableEnd, at: elapsed)
        for index in accounts.indices {
            accounts[index].budget.advance(to: elapsed)
            note(standings[index], of: index)
        }
        var spent: [NodeIndex] = []
        for index in accounts.indices {
            guard let waited = waiting(for: index, standings) else { continue }
            let owed = elapsed - max(accounts[index].chargedUntil, elapsed - waited)
            accounts[index].chargedUntil = elapsed
            accounts[index].chargedInAll += owed
            if accounts[index].budget.charge(owed, at: elapsed) { spent.append(NodeIndex(index)) }
        }
        return spent
    }

    private mutating func note(_ standing: Standing, of index: Int) {
        guard standing.isInAckSet else {
            accounts[index].inAckSetSince = nil
            return
        }
        if accounts[index].inAckSetSince == nil {
            accounts[index].inAckSetSince = elapsed
            accounts[index].applied = DurableHistory(reach: Self.reach)
        }
        accounts[index].applied.note(standing.cursor, at: elapsed)
    }

    /// How long ago another node applied what this one lacks; nil: it keeps up.
    private func waiting(for index: Int, _ standings: [Standing]) -> Int64? {
        guard let since = accounts[index].inAckSetSince else { return nil }
        let cursor = standings[index].cursor
        let sinceDurable = durable.age(ofBacklogFrom: cursor, at: elapsed)
        var longest: Int64?
        for other in accounts.indices where other != index && peers[index].contains(NodeIndex(other)) {
            guard let otherSince = accounts[other].inAckSetSince else { continue }
            // What was applied before both were waited for made nobody wait.
            let compared = elapsed - max(since, otherSince)
            let lag = min(accounts[other].applied.age(ofBacklogFrom: cursor, at: elapsed), compared)
            let own = sinceDurable == .max ? 0 : min(max(0, sinceDurable - lag), 2 * settings.capacity)
            if lag > max(settings.grace, own) { longest = max(longest ?? 0, lag) }
        }
        return longest
    }
}
