// Every statement of InfluxQL 1.x by name, and what running it does to data.

package enum StatementKind: String, CaseIterable, Sendable {
    case select
    /// A SELECT whose own INTO clause names a target. An INTO inside a subquery is parsed and ignored by InfluxDB [1.6.7].
    case selectInto
    /// Also of a SELECT with INTO: InfluxDB explains such a statement and writes nothing [1.6.7].
    case explain
    /// Runs the SELECT, and writes nothing even if it has an INTO [1.6.7].
    case explainAnalyze
    case showContinuousQueries, showDatabases, showDiagnostics, showFieldKeys, showFieldKeyCardinality
    case showGrants, showMeasurements, showMeasurementCardinality, showQueries, showRetentionPolicies
    case showSeries, showSeriesCardinality, showShardGroups, showShards, showStats, showSubscriptions
    case showTagKeys, showTagKeyCardinality, showTagValues, showTagValuesCardinality, showUsers
    case createContinuousQuery, createDatabase, createRetentionPolicy, createSubscription, createUser
    case alterRetentionPolicy
    case dropContinuousQuery, dropDatabase, dropMeasurement, dropRetentionPolicy, dropSeries, dropShard
    case dropSubscription, dropUser
    case delete
    case grant, grantAdmin, revoke, revokeAdmin, setPassword
    case killQuery

    package enum Effect: Sendable {
        /// Answered by any one in-sync node.
        case read
        /// Changes data or schema: a record in the log, applied by every node in order.
        case mutation
        /// Changes something of one node, named by an id that means nothing on another.
        case perNode
    }

    package var effect: Effect {
        switch self {
        case .select, .explain, .explainAnalyze, .showContinuousQueries, .showDatabases, .showDiagnostics,
            .showFieldKeys,
            .showFieldKeyCardinality, .showGrants, .showMeasurements, .showMeasurementCardinality, .showQueries,
            .showRetentionPolicies, .showSeries, .showSeriesCardinality, .showShardGroups, .showShards, .showStats,
            .showSubscriptions, .showTagKeys, .showTagKeyCardinality, .showTagValues, .showTagValuesCardinality,
            .showUsers:
            .read
        case .selectInto, .createContinuousQuery, .createDatabase, .createRetentionPolicy, .createSubscription,
            .createUser, .alterRetentionPolicy, .dropContinuousQuery, .dropDatabase, .dropMeasurement,
            .dropRetentionPolicy, .dropSeries, .dropSubscription, .dropUser, .delete, .grant, .grantAdmin, .revoke,
            .revokeAdmin, .setPassword:
            .mutation
        case .dropShard, .killQuery:
            .perNode
        }
    }

    /// Whether the answer speaks of one node only, although the statement is a read: ids, counters, running queries.
    package var describesOneNode: Bool {
        switch self {
        case .showDiagnostics, .showQueries, .showShards, .showShardGroups, .showStats: true
        default: false
        }
    }
}
