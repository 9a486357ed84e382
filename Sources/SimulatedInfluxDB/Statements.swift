// The statements that the model knows: what a gateway sends to its nodes, and what the clients of a simulation use.

enum Statement: Sendable {
    case select(SelectStatement)
    case showDatabases
    case showPolicies(Text)
    case showMeasurements(database: Text, limit: Int?, offset: Int)
    case showFieldKeys(ShowSource)
    case showTagKeys(ShowSource)
    case showTagValues(ShowSource, keys: [Text])
    case showSeries(ShowSource)
    case showUsers
    case showGrants(Text)
    case showContinuousQueries
    case showSubscriptions
    case showShards
    case showShardGroups
    case showStats(String)
    case showDiagnostics
    case showQueries
    case createDatabase(Text, PolicyOptions?)
    case dropDatabase(Text)
    case createPolicy(Text, database: Text, PolicyOptions)
    case alterPolicy(Text, database: Text, PolicyOptions)
    case dropPolicy(Text, database: Text)
    case dropMeasurement(Text)
    case delete(Deletion)
    case dropSeries(Deletion)
    case createUser(Text, password: Text, isAdmin: Bool)
    case dropUser(Text)
    case setPassword(Text, Text)
    /// `database` nil: to be an administrator. `privilege` nil: revoked.
    case setPrivilege(user: Text, database: Text?, privilege: String?, words: String)
    case createContinuousQuery(Text, database: Text, query: String)
    case dropContinuousQuery(Text, database: Text)
    case createSubscription(Text, database: Text, policy: Text, mode: String, destinations: [Text])
    case dropSubscription(Text, database: Text, policy: Text)
}

struct Source: Sendable {
    var database: Text = ""
    var policy: Text = ""
    var measurement: Text
}

/// Of a SHOW statement; empty: the request's database, all policies, all measurements.
struct ShowSource: Sendable {
    var database: Text = ""
    var policy: Text = ""
    var measurements: [Text] = []
}

struct PolicyOptions: Sendable {
    var name: Text?
    /// Nanoseconds; zero: for ever.
    var duration: Int64?
    var replicas: Int64?
    var shardDuration: Int64?
    var isDefault = false
}

struct Deletion: Sendable {
    /// None: all.
    var measurements: [Text]
    var condition: Condition?
}

struct SelectStatement: Sendable {
    enum Columns: Sendable {
        case all
        case listed([ListedColumn])
        case count(ListedColumn?)
    }

    struct ListedColumn: Sendable {
        var name: Text
        var alias: Text?
        /// `::integer` and the like.
        var type: FieldType?
        var isTagOnly = false
        var isFieldOnly = false
    }

    enum Grouping: Sendable {
        case none
        case all
        case tags([Text])
    }

    var columns: Columns
    var source: Source
    var condition: Condition?
    var grouping = Grouping.none
    /// Nanoseconds.
    var interval: Int64?
    var isDescending = false
    var limit: Int?
    var offset = 0
}

indirect enum Condition: Sendable {
    case both(Condition, Condition)
    case either(Condition, Condition)
    case time(Comparison, Instant)
    case tag(Text, isEqual: Bool, Text)

    enum Comparison: String, Sendable {
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case equal = "="
    }

    /// Nanoseconds since 1970, or from now.
    enum Instant: Sendable {
        case absolute(Int64)
        case now(plus: Int64)

        func moved(by duration: Int64) -> Instant {
            switch self {
            case .absolute(let time): .absolute(time &+ duration)
            case .now(let offset): .now(plus: offset &+ duration)
            }
        }
    }

    var hasTime: Bool {
        switch self {
        case .both(let left, let right), .either(let left, let right): left.hasTime || right.hasTime
        case .time: true
        case .tag: false
        }
    }

    /// The stretch of time that every point lies in.
    func range(now: Int64) -> ClosedRange<Int64> {
        let all = -PointsReader.largestTime...PointsReader.largestTime
        switch self {
        case .both(let left, let right):
            let (left, right) = (left.range(now: now), right.range(now: now))
            let start = max(left.lowerBound, right.lowerBound)
            let end = min(left.upperBound, right.upperBound)
            // Nothing: a range that no point is in.
            return start <= end ? start...end : Int64.max...Int64.max
        case .time(let comparison, let instant):
            let time =
                switch instant {
                case .absolute(let time): time
                case .now(let offset): now &+ offset
                }
            let before = time == .min ? time : time - 1
            switch comparison {
            case .less: return all.lowerBound...max(all.lowerBound, before)
            case .lessOrEqual: return all.lowerBound...max(all.lowerBound, time)
            case .greater: return (time == .max ? time : time + 1)...Int64.max
            case .greaterOrEqual: return time...Int64.max
            case .equal: return time...time
            }
        case .tag, .either: return all
        }
    }

    /// Whether it says anything about the beginning, which an aggregate then shows as its time.
    var hasStart: Bool {
        switch self {
        case .both(let left, let right): left.hasStart || right.hasStart
        case .time(let comparison, _): comparison != .less && comparison != .lessOrEqual
        case .tag, .either: false
        }
    }

    /// Times count as true: `range` looks at them.
    func holds(for series: Series) -> Bool {
        switch self {
        case .both(let left, let right): left.holds(for: series) && right.holds(for: series)
        case .either(let left, let right): left.holds(for: series) || right.holds(for: series)
        case .time: true
        case .tag(let key, let isEqual, let value): (series.tag(key) == value) == isEqual
        }
    }

    /// As the server prints it; parentheses are gone.
    var words: String {
        switch self {
        case .both(let left, let right): "\(left.words) AND \(right.words)"
        case .either(let left, let right): "\(left.words) OR \(right.words)"
        case .time(let comparison, .absolute(let time)): "time \(comparison.rawValue) \(time)"
        case .time(let comparison, .now(let offset)): "time \(comparison.rawValue) now() + \(offset)"
        case .tag(let key, let isEqual, let value): "\(key.identifier) \(isEqual ? "=" : "!=") '\(value)'"
        }
    }

    var tagKeys: [Text] {
        switch self {
        case .both(let left, let right), .either(let left, let right): left.tagKeys + right.tagKeys
        case .time: []
        case .tag(let key, _, _): [key]
        }
    }
}

extension Statement {
    /// Whether a GET gets a warning, and with which words (reference: http 4).
    var deprecatedWords: String? {
        switch self {
        case .createDatabase(let name, let options):
            var words = "CREATE DATABASE " + name.identifier
            if let options { words += " WITH" + options.words(isAlteration: true) }
            if let name = options?.name { words += " NAME " + name.identifier }
            return words
        case .dropDatabase(let name): return "DROP DATABASE " + name.identifier
        case .createPolicy(let name, let database, let options):
            return "CREATE RETENTION POLICY \(name.identifier) ON \(database.identifier)"
                + options.words(isAlteration: false)
        case .alterPolicy(let name, let database, let options):
            return "ALTER RETENTION POLICY \(name.identifier) ON \(database.identifier)"
                + options.words(isAlteration: true)
        case .dropPolicy(let name, let database):
            return "DROP RETENTION POLICY \(name.identifier) ON \(database.identifier)"
        case .dropMeasurement(let name): return "DROP MEASUREMENT " + name.identifier
        case .dropSeries(let deletion):
            let list = deletion.measurements.map(\.identifier).joined(separator: ", ")
            return "DROP SERIES" + (list.isEmpty ? "" : " FROM " + list)
                + (deletion.condition.map { " WHERE " + $0.words } ?? "")
        case .createUser(let name, _, let isAdmin):
            return "CREATE USER \(name.identifier) WITH PASSWORD [REDACTED]" + (isAdmin ? " WITH ALL PRIVILEGES" : "")
        case .dropUser(let name): return "DROP USER " + name.identifier
        case .setPassword(let name, _): return "SET PASSWORD FOR \(name.identifier) = [REDACTED]"
        case .setPrivilege(_, _, _, let words): return words
        case .createContinuousQuery(_, _, let query): return query
        case .dropContinuousQuery(let name, let database):
            return "DROP CONTINUOUS QUERY \(name.identifier) ON \(database.identifier)"
        case .createSubscription(let name, let database, let policy, let mode, let destinations):
            let list = destinations.map { "'\($0)'" }.joined(separator: ", ")
            return "CREATE SUBSCRIPTION \(name.identifier) ON \(database.identifier).\(policy.identifier)"
                + " DESTINATIONS \(mode) \(list)"
        case .dropSubscription(let name, let database, let policy):
            return "DROP SUBSCRIPTION \(name.identifier) ON \(database.identifier).\(policy.identifier)"
        default: return nil
        }
    }
}

extension PolicyOptions {
    fileprivate func words(isAlteration: Bool) -> String {
        var words = ""
        if let duration { words += " DURATION " + GoText.statementDuration(duration) }
        if let replicas { words += " REPLICATION \(replicas)" }
        if let shardDuration, isAlteration || shardDuration > 0 {
            words += " SHARD DURATION " + GoText.statementDuration(shardDuration)
        }
        return words + (isDefault ? " DEFAULT" : "")
    }
}

extension Text {
    /// As InfluxQL prints a name: in quotes where it needs them.
    var identifier: String {
        let isWord =
            !bytes.isEmpty && !Byte.isDigit(bytes[0])
            && bytes.allSatisfy {
                Byte.isDigit($0) || ($0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z"))
                    || $0 == UInt8(ascii: "_")
            }
        return isWord && !StatementParser.keywords.contains(string.uppercased()) ? string : quoted
    }
}
