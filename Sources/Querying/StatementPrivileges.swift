// What a user must be allowed to for each statement, as InfluxDB asks it before anything of a request runs. The table
// was found by experiment on 1.6.7: every statement as four users with different grants.

import InfluxQL

package enum Privilege: Hashable, Sendable {
    case admin
    /// On a database; an empty name: the request names none, and only an administrator passes.
    case read(String)
    case write(String)

    /// As InfluxDB ends its 403.
    package var words: String {
        switch self {
        case .admin: "requires admin privilege"
        case .read(let database): "requires READ on \(database)"
        case .write(let database): "requires WRITE on \(database)"
        }
    }
}

extension Statement {
    /// In the order in which InfluxDB asks for them.
    /// - Parameter request: what the request says beside the statement.
    package func privileges(_ request: StatementContext) -> [Privilege] {
        func read(_ name: Name?) -> Privilege { .read(request.name(name)) }
        func write(_ name: Name?) -> Privilege { .write(request.name(name)) }
        switch kind {
        case .createDatabase, .dropDatabase, .createRetentionPolicy, .alterRetentionPolicy, .createSubscription,
            .dropSubscription, .createUser, .dropUser, .grant, .grantAdmin, .revoke, .revokeAdmin, .setPassword,
            .dropMeasurement, .dropShard, .killQuery, .showDiagnostics, .showGrants, .showShards, .showShardGroups,
            .showStats, .showSubscriptions, .showUsers:
            return [.admin]
        case .delete, .dropSeries:
            return [write(nil)]
        case .dropRetentionPolicy, .dropContinuousQuery:
            return [write(database)]
        case .createContinuousQuery:
            // The sources are not asked about, and the target only where it names a database.
            return [read(database)] + (target?.database.map { [write($0)] } ?? [])
        case .select, .selectInto, .explain, .explainAnalyze:
            return sources.map { read($0.database) } + (target.map { [write($0.database)] } ?? [])
        case .showDatabases:
            return []
        case .showContinuousQueries, .showQueries:
            return [read(nil)]
        case .showFieldKeys, .showFieldKeyCardinality, .showMeasurements, .showMeasurementCardinality,
            .showRetentionPolicies, .showSeries, .showSeriesCardinality, .showTagKeys, .showTagKeyCardinality,
            .showTagValues, .showTagValuesCardinality:
            return [read(database)]
        }
    }

    /// The databases that the statement reads or changes, those of the request included.
    package func databases(_ request: StatementContext) -> [String] {
        switch kind {
        case .select, .selectInto, .explain, .explainAnalyze:
            return sources.map { request.name($0.database) } + (target.map { [request.name($0.database)] } ?? [])
        case .createContinuousQuery:
            // What names no database means that of the request, if it has one, and the query's own otherwise.
            let isUnqualified = (sources.map(\.database) + [target?.database]).contains(nil)
            return namedDatabases.map { request.name($0) } + (isUnqualified ? [request.name(nil)] : [])
        case .delete, .dropSeries, .dropMeasurement:
            return [request.name(nil)] + namedDatabases.map { request.name($0) }
        case .showFieldKeys, .showFieldKeyCardinality, .showMeasurements, .showMeasurementCardinality,
            .showRetentionPolicies, .showSeries, .showSeriesCardinality, .showTagKeys, .showTagKeyCardinality,
            .showTagValues, .showTagValuesCardinality:
            return [request.name(database)] + sources.compactMap(\.database).map { request.name($0) }
        default:
            return namedDatabases.map { request.name($0) }
        }
    }
}

/// What a request says beside its statements.
package struct StatementContext: Equatable, Sendable {
    /// The `db` parameter; empty when there is none.
    package let database: String
    /// It names one node, which is to answer alone.
    package let isForNode: Bool

    package init(database: String = "", isForNode: Bool = false) {
        self.database = database
        self.isForNode = isForNode
    }

    /// What a name in a statement means; nothing stands for the request's own. A parameter without a value, which no
    /// statement of a plan has, is empty.
    func name(_ name: Name?) -> String { name.map { $0.literal ?? "" } ?? database }
}
