// Which shards the node has open: looked at now and then, because a shard that it could not open any more after its next
// start is noticed only by who knows that it was there; and asked for when writes are refused without end.

import Cluster
import CommitLog
import InfluxQL
import LineProtocol
import NIOCore

/// When to look next; times in nanoseconds.
struct ShardLooks {
    private var next: Int64 = 0
    private var interval: Int64 = 0
    /// An answer is outstanding.
    var isLooking = false
    /// How many statements that drop shards were sent: what was seen before one says nothing.
    var drops = 0

    private static let first: Int64 = 1_000_000_000

    mutating func isDue(now: Int64, longest: Int64) -> Bool {
        guard now >= next, !isLooking else { return false }
        interval = min(max(2 * interval, Self.first), longest)
        next = now &+ interval
        return true
    }

    /// Shards will be made.
    mutating func hurry() {
        next = 0
        interval = 0
    }
}

extension NodeReplicator {
    func lookAtShards() {
        guard !isStopped, !isPaused, case .open = gate, let attachment, let process = attachment.process,
            !flights.values.contains(where: \.isDrop),
            shardLooks.isDue(now: eventLoop.monotonicNanoseconds, longest: settings.shardLookInterval.nanoseconds)
        else { return }
        shardLooks.isLooking = true
        let (generation, cursor, drops) = (generation, lanes.cursor, shardLooks.drops)
        questions.openShards().assumeIsolated().whenComplete { [self] result in
            guard !isStopped, generation == self.generation else { return }
            shardLooks.isLooking = false
            if case .success(let (seen, open)) = result, seen == process, drops == shardLooks.drops {
                delegate.sawShards(node, open, at: cursor, attachment: attachment.number)
            }
            // It says how far the node has come: not before it is known what it has.
            writeMarker()
        }
    }

    // MARK: Statements

    /// What a statement does to the node's shards.
    enum ShardEffect {
        case none
        /// Soon there will be new ones.
        case makes
        /// Those of a database, or one of its policies; nil: of any.
        case drops(database: String?, policy: String?)

        init(_ mutation: MutationRecord) {
            guard let statement = mutation.parsed else {
                self = .drops(database: nil, policy: nil)
                return
            }
            switch statement.kind {
            case .createDatabase, .createRetentionPolicy: self = .makes
            case .dropDatabase: self = .drops(database: statement.subject?.literal, policy: nil)
            case .dropRetentionPolicy:
                self = .drops(database: statement.database?.literal, policy: statement.subject?.literal)
            case .dropShard: self = .drops(database: nil, policy: nil)
            default: self = .none
            }
        }
    }

    // MARK: Writes

    /// Asks whether a shard that could not be opened is the reason, once the write was refused often enough.
    /// - Returns: whether it is being asked: nothing is decided on the write meanwhile.
    func askForShards(_ id: Int, words: String, database: String) -> Bool {
        guard var batch = stubborn[database], let flight = flights[id],
            case .points(_, let key)? = flight.batch.items.first?.work, !NodeAnswer.isShortage(words)
        else { return false }
        if batch.isAsking { return true }
        let now = eventLoop.monotonicNanoseconds
        let patience = settings.stubbornTime.nanoseconds
        guard batch.failures >= settings.stubbornFailures, now - (batch.askedAt ?? batch.since) >= patience else {
            return false
        }
        (batch.isAsking, batch.askedAt) = (true, now)
        stubborn[database] = batch
        let lines = flight.lines ?? BatchLines(flight.batch.items.compactMap(\.points))
        let times = Precision(rawValue: key.precision).flatMap {
            lines.times(of: Array(0..<lines.count), precision: $0)
        }
        let write = StubbornWrite(database: database, policy: key.retentionPolicy, times: times, words: words)
        let generation = generation
        questions.shards().assumeIsolated().whenComplete { [self] result in
            guard !isStopped, generation == self.generation else { return }
            stubborn[database]?.isAsking = false
            if case .success(let seen?) = result { delegate.refusesForLong(node, write, seen) }
        }
        return true
    }
}
