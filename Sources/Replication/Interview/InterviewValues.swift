// What an interview gives: plain values, so that what is decided on them needs no node.

import Cluster

/// Why a node did not give an answer, for people.
package struct InterviewFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Equatable, Sendable {
        /// Not there, or no complete answer in time.
        case unreachable
        /// 401 or 403: the credential is at fault.
        case unauthorized
        /// Something else than an InfluxDB 1.x answers.
        case notInfluxDB
        /// The node said no, in its own words.
        case refused
        /// The answer is not what such a node says, is cut by the node's limits, or is larger than is read.
        case unusable
    }

    package let kind: Kind
    package let reason: String
    /// The node had trouble of its own with the question: it may answer the next time.
    package let mayPass: Bool

    package init(_ kind: Kind, reason: String, mayPass: Bool = false) {
        self.kind = kind
        self.reason = reason
        self.mayPass = mayPass
    }

    package var description: String { reason }

    /// The node could not open a shard when it started, and says so of every write to it.
    var saysShardIsDamaged: Bool { OpenShards.unopened(in: reason) != nil }

    /// The node says that there is no such database or retention policy.
    var saysNotFound: Bool {
        kind == .refused
            && (reason.mentions("database not found") || reason.mentions("retention policy not found"))
    }
}

/// One series of a query's answer.
package struct QuerySeries: Equatable, Sendable {
    package var name: String
    package var tags: [String: String]
    package var columns: [String]
    package var values: [[JSONValue]]

    package init(name: String = "", tags: [String: String] = [:], columns: [String], values: [[JSONValue]]) {
        self.name = name
        self.tags = tags
        self.columns = columns
        self.values = values
    }

    /// The values of one column, top to bottom; nil when there is no such column. Short rows give `null`.
    package func column(_ name: String) -> [JSONValue]? {
        guard let index = columns.firstIndex(of: name) else { return nil }
        return values.map { index < $0.count ? $0[index] : .null }
    }

    /// The value of one column in the first row.
    package func first(_ column: String) -> JSONValue? { self.column(column)?.first }
}

/// What the node shows of itself; nil where it does not.
package struct NodeFacts: Equatable, Sendable {
    package struct ContinuousQuery: Hashable, Sendable {
        package var database: String
        package var name: String
        package var statement: String

        package init(database: String, name: String, statement: String) {
            self.database = database
            self.name = name
            self.statement = statement
        }
    }

    package var process: ProcessIdentity?
    /// As it names itself: `X-Influxdb-Version`.
    package var version = ""
    /// The node's clock minus ours in nanoseconds, half the round trip taken off; right to within half of `roundTrip`.
    package var clockOffset: Int64?
    package var roundTrip: Int64 = 0
    /// `wal-fsync-delay` in nanoseconds: what a power loss may take back.
    package var walFsyncDelay: Int64?
    /// Whether the node runs its continuous queries itself.
    package var runsContinuousQueries: Bool?
    package var continuousQueries: [ContinuousQuery] = []
    package var subscriptions: [OwnWork.Item] = []
    /// `inmem` or `tsi1`; of shards with different ones, both, joined by `+`. InfluxDB 1.6 hardly shows it.
    package var indexVersion: String?

    package init() {}

    /// All in nanoseconds; at the ends of what can be counted, because a clock may show any year.
    ///
    /// - Parameters:
    ///   - shown: the node's clock.
    ///   - wall: our clock when it was asked for.
    ///   - roundTrip: how long the answer took.
    package static func clockOffset(of shown: Int64, askedAt wall: Int64, roundTrip: Int64) -> Int64 {
        let (offset, overflow) = shown.subtractingReportingOverflow(wall + roundTrip / 2)
        return overflow ? (shown < 0 ? .min : .max) : offset
    }

    /// What the node runs by itself.
    package var ownWork: [OwnWork.Item] {
        continuousQueries.map { OwnWork.Item(.continuousQuery, database: $0.database, name: $0.name) } + subscriptions
    }

    /// By how much the clocks differ in any case, in nanoseconds: what the round trip leaves open counts for the node.
    package var certainSkew: Int64? {
        clockOffset.map { max(0, Int64(clamping: $0.magnitude) - roundTrip / 2) }
    }
}

/// What is under way inside a node at one moment.
package struct FenceSample: Equatable, Sendable {
    package var process: ProcessIdentity
    /// Writes that shards of the database have begun and not ended. Writes that the node forgot to count as ended
    /// (InfluxDB does that, see `NodeInterview.fence`) are taken off once it is certain that none is at work.
    package var unfinishedWrites: Int
    /// `POST /write` requests of anybody, to any database.
    package var activeWrites: Int
    /// As the node prints them; without `SHOW QUERIES`.
    package var runningStatements: [String]

    package init(
        process: ProcessIdentity, unfinishedWrites: Int, activeWrites: Int, runningStatements: [String]
    ) {
        self.process = process
        self.unfinishedWrites = unfinishedWrites
        self.activeWrites = activeWrites
        self.runningStatements = runningStatements
    }

    /// The running statements that may change something. The node prints statements from their syntax tree, so their
    /// first word and `INTO` are always upper case.
    package var runningMutations: [String] {
        runningStatements.filter { statement in
            if statement.hasPrefix("SHOW ") { return false }
            if statement.hasPrefix("SELECT ") || statement.hasPrefix("EXPLAIN ") { return statement.contains(" INTO ") }
            return true
        }
    }
}

package enum FenceReading: Equatable, Sendable {
    case sample(FenceSample)
    /// It cannot be known what is under way.
    case unavailable(reason: String)
}
