// One statement of each kind, for tables that must have a row for every kind.
import InfluxQL
import Querying
import Testing

/// With one measurement named in FROM where the grammar has a FROM.
let statementExamples: [StatementKind: String] = [
    .select: "SELECT v FROM cpu WHERE time > now() - 1h",
    .selectInto: "SELECT v INTO b FROM cpu WHERE time > now() - 1h",
    .explain: "EXPLAIN SELECT v FROM cpu",
    .explainAnalyze: "EXPLAIN ANALYZE SELECT v FROM cpu",
    .showContinuousQueries: "SHOW CONTINUOUS QUERIES",
    .showDatabases: "SHOW DATABASES",
    .showDiagnostics: "SHOW DIAGNOSTICS",
    .showFieldKeys: "SHOW FIELD KEYS FROM cpu",
    .showFieldKeyCardinality: "SHOW FIELD KEY CARDINALITY FROM cpu",
    .showGrants: "SHOW GRANTS FOR u",
    .showMeasurements: "SHOW MEASUREMENTS WITH MEASUREMENT = cpu",
    .showMeasurementCardinality: "SHOW MEASUREMENT EXACT CARDINALITY FROM cpu",
    .showQueries: "SHOW QUERIES",
    .showRetentionPolicies: "SHOW RETENTION POLICIES ON d",
    .showSeries: "SHOW SERIES FROM cpu",
    .showSeriesCardinality: "SHOW SERIES EXACT CARDINALITY FROM cpu",
    .showShardGroups: "SHOW SHARD GROUPS",
    .showShards: "SHOW SHARDS",
    .showStats: "SHOW STATS",
    .showSubscriptions: "SHOW SUBSCRIPTIONS",
    .showTagKeys: "SHOW TAG KEYS FROM cpu",
    .showTagKeyCardinality: "SHOW TAG KEY CARDINALITY FROM cpu",
    .showTagValues: "SHOW TAG VALUES FROM cpu WITH KEY = host",
    .showTagValuesCardinality: "SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY = host",
    .showUsers: "SHOW USERS",
    .createContinuousQuery: "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO m FROM cpu GROUP BY time(1m) END",
    .createDatabase: "CREATE DATABASE x",
    .createRetentionPolicy: "CREATE RETENTION POLICY p ON d DURATION 1d REPLICATION 1",
    .createSubscription: "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'",
    .createUser: "CREATE USER u WITH PASSWORD 'secret'",
    .alterRetentionPolicy: "ALTER RETENTION POLICY autogen ON d DURATION 1d",
    .dropContinuousQuery: "DROP CONTINUOUS QUERY q ON d",
    .dropDatabase: "DROP DATABASE d",
    .dropMeasurement: "DROP MEASUREMENT cpu",
    .dropRetentionPolicy: "DROP RETENTION POLICY autogen ON d",
    .dropSeries: "DROP SERIES FROM cpu",
    .dropShard: "DROP SHARD 1",
    .dropSubscription: "DROP SUBSCRIPTION s ON d.autogen",
    .dropUser: "DROP USER u",
    .delete: "DELETE FROM cpu",
    .grant: "GRANT READ ON d TO u",
    .grantAdmin: "GRANT ALL TO u",
    .revoke: "REVOKE READ ON d FROM u",
    .revokeAdmin: "REVOKE ALL FROM u",
    .setPassword: "SET PASSWORD FOR u = 'secret'",
    .killQuery: "KILL QUERY 1",
]

func statements(_ text: String) throws -> [Statement] {
    guard case .statements(let statements) = Parsed(text) else { throw NoStatement(text: text) }
    return statements
}

struct NoStatement: Error {
    let text: String
}

@Test("every kind of statement has an example of its kind", arguments: StatementKind.allCases)
func everyKindHasAnExample(kind: StatementKind) throws {
    let text = try #require(statementExamples[kind], "add an example of \(kind)")
    #expect(try statements(text).map(\.kind) == [kind])
}
