// What statements touch, and between which times.

import Testing

import InfluxQL

@Test(
    "The shape of a statement is known",
    arguments: [
        // measurements, aggregates, by time, * in fields, * in dimensions, depth, now
        ("SELECT v FROM a", "1 - - - - 1 -"), ("SELECT v FROM a, b, a", "2 - - - - 1 -"),
        ("SELECT v FROM d.r.a, a", "2 - - - - 1 -"), ("SELECT v FROM /a/", "? - - - - 1 -"),
        ("SELECT v FROM a, $m", "? - - - - 1 -"),
        ("SELECT mean(v) FROM a GROUP BY time(1m)", "1 A T - - 1 -"),
        ("SELECT mean(v) FROM a WHERE time > now() - 1h GROUP BY time(1m), host", "1 A T - - 1 N"),
        ("SELECT * FROM a", "1 - - F - 1 -"), ("SELECT /x/ FROM a GROUP BY /y/", "1 - - F D 1 -"),
        ("SELECT mean(*) FROM a GROUP BY *", "1 A - F D 1 -"), ("SELECT v * 2 FROM a", "1 - - - - 1 -"),
        ("SELECT 2 * max(v) FROM a", "1 A - - - 1 -"), ("SELECT DISTINCT v FROM a", "1 A - - - 1 -"),
        ("SELECT v FROM a WHERE host =~ /x/", "1 - - - - 1 -"),
        ("SELECT v FROM (SELECT mean(*) AS v FROM a GROUP BY time(1m), *)", "1 A T F D 2 -"),
        ("SELECT v FROM (SELECT v FROM (SELECT v FROM a), b), c", "3 - - - - 3 -"),
        ("EXPLAIN SELECT v FROM a", "1 - - - - 1 -"), ("SHOW DATABASES", "0 - - - - 0 -"),
        ("SHOW TAG KEYS", "? - - - - 0 -"), ("SHOW TAG KEYS FROM a", "1 - - - - 0 -"),
        ("SHOW MEASUREMENTS", "? - - - - 0 -"), ("SHOW MEASUREMENTS WITH MEASUREMENT = a", "1 - - - - 0 -"),
        ("DELETE FROM a WHERE time < now()", "1 - - - - 0 N"), ("DELETE WHERE time < 5", "? - - - - 0 -"),
        ("DROP MEASUREMENT a", "1 - - - - 0 -"), ("DROP MEASUREMENT $m", "? - - - - 0 -"),
        ("SELECT v FROM a WHERE time > $f()", "1 - - - - 1 N"),
        (
            "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO b FROM a GROUP BY time(1m) END",
            "1 A T - - 1 -"
        ),
    ])
func theShapeIsKnown(_ text: String, _ expected: String) throws {
    let analysis = try single(text).analysis
    let found = [
        analysis.measurementCount.map(String.init) ?? "?", analysis.aggregates ? "A" : "-",
        analysis.groupsByTime ? "T" : "-", analysis.hasFieldWildcard ? "F" : "-",
        analysis.hasDimensionWildcard ? "D" : "-", String(analysis.nestingDepth), analysis.callsNow ? "N" : "-",
    ]
    #expect(found.joined(separator: " ") == expected)
}

@Test("What is read and written is known with database and retention policy")
func whatIsReadIsKnown() throws {
    let analysis = try single(
        "SELECT v INTO t.r.x FROM a, rp.b, d.rp./c/, (SELECT v FROM e..f, $g) LIMIT 7"
    ).analysis
    #expect(analysis.reads.map(\.description) == ["a", "rp.b", "d.rp./c/", "e..f", "$g"])
    #expect(analysis.databases == [nil, .literal("d"), .literal("e")])
    #expect(analysis.retentionPolicies == [nil, .literal("rp")])
    #expect(analysis.target?.description == "t.r.x")
    #expect(analysis.effect == .mutation)
    #expect(analysis.limit == 7)
}

@Test(
    "The databases that a statement touches are known, the request's among them",
    arguments: [
        ("SELECT v FROM a", [nil]), ("SELECT v FROM d..a", [.literal("d")]),
        ("SELECT v FROM d..a, b", [.literal("d"), nil]),
        ("SHOW SERIES", [nil]), ("SHOW SERIES ON d", [.literal("d")]), ("SHOW SERIES ON d FROM a", [.literal("d")]),
        ("SHOW SERIES ON d FROM a, e..b", [.literal("d"), .literal("e")]), ("SHOW USERS", []), ("SHOW DATABASES", []),
        ("DELETE FROM a", [nil]), ("DELETE WHERE time < 5", [nil]), ("DROP MEASUREMENT a", [nil]),
        ("GRANT READ ON d TO u", [.literal("d")]), ("DROP DATABASE $d", [.parameter("d")]),
        (
            "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO t..x FROM a, e..b END", [.literal("d"), .literal("e")]
        ),
    ] as [(String, Set<Name?>)])
func theDatabasesAreKnown(_ text: String, _ expected: Set<Name?>) throws {
    #expect(try single(text).analysis.databases == expected)
}

/// 2020-01-01T00:00:00Z
private let now: Int64 = 1_577_836_800_000_000_000
private let hour: Int64 = 3_600_000_000_000

@Test(
    "The times that a condition lets through are known",
    arguments: [
        ("time > 5", 6, nil), ("time >= 5", 5, nil), ("time < 5", nil, 4), ("time <= 5", nil, 5), ("time = 5", 5, 5),
        ("5 < time", 6, nil), ("5 >= time", nil, 5), ("5 = \"TIME\"", 5, 5), ("host = 'a'", nil, nil),
        ("time > 5 AND time < 9", 6, 8), ("time > 5 AND host = 'a' AND time > 7 AND time < 9", 8, 8),
        ("(time > 5 AND (time < 9))", 6, 8), ("true", nil, nil), ("time > 9 AND time < 5", 10, 4),
        ("time > 5 OR time > 7", 6, nil), ("time > 5 OR host = 'a'", nil, nil),
        ("(time > 5 AND time < 7) OR (time > 8 AND time < 10)", 6, 9), ("(time = 3 OR time = 8) AND time < 7", 3, 6),
        ("time > now()", now + 1, nil), ("time >= now() - 1h", now - hour, nil),
        ("now() - 1h <= time", now - hour, nil),
        ("time >= now() - 30m * 2", now - hour, nil), ("time >= -1h + now()", now - hour, nil),
        ("time >= (now() - (1h))", now - hour, nil), ("time >= now() - 1h / 2", now - hour / 2, nil),
        ("time >= 1577836800s", now, nil), ("time >= 1577836800s - 1h", now - hour, nil),
        ("time >= 1577836800000000000 - 1h", now - hour, nil), ("time >= 8 / 2", 4, nil), ("time >= 4.9", 4, nil),
        ("time >= 7 % 4 + 1", 4, nil), ("time >= '2020-01-01'", now, nil),
        ("time >= '2020-01-01' - 1h", now - hour, nil), ("time >= '2020-01-01T00:00:00Z' + 5", now + 5, nil),
        ("time >= '2020-01-01 01:00:00'", now + hour, nil), ("time >= '2020-01-01T00:00:00.000000005Z'", now + 5, nil),
        ("time >= '2020-01-01T01:00:00+01:00'", now, nil), ("time <= '2020-01-01 00:00:00.5'", nil, now + 500_000_000),
        ("time >= '2020-01-02' - '2020-01-01'", 24 * hour, nil), ("time >= 1h", hour, nil),
        ("time > $t", nil, nil), ("time > $t AND time < 9", nil, 8), ("time > now() - $d", nil, nil),
        ("(time) > 5", nil, nil), ("time + 1 > 5", nil, nil), ("time > 5 AND $x", 6, nil),
    ] as [(String, Int64?, Int64?)])
func theTimesAreKnown(_ text: String, _ lower: Int64?, _ upper: Int64?) throws {
    let bounds = try single("SELECT v FROM a WHERE " + text).timeBounds(now: now)
    #expect(bounds == TimeBounds(lower: lower, upper: upper))
}

@Test(
    "A condition that a node refuses is refused in its words",
    arguments: [
        ("time != 4", "invalid time comparison operator: !="),
        ("time > 'x'", "invalid operation: time and *influxql.StringLiteral are not compatible"),
        ("time > '2020-01-01' + 'T'", "invalid operation: time and *influxql.StringLiteral are not compatible"),
        ("time > v", "invalid operation: time and *influxql.VarRef are not compatible"),
        ("time > now() - 2 * 30m", "invalid operation: time and *influxql.BinaryExpr are not compatible"),
        ("v", "invalid condition expression: v"),
        ("time > true", "invalid operation: time and *influxql.BooleanLiteral are not compatible"),
        (
            "time > 18446744073709551615",
            "invalid operation: time and *influxql.UnsignedLiteral are not compatible"
        ),
        ("time > '2300-01-01'", "time 2300-01-01T00:00:00Z overflows time literal"),
        ("time > '1500-01-01'", "time 1500-01-01T00:00:00Z underflows time literal"),
        ("time > f(1)", "invalid operation: time and *influxql.Call are not compatible"),
        ("time > '2020-13-01'", "invalid timestamp string"), ("time > '2020-01-01T00:00'", "invalid timestamp string"),
    ])
func aConditionIsRefused(_ text: String, _ reason: String) throws {
    let statement = try single("SELECT v FROM a WHERE " + text)
    #expect(throws: ConditionFailure(reason: reason)) { try statement.timeBounds(now: now) }
}

@Test(
    "Subqueries read no more than the SELECTs around them let through",
    arguments: [
        ("SELECT v FROM (SELECT v FROM a) WHERE time > 5", 6, nil),
        ("SELECT v FROM (SELECT v FROM a WHERE time < 9) WHERE time > 5", 6, 8),
        ("SELECT v FROM (SELECT v FROM a WHERE time > 7), b WHERE time > 5", 6, nil),
        ("SELECT v FROM (SELECT v FROM a WHERE time > 7), (SELECT v FROM b WHERE time > 9)", 8, nil),
        ("SELECT v FROM (SELECT v FROM a WHERE time > 7), b", nil, nil),
        ("EXPLAIN SELECT v FROM a WHERE time = 5", 5, 5), ("DELETE FROM a WHERE time < 5", nil, 4),
        ("SHOW TAG VALUES WITH KEY = a WHERE time > 5", 6, nil), ("SHOW SERIES", nil, nil),
    ] as [(String, Int64?, Int64?)])
func subqueriesReadNoMore(_ text: String, _ lower: Int64?, _ upper: Int64?) throws {
    #expect(try single(text).timeBounds(now: now) == TimeBounds(lower: lower, upper: upper))
}

@Test("In another time zone a time without an offset is as early or late as it can be")
func timesInOtherZones() throws {
    func bounds(_ condition: String) throws -> TimeBounds? {
        try single("SELECT v FROM a WHERE \(condition) tz('Asia/Tokyo')").timeBounds(now: now)
    }
    #expect(try bounds("time >= '2020-01-01'") == TimeBounds(lower: now - 14 * hour))
    #expect(try bounds("time <= '2020-01-01'") == TimeBounds(upper: now + 12 * hour))
    #expect(try bounds("time = '2020-01-01' + 1h") == TimeBounds(lower: now - 13 * hour, upper: now + 13 * hour))
    #expect(try bounds("time >= '2020-01-01T00:00:00Z'") == TimeBounds(lower: now))
    #expect(try single("SHOW DATABASES").timeBounds(now: now) == nil)
}
