// The fence that InfluxDB lacks: a request whose end is not known may take effect later, on top of newer ones (DESIGN:
// "InfluxDB has no fence"; reference 9, M1 to M5). Nothing is sent again before the node's own counters have shown
// several times in a row that nothing is under way any more. A value without I/O or clock.
//
//   doubt --> sample, sample, ... --> settled
//               |  busy: the row begins anew
//               |  too early: the network may still hold a request; once more when it cannot
//               |  another process answers: whatever the old one had under way is over
//               +-- cannot be read: wait longer, and say so

/// What a node's counters show at one moment.
package struct FenceCounts: Equatable, Sendable {
    /// Tells one run of the node's program from the next; empty when it is not known.
    package var process: String
    /// Writes that reached a shard and are neither done nor failed there: of one database, or of all.
    package var unfinishedWrites: Int
    /// Write requests in the node's hands.
    package var activeWrites: Int
    /// Statements under way that change data or schema.
    package var runningMutations: Int

    package init(process: String, unfinishedWrites: Int, activeWrites: Int, runningMutations: Int) {
        self.process = process
        self.unfinishedWrites = unfinishedWrites
        self.activeWrites = activeWrites
        self.runningMutations = runningMutations
    }
}

package struct Settling: Equatable, Sendable {
    /// What may still take effect.
    package enum Doubt: Equatable, Sendable {
        /// A write that the node answered while shards of this database may still be at work on it (500, or a 400
        /// that one of several shards gave). The node is busy with nothing but that; other databases do not matter.
        case answered(database: String)
        /// A request that the node may not even have read: its connection was lost, or the process that sent it.
        case unanswered
    }

    package enum Outcome: Equatable, Sendable {
        case settled
        /// Ask again after this many nanoseconds.
        case again(after: Int64)
    }

    package let doubt: Doubt
    /// The node's process at the time of the request; empty when not known.
    package let process: String
    /// Before this time, in monotonic nanoseconds, what was sent may not have arrived yet.
    private let arrival: Int64
    private var clean = 0
    /// How often in a row nothing was at work but what the counters never took back, the same each time.
    private var unmoved = 0
    private var lastUnfinished = 0
    /// How often the counters could not be read in a row.
    package private(set) var unreadable = 0

    /// How many samples in a row must be clean, and how far they are apart (measured: none of 60 wrong).
    package static let samplesNeeded = 3
    package static let interval: Int64 = 20_000_000
    /// How long the network may hold what was sent on a connection that is lost, in nanoseconds: a slow link becomes fast,
    /// and a new connection overtakes what is on its way.
    package static let longestTransit: Int64 = 500_000_000
    /// About half a minute.
    private static let samplesUntilForgotten = 1500
    private static let longestInterval: Int64 = 1_000_000_000

    /// - Parameter lostAt: when the connection was lost, or this process began; monotonic nanoseconds.
    package init(_ doubt: Doubt, process: String, lostAt: Int64 = -longestTransit) {
        self.doubt = doubt
        self.process = process
        arrival = lostAt + Self.longestTransit
    }

    /// The database whose shards are looked at; nil: all.
    package var database: String? {
        if case .answered(let database) = doubt { database } else { nil }
    }

    /// - Parameter now: when the sample was asked for; monotonic nanoseconds.
    package mutating func sampled(_ counts: FenceCounts, now: Int64 = 0) -> Outcome {
        unreadable = 0
        if !process.isEmpty, !counts.process.isEmpty, counts.process != process { return .settled }
        // What else is under way does not matter for a write that was answered, so it may go on all the time.
        let isElseBusy = doubt == .unanswered && (counts.activeWrites > 0 || counts.runningMutations > 0)
        let isBusy = counts.unfinishedWrites > 0 || isElseBusy
        clean = isBusy ? 0 : clean + 1
        // InfluxDB forgets to count some failed writes as ended (1.6.7, concurrent conflicts of types).
        let isLeft = !isElseBusy && counts.unfinishedWrites == lastUnfinished
        unmoved = isBusy && isLeft ? unmoved + 1 : 0
        lastUnfinished = counts.unfinishedWrites
        if unmoved >= Self.samplesUntilForgotten { return .settled }
        guard clean >= Self.samplesNeeded else { return .again(after: Self.interval) }
        return now >= arrival ? .settled : .again(after: arrival - now)
    }

    /// The counters could not be read: nothing is known, so the row begins anew.
    package mutating func couldNotSample() -> Outcome {
        clean = 0
        unmoved = 0
        unreadable += 1
        return .again(after: min(Self.longestInterval, Self.interval << Int64(min(unreadable, 6))))
    }
}
