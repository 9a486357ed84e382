// Every statement of InfluxQL in several spellings, with what it is.

import Testing

import InfluxQL

let spellings: [(StatementKind, [String])] = [
    (
        .select,
        [
            "SELECT * FROM cpu", "select mean(\"v\") from cpu where time > now() - 1h group by time(10s), * fill(null)",
            "SELECT v FROM db..cpu, rp.cpu, \"d\".\"rp\".\"c\", /re/, rp./re/, d.rp./re/, d../re/",
            "SELECT mean(x) FROM (SELECT v*2 AS x FROM cpu WHERE a = 'b' GROUP BY time(1m)) GROUP BY time(1h) fill(0)",
            "SELECT DISTINCT v FROM cpu", "SELECT DISTINCT(v) FROM cpu", "SELECT count(distinct(v)) FROM cpu",
            "SELECT v::float, t::tag, *::field FROM cpu", "SELECT /re/, mean(/x/) FROM cpu",
            "SELECT -v, +v, -(v), - 5m, v % 2, v & 1 | 2 ^ 3, (v + 1) / 2 FROM cpu",
            "SELECT v FROM cpu WHERE host =~ /a|b;c/ AND host !~ /c\\/d/ OR (x <> 1 AND y != 2 and z <= 3.5 and w >= .5)",
            "SELECT v FROM cpu GROUP BY /x/, time(1m, 5s), host ORDER BY time DESC LIMIT 5 OFFSET 2 SLIMIT 3 SOFFSET 1 tz('UTC')",
            "SELECT \"INTO\" FROM a WHERE x = 'SELECT * INTO y'", "SELECT v FROM \"INTO\"",
            "SELECT v /* INTO x */ FROM a",
            "SELECT v -- INTO x\nFROM a", "SELECT * FROM (SELECT v INTO x FROM cpu)", "SELECT v, into_x FROM a",
            "SELECT v FROM $m WHERE a = $\"b c\" AND c =~ $r", "SELECT verbose, future, past FROM x",
        ]
    ),
    (
        .selectInto,
        [
            "SELECT * INTO b FROM a", "select*into b from a", "SELECT * INTO d.rp.:MEASUREMENT FROM /.*/ GROUP BY *",
            "SELECT * INTO rp.:measurement FROM a", "SELECT * INTO rp :MEASUREMENT FROM a", "SELECT * INTO d..b FROM a",
            "SELECT mean(v)INTO x FROM cpu GROUP BY time(1m)", "SELECT v\r\nINTO\tx--c\nFROM a",
            "SELECT v INTO $t FROM a",
            "SELECT v AS \"FROM\" INTO b FROM a", "SELECT --\nv INTO b FROM a",
        ]
    ),
    (.explain, ["EXPLAIN SELECT v FROM cpu", "explain select v into x from cpu"]),
    (.explainAnalyze, ["EXPLAIN ANALYZE SELECT v FROM cpu", "EXPLAIN ANALYZE VERBOSE SELECT v INTO x FROM cpu"]),
    (.showContinuousQueries, ["SHOW CONTINUOUS QUERIES"]),
    (.showDatabases, ["SHOW DATABASES", "show\tdatabases", "SHOW/**/DATABASES", "SHOW--\nDATABASES"]),
    (.showDiagnostics, ["SHOW DIAGNOSTICS", "SHOW DIAGNOSTICS FOR 'build'"]),
    (.showFieldKeys, ["SHOW FIELD KEYS", "SHOW FIELD KEYS ON d FROM cpu, /x/ ORDER BY ASC LIMIT 1 OFFSET 2"]),
    (
        .showFieldKeyCardinality,
        [
            "SHOW FIELD KEY CARDINALITY",
            "SHOW FIELD KEY EXACT CARDINALITY ON d FROM cpu WHERE a='b' GROUP BY x LIMIT 1 OFFSET 1",
        ]
    ),
    (.showGrants, ["SHOW GRANTS FOR \"u\"", "SHOW GRANTS FOR u"]),
    (
        .showMeasurements,
        [
            "SHOW MEASUREMENTS",
            "SHOW MEASUREMENTS ON d WITH MEASUREMENT =~ /c.*/ WHERE host = 'a' ORDER BY ASC LIMIT 1 OFFSET 1",
            "SHOW MEASUREMENTS WITH MEASUREMENT = cpu", "SHOW MEASUREMENTS ON d.rp", "SHOW MEASUREMENTS ON *.*",
        ]
    ),
    (
        .showMeasurementCardinality,
        ["SHOW MEASUREMENT CARDINALITY", "SHOW MEASUREMENT EXACT CARDINALITY ON d FROM cpu"]
    ),
    (.showQueries, ["SHOW QUERIES"]),
    (.showRetentionPolicies, ["SHOW RETENTION POLICIES", "SHOW RETENTION POLICIES ON \"d\""]),
    (
        .showSeries,
        ["SHOW SERIES", "SHOW SERIES ON d FROM cpu WHERE a = 'b' ORDER BY ASC LIMIT 1 OFFSET 1", "SHOW SERIES EXACT"]
    ),
    (
        .showSeriesCardinality,
        [
            "SHOW SERIES CARDINALITY",
            "SHOW SERIES EXACT CARDINALITY ON d FROM cpu WHERE a = 'b' GROUP BY x LIMIT 1 OFFSET 2",
        ]
    ),
    (.showShardGroups, ["SHOW SHARD GROUPS"]),
    (.showShards, ["SHOW SHARDS"]),
    (.showStats, ["SHOW STATS", "SHOW STATS FOR 'shard'"]),
    (.showSubscriptions, ["SHOW SUBSCRIPTIONS"]),
    (
        .showTagKeys,
        [
            "SHOW TAG KEYS", "SHOW TAG KEYS ON d FROM cpu WHERE a='b' ORDER BY ASC LIMIT 1 OFFSET 1 SLIMIT 1 SOFFSET 1",
            "SHOW TAG KEYS WITH KEY = a",
        ]
    ),
    (.showTagKeyCardinality, ["SHOW TAG KEY CARDINALITY", "SHOW TAG KEY EXACT CARDINALITY ON d FROM cpu"]),
    (
        .showTagValues,
        [
            "SHOW TAG VALUES WITH KEY = host", "SHOW TAG VALUES WITH KEY =~ /x/", "SHOW TAG VALUES WITH KEY !~ /x/",
            "SHOW TAG VALUES ON d FROM cpu WITH KEY IN (host, \"dc\") WHERE a = 'b' ORDER BY ASC LIMIT 1 OFFSET 1",
        ]
    ),
    (
        .showTagValuesCardinality,
        [
            "SHOW TAG VALUES CARDINALITY WITH KEY = x",
            "SHOW TAG VALUES EXACT CARDINALITY ON d FROM cpu WITH KEY = x GROUP BY y",
        ]
    ),
    (.showUsers, ["SHOW USERS"]),
    (
        .createContinuousQuery,
        [
            "CREATE CONTINUOUS QUERY a ON d BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(1m) END",
            "CREATE CONTINUOUS QUERY a ON d RESAMPLE EVERY 10s FOR 2m BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(1m) END",
            "CREATE CONTINUOUS QUERY a ON d RESAMPLE FOR 2m BEGIN SELECT v INTO y FROM x END",
        ]
    ),
    (
        .createDatabase,
        [
            "CREATE DATABASE d", "create database \"d\"", "CREATE DATABASE foo\"d\"", "CREATE DATABASE d WITH NAME x",
            "CREATE DATABASE d WITH DURATION 1d REPLICATION 1 SHARD DURATION 1h NAME x",
            "CREATE DATABASE d WITH DURATION INF FUTURE LIMIT 1h PAST LIMIT 2h NAME x",
        ]
    ),
    (
        .createRetentionPolicy,
        [
            "CREATE RETENTION POLICY rp ON d DURATION 1h REPLICATION 1",
            "CREATE RETENTION POLICY rp ON d DURATION INF REPLICATION 1 SHARD DURATION 1h DEFAULT",
        ]
    ),
    (
        .createSubscription,
        [
            "CREATE SUBSCRIPTION s ON d.rp DESTINATIONS ALL 'udp://127.0.0.1:1', 'udp://127.0.0.1:2'",
            "CREATE SUBSCRIPTION s ON \"d\".\"rp\" DESTINATIONS ANY 'http://x'",
        ]
    ),
    (.createUser, ["CREATE USER u WITH PASSWORD 'p'", "create user \"u\" with password 'p' with all privileges"]),
    (
        .alterRetentionPolicy,
        [
            "ALTER RETENTION POLICY rp ON d DURATION 2h REPLICATION 2 SHARD DURATION 1h DEFAULT",
            "ALTER RETENTION POLICY default ON d DEFAULT", "ALTER RETENTION POLICY rp ON d DEFAULT DURATION INF",
        ]
    ),
    (.dropContinuousQuery, ["DROP CONTINUOUS QUERY a ON d"]),
    (.dropDatabase, ["DROP DATABASE d", "drop\n database\t\"d\"", "DROP/*x*/DATABASE d", "DROP DATABASE $d"]),
    (.dropMeasurement, ["DROP MEASUREMENT m", "DROP MEASUREMENT \"a b\""]),
    (.dropRetentionPolicy, ["DROP RETENTION POLICY rp ON d"]),
    (.dropSeries, ["DROP SERIES FROM cpu WHERE host = 'a'", "DROP SERIES FROM /x/", "DROP SERIES WHERE host = 'a'"]),
    (.dropShard, ["DROP SHARD 5"]),
    (.dropSubscription, ["DROP SUBSCRIPTION s ON d.rp"]),
    (.dropUser, ["DROP USER u"]),
    (
        .delete,
        [
            "DELETE FROM cpu", "DELETE FROM /x/ WHERE time < now() - 1h", "DELETE WHERE time < '2020-01-01'",
            "delete from cpu, mem",
        ]
    ),
    (
        .grant,
        [
            "GRANT READ ON d TO u", "GRANT WRITE ON d TO u", "GRANT ALL ON d TO u",
            "GRANT ALL PRIVILEGES ON \"d\" TO \"u\"",
        ]
    ),
    (.grantAdmin, ["GRANT ALL TO u", "GRANT ALL PRIVILEGES TO u"]),
    (.revoke, ["REVOKE READ ON d FROM u", "REVOKE ALL PRIVILEGES ON d FROM u"]),
    (.revokeAdmin, ["REVOKE ALL FROM u", "REVOKE ALL PRIVILEGES FROM u"]),
    (.setPassword, ["SET PASSWORD FOR u = 'x'", "set password for \"u\"='x'"]),
    (.killQuery, ["KILL QUERY 12345", "KILL QUERY 12345 ON \"host\""]),
]

@Test("Every statement is recognised in every spelling", arguments: spellings)
func everyStatementIsRecognised(_ kind: StatementKind, _ texts: [String]) {
    for text in texts {
        let forms = [
            text, "  \(text)  ", ";;\(text);", "-- comment\n\(text)", "/* a; b */\(text)\n-- end", "\r\n\(text)\r\n;",
        ]
        for form in forms {
            guard case .statements(let statements) = Parsed(form) else {
                Issue.record("refused: \(form): \(Parsed(form))")
                continue
            }
            #expect(statements.map(\.kind) == [kind], "\(form)")
            #expect(statements.first?.text == text, "\(form)")
        }
    }
}

@Test("The table covers every kind of statement")
func theTableCoversEveryKind() {
    #expect(Set(spellings.map(\.0)) == Set(StatementKind.allCases))
}

@Test("What a statement does to data follows from its kind")
func effectFollowsFromKind() {
    for kind in StatementKind.allCases {
        let name = kind.rawValue
        let isRead = name == "select" || name.hasPrefix("show") || name.hasPrefix("explain")
        let isPerNode = kind == .dropShard || kind == .killQuery
        #expect(kind.effect == (isRead ? .read : isPerNode ? .perNode : .mutation), "\(kind)")
    }
}

@Test(
    "Semicolons split statements only where they are tokens",
    arguments: [
        ("SHOW DATABASES;SHOW USERS", ["SHOW DATABASES", "SHOW USERS"]),
        ("SELECT v FROM a WHERE b = ';';DROP DATABASE x", ["SELECT v FROM a WHERE b = ';'", "DROP DATABASE x"]),
        ("SELECT \";\" FROM \"a;b\"", ["SELECT \";\" FROM \"a;b\""]),
        ("SELECT v FROM /a;b/ ; SHOW USERS", ["SELECT v FROM /a;b/", "SHOW USERS"]),
        ("SHOW USERS -- ; SHOW DATABASES", ["SHOW USERS"]),
        ("SHOW USERS /* ; */ ; SHOW QUERIES", ["SHOW USERS", "SHOW QUERIES"]),
        ("SELECT a /b; SHOW USERS", []),
        (";;;", []), ("", []), ("-- nothing", []),
    ] as [(String, [String])])
func semicolonsSplitStatements(_ text: String, _ expected: [String]) {
    guard case .statements(let statements) = Parsed(text) else {
        #expect(expected.isEmpty)
        return
    }
    #expect(statements.map(\.text) == expected)
}

@Test(
    "The database that a statement names is known",
    arguments: [
        ("CREATE DATABASE \"a b\"", [.literal("a b")]), ("DROP DATABASE $x", [.parameter("x")]),
        ("SHOW SERIES ON d", [.literal("d")]), ("SHOW SERIES", []),
        ("SELECT v FROM a", []), ("SELECT v FROM rp.a", []), ("SELECT v FROM d.rp.a", [.literal("d")]),
        ("SELECT v FROM d..a, e.rp./x/, f../y/", [.literal("d"), .literal("e"), .literal("f")]),
        ("SELECT v FROM (SELECT v FROM d..a)", [.literal("d")]),
        ("SELECT v INTO t.rp.b FROM s..a", [.literal("s"), .literal("t")]),
        ("GRANT ALL ON d TO u", [.literal("d")]), ("GRANT ALL TO u", []),
        ("CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO x FROM y END", [.literal("d")]),
    ] as [(String, [Name])])
func theDatabaseIsKnown(_ text: String, _ databases: [Name]) throws {
    let statement = try single(text)
    #expect(statement.namedDatabases == databases)
}

@Test("Sources and targets are kept with their parts")
func sourcesAndTargetsAreKept() throws {
    let statement = try single("SELECT v INTO d.rp.:MEASUREMENT FROM a, rp.b, d.rp.c, d..e, /f/, rp./g/, d.rp./h/, $p")
    #expect(
        statement.target
            == MeasurementReference(
                database: .literal("d"), retentionPolicy: .literal("rp"), measurement: .sameAsSource))
    func name(_ text: String) -> MeasurementReference.Target { .name(.literal(text)) }
    #expect(
        statement.sources == [
            MeasurementReference(measurement: name("a")),
            MeasurementReference(retentionPolicy: .literal("rp"), measurement: name("b")),
            MeasurementReference(database: .literal("d"), retentionPolicy: .literal("rp"), measurement: name("c")),
            MeasurementReference(database: .literal("d"), measurement: name("e")),
            MeasurementReference(measurement: .regex("f")),
            MeasurementReference(retentionPolicy: .literal("rp"), measurement: .regex("g")),
            MeasurementReference(database: .literal("d"), retentionPolicy: .literal("rp"), measurement: .regex("h")),
            MeasurementReference(measurement: .name(.parameter("p"))),
        ])
    #expect(statement.usesParameters)
    #expect(try single("CREATE DATABASE d").hasOptions == false)
    #expect(try single("CREATE DATABASE d WITH NAME x").hasOptions)
    #expect(try single("CREATE USER \"u\" WITH PASSWORD 'p'").subject == .literal("u"))
}

@Test(
    "A mutation is a barrier in the lanes that it touches",
    arguments: [
        ("SELECT v FROM a", nil), ("SHOW DATABASES", nil), ("KILL QUERY 5", nil), ("DROP SHARD 5", nil),
        ("CREATE DATABASE x", .databaseAndSchema("x")), ("DROP DATABASE x", .databaseAndSchema("x")),
        ("DROP DATABASE $x", .everything),
        ("CREATE USER u WITH PASSWORD 'p'", .schema), ("DROP USER u", .schema), ("SET PASSWORD FOR u = 'p'", .schema),
        ("GRANT ALL TO u", .schema), ("REVOKE ALL FROM u", .schema), ("DROP USER $u", .schema),
        ("GRANT READ ON x TO u", .databaseAndSchema("x")), ("REVOKE ALL ON x FROM u", .databaseAndSchema("x")),
        ("GRANT READ ON $x TO u", .everything),
        ("CREATE RETENTION POLICY r ON x DURATION 1h REPLICATION 1", .database("x")),
        ("ALTER RETENTION POLICY r ON x DEFAULT", .database("x")), ("DROP RETENTION POLICY r ON x", .database("x")),
        ("CREATE SUBSCRIPTION s ON x.r DESTINATIONS ALL 'u'", .database("x")),
        ("DROP SUBSCRIPTION s ON x.r", .database("x")),
        ("DROP CONTINUOUS QUERY q ON x", .database("x")), ("DROP CONTINUOUS QUERY q ON $x", .everything),
        ("DELETE FROM a", .database("db")), ("DROP SERIES FROM a", .database("db")),
        ("DROP MEASUREMENT a", .database("db")),
        ("SELECT v INTO b FROM a", .everything),
    ] as [(String, BarrierScope?)])
func aMutationIsABarrier(_ text: String, _ scope: BarrierScope?) throws {
    #expect(try single(text).barrier(requestDatabase: "db") == scope)
}

@Test("A deletion without a database parameter holds up everything")
func aDeletionWithoutADatabase() throws {
    #expect(try single("DELETE FROM a").barrier(requestDatabase: nil) == .everything)
    #expect(try single("DELETE FROM a").barrier(requestDatabase: "") == .everything)
}

/// The one statement of a text.
func single(_ text: String) throws -> Statement {
    guard case .statements(let statements) = Parsed(text), statements.count == 1, let statement = statements.first
    else {
        Issue.record("not one statement: \(text): \(Parsed(text))")
        throw ParseFailure(reason: text)
    }
    return statement
}
