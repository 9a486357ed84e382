// Every statement of InfluxQL with its options.

/// What a statement says. Lists that are empty stand for clauses that are not there.
package indirect enum StatementBody: Hashable, Sendable {
    /// With and without INTO.
    case select(SelectStatement)
    case explain(SelectStatement, analyze: Bool, verbose: Bool)

    case showContinuousQueries
    case showDatabases
    /// `FOR 'module'`
    case showDiagnostics(module: Name?)
    case showFieldKeys(ShowClauses)
    case showFieldKeyCardinality(exact: Bool, ShowClauses)
    case showGrants(user: Name)
    case showMeasurements(MeasurementScope?, MeasurementReference?, ShowClauses)
    case showMeasurementCardinality(exact: Bool, ShowClauses)
    case showQueries
    case showRetentionPolicies(database: Name?)
    case showSeries(ShowClauses)
    case showSeriesCardinality(exact: Bool, ShowClauses)
    case showShardGroups
    case showShards
    case showStats(module: Name?)
    case showSubscriptions
    case showTagKeys(ShowClauses)
    case showTagKeyCardinality(exact: Bool, ShowClauses)
    case showTagValues(ShowClauses)
    case showTagValuesCardinality(exact: Bool, ShowClauses)
    case showUsers

    case createContinuousQuery(ContinuousQuery)
    /// The options are nil without a WITH clause.
    case createDatabase(Name, RetentionOptions?)
    case createRetentionPolicy(Name, database: Name, RetentionOptions)
    case createSubscription(SubscriptionName, SubscriptionMode, destinations: [Name])
    case createUser(Name, password: Name, isAdmin: Bool)
    case alterRetentionPolicy(Name, database: Name, RetentionOptions)
    case dropContinuousQuery(Name, database: Name)
    case dropDatabase(Name)
    case dropMeasurement(Name)
    case dropRetentionPolicy(Name, database: Name)
    case dropSeries(Deletion)
    case dropShard(Bindable<UInt64>)
    case dropSubscription(SubscriptionName)
    case dropUser(Name)
    case delete(Deletion)
    case grant(GrantedPrivilege, database: Name, user: Name)
    case grantAdmin(user: Name)
    case revoke(GrantedPrivilege, database: Name, user: Name)
    case revokeAdmin(user: Name)
    case setPassword(user: Name, password: Name)
    case killQuery(Bindable<UInt64>, host: Name?)
}

/// The clauses that SHOW statements share; each statement's grammar allows some of them.
package struct ShowClauses: Hashable, Sendable {
    package var database: Name?
    package var sources: [MeasurementReference] = []
    package var key: TagKeyFilter?
    package var condition: Expression?
    package var dimensions: [Expression] = []
    package var order: Order?
    package var limits = RowLimits()

    package init() {}
}

/// `ON db`, `ON db.rp`, `ON *.*` of SHOW MEASUREMENTS; all but the first are 1.10's.
package struct MeasurementScope: Hashable, Sendable {
    package enum Part: Hashable, Sendable {
        case name(Name)
        case all
    }

    package var database: Part
    package var retentionPolicy: Part?
}

/// `WITH KEY ...`
package enum TagKeyFilter: Hashable, Sendable {
    case equal(Name)
    case notEqual(Name)
    case oneOf([Name])
    case matches(Bindable<String>)
    case matchesNot(Bindable<String>)
}

/// `CREATE CONTINUOUS QUERY name ON database [RESAMPLE [EVERY d] [FOR d]] BEGIN select END`
package struct ContinuousQuery: Hashable, Sendable {
    package var name: Name
    package var database: Name
    /// In nanoseconds.
    package var resampleEvery: Bindable<Int64>?
    package var resampleFor: Bindable<Int64>?
    package var select: SelectStatement
}

/// The options of a retention policy. Durations in nanoseconds; INF is 0, as InfluxDB has it.
package struct RetentionOptions: Hashable, Sendable {
    package var duration: Bindable<Int64>?
    package var replication: Bindable<Int64>?
    /// Outside ALTER, 0 is the same as none.
    package var shardDuration: Bindable<Int64>?
    package var isDefault = false
    /// `FUTURE LIMIT` and `PAST LIMIT` are 1.12's.
    package var futureLimit: Bindable<Int64>?
    package var pastLimit: Bindable<Int64>?
    /// Of CREATE DATABASE.
    package var name: Name?

    package init() {}
}

/// `name ON database.policy`
package struct SubscriptionName: Hashable, Sendable {
    package var name: Name
    package var database: Name
    package var retentionPolicy: Name
}

/// The raw value is how it is written.
package enum SubscriptionMode: String, Hashable, Sendable {
    case all = "ALL"
    case any = "ANY"
}

/// The raw value is how InfluxDB prints it.
package enum GrantedPrivilege: String, Hashable, Sendable {
    case read = "READ"
    case write = "WRITE"
    case all = "ALL PRIVILEGES"
}

/// What DELETE and DROP SERIES name.
package struct Deletion: Hashable, Sendable {
    package var sources: [MeasurementReference] = []
    package var condition: Expression?

    package init() {}
}

// MARK: What routing asks of a statement

extension StatementBody {
    package var kind: StatementKind {
        switch self {
        case .select(let select): select.target == nil ? .select : .selectInto
        case .explain(_, let analyze, _): analyze ? .explainAnalyze : .explain
        case .showContinuousQueries: .showContinuousQueries
        case .showDatabases: .showDatabases
        case .showDiagnostics: .showDiagnostics
        case .showFieldKeys: .showFieldKeys
        case .showFieldKeyCardinality: .showFieldKeyCardinality
        case .showGrants: .showGrants
        case .showMeasurements: .showMeasurements
        case .showMeasurementCardinality: .showMeasurementCardinality
        case .showQueries: .showQueries
        case .showRetentionPolicies: .showRetentionPolicies
        case .showSeries: .showSeries
        case .showSeriesCardinality: .showSeriesCardinality
        case .showShardGroups: .showShardGroups
        case .showShards: .showShards
        case .showStats: .showStats
        case .showSubscriptions: .showSubscriptions
        case .showTagKeys: .showTagKeys
        case .showTagKeyCardinality: .showTagKeyCardinality
        case .showTagValues: .showTagValues
        case .showTagValuesCardinality: .showTagValuesCardinality
        case .showUsers: .showUsers
        case .createContinuousQuery: .createContinuousQuery
        case .createDatabase: .createDatabase
        case .createRetentionPolicy: .createRetentionPolicy
        case .createSubscription: .createSubscription
        case .createUser: .createUser
        case .alterRetentionPolicy: .alterRetentionPolicy
        case .dropContinuousQuery: .dropContinuousQuery
        case .dropDatabase: .dropDatabase
        case .dropMeasurement: .dropMeasurement
        case .dropRetentionPolicy: .dropRetentionPolicy
        case .dropSeries: .dropSeries
        case .dropShard: .dropShard
        case .dropSubscription: .dropSubscription
        case .dropUser: .dropUser
        case .delete: .delete
        case .grant: .grant
        case .grantAdmin: .grantAdmin
        case .revoke: .revoke
        case .revokeAdmin: .revokeAdmin
        case .setPassword: .setPassword
        case .killQuery: .killQuery
        }
    }

    /// The SELECT in it, if it has one.
    package var select: SelectStatement? {
        switch self {
        case .select(let select), .explain(let select, _, _): select
        case .createContinuousQuery(let query): query.select
        default: nil
        }
    }

    /// The clauses of a SHOW statement that has them.
    package var clauses: ShowClauses? {
        switch self {
        case .showFieldKeys(let clauses), .showFieldKeyCardinality(_, let clauses),
            .showMeasurements(_, _, let clauses),
            .showMeasurementCardinality(_, let clauses), .showSeries(let clauses),
            .showSeriesCardinality(_, let clauses), .showTagKeys(let clauses), .showTagKeyCardinality(_, let clauses),
            .showTagValues(let clauses), .showTagValuesCardinality(_, let clauses):
            clauses
        default: nil
        }
    }

    var database: Name? {
        switch self {
        case .showMeasurements(let scope, _, _):
            if case .name(let name) = scope?.database { name } else { nil }
        case .showRetentionPolicies(let name): name
        case .createContinuousQuery(let query): query.database
        case .createDatabase(let name, _), .dropDatabase(let name): name
        case .createRetentionPolicy(_, let name, _), .alterRetentionPolicy(_, let name, _),
            .dropContinuousQuery(_, let name), .dropRetentionPolicy(_, let name), .grant(_, let name, _),
            .revoke(_, let name, _):
            name
        case .createSubscription(let subscription, _, _), .dropSubscription(let subscription): subscription.database
        default: clauses?.database
        }
    }

    var subject: Name? {
        switch self {
        case .showGrants(let name), .createDatabase(let name, _), .createRetentionPolicy(let name, _, _),
            .createUser(let name, _, _), .alterRetentionPolicy(let name, _, _), .dropContinuousQuery(let name, _),
            .dropDatabase(let name), .dropMeasurement(let name), .dropRetentionPolicy(let name, _),
            .dropUser(let name), .grant(_, _, let name), .grantAdmin(let name), .revoke(_, _, let name),
            .revokeAdmin(let name), .setPassword(let name, _):
            name
        case .createContinuousQuery(let query): query.name
        case .createSubscription(let subscription, _, _), .dropSubscription(let subscription): subscription.name
        default: nil
        }
    }

    var sources: [MeasurementReference] {
        var list: [MeasurementReference] = []
        switch self {
        case .select(let select), .explain(let select, _, _): select.appendMeasurements(to: &list)
        case .createContinuousQuery(let query): query.select.appendMeasurements(to: &list)
        case .delete(let deletion), .dropSeries(let deletion): return deletion.sources
        case .showMeasurements(_, let reference, _): return reference.map { [$0] } ?? []
        default: return clauses?.sources ?? []
        }
        return list
    }
}
